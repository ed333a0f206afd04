"""Parts of `bench_cascade.py`."""
