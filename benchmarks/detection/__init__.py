"""Parts of `bench_detection.py`."""
