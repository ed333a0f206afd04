"""Fuzz `tests/outside_bytes/mappings.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("mappings")
