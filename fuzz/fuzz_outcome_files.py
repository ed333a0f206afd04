"""Fuzz `tests/outside_bytes/outcome_files.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("outcome_files")
