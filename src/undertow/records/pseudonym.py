"""Ids that cannot be read back: HMAC-SHA256 under the key of `[store] id_key_env`.

The same function serves everything that writes or joins ids (gateway, feedback, import of outcomes), so that they still meet.
"""

import hmac


def pseudonym(value: str | None, key: bytes | None) -> str | None:
    """The id as it is stored: 64 hex digits under a key, unchanged without one.

    Args:
        value: A user's or conversation's id, as given; None stays None.
        key: The secret key, or None: ids are kept as given.

    Examples:
        >>> pseudonym("user-1", None), pseudonym(None, b"k")
        ('user-1', None)
        >>> pseudonym("user-1", b"k")[:16]
        'e2c8e4c6b6f892d9'
    """
    if value is None or key is None:
        return value
    return hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256").hex()
