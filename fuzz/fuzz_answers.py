"""Fuzz `tests/outside_bytes/answers.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("answers")
