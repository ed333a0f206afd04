"""Fuzz `tests/outside_bytes/bodies.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("bodies")
