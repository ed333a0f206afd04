"""Fuzz `tests/outside_bytes/http_requests.py`."""

from harness import fuzz

if __name__ == "__main__":
    fuzz("http_requests")
