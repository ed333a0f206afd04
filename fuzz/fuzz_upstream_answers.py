"""Fuzz `tests/outside_bytes/upstream_answers.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("upstream_answers")
