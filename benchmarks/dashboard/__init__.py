"""Parts of `bench_dashboard.py`."""
