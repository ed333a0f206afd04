"""Fuzz `tests/outside_bytes/importers.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("importers")
