"""Fuzz `tests/outside_bytes/settings.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("settings")
