"""Fuzz `tests/outside_bytes/store_files.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("store_files")
