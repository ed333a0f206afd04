"""Parts of `bench_guard.py`."""
