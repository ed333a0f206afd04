"""Fuzz `tests/outside_bytes/reviews.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("reviews")
