"""What reading JSON raises that somebody else wrote: every reader of a file, a line or a message catches these, and counts or says it."""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""Broken or of another shape; no UTF-8; nested so deeply that no parser follows, which is no `ValueError`.

Examples:
    >>> try:
    ...     msgspec.json.decode(b"[" * 100_000)
    ... except UNREADABLE:
    ...     "counted"
    'counted'
"""
