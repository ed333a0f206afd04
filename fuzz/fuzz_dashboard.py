"""Fuzz `tests/outside_bytes/dashboard.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("dashboard")
