"""Fuzz `tests/outside_bytes/signals.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("signals")
