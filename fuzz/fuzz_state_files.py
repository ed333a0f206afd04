"""Fuzz `tests/outside_bytes/state_files.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("state_files")
