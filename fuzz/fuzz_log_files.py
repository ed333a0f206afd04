"""Fuzz `tests/outside_bytes/log_files.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("log_files")
