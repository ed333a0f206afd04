"""Fuzz `tests/outside_bytes/streams.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("streams")
