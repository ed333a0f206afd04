"""How new a request is to a calibration: the share of its words and pairs of words that no text of the training period had.

A bit map of 32,768 hashed words and pairs (4 kB, in base64 5.5 kB) stands for the texts: no text can be read back from it, though one can
ask it whether a word probably occurred. Ten thousand different words and pairs fill a quarter of it, so that a quarter of what is
new looks known: novelty is compared with the novelty that texts of the period itself had when they were left out, not with 0.
"""

import base64
import binascii
from collections.abc import Iterable

from undertow.policies.features import BUCKETS, word_features

_BYTES = BUCKETS // 8


def pack_seen(texts: Iterable[str]) -> str:
    """The bit map of the words and pairs of some texts, as an artefact holds it.

    Examples:
        >>> novelty_of("where is my card", unpack_seen(pack_seen(["Where is my card?"])))
        0.0
    """
    seen = bytearray(_BYTES)
    for text in texts:
        for bucket in word_features(text):
            seen[bucket >> 3] |= 1 << (bucket & 7)
    return base64.b64encode(seen).decode("ascii")


def unpack_seen(packed: str) -> bytes:
    """The bit map.

    Raises:
        ValueError: It is none of this size.
    """
    try:
        seen = base64.b64decode(packed, validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    if len(seen) != _BYTES:
        raise ValueError(f"{len(seen):,} bytes where {_BYTES:,} were expected")
    return seen


def novelty_of(text: str, seen: bytes) -> float | None:
    """Share of a text's words and pairs that the bit map does not have.

    Args:
        text: Text of the request.
        seen: As `unpack_seen` gives it.

    Returns:
        A share in [0, 1]; None for a text without words.

    Examples:
        >>> novelty_of("chargeback dispute", unpack_seen(pack_seen(["Where is my card?"])))
        1.0
    """
    found = word_features(text)
    if not found:
        return None
    return sum(not seen[bucket >> 3] >> (bucket & 7) & 1 for bucket in found) / len(found)
