"""What the text classifier sees of a message: hashed words, pairs of words and runs of three characters.

One function for training and serving, so that the two cannot drift apart. A message of 40 words takes about 50 us; hashing
is CRC-32, which is the same on every machine and in every version, unlike Python's own hash.
"""

import re
import zlib

VERSION = "words12-chars3-crc32/1"
"""Written into artefacts; a change of anything below needs a new version, or old artefacts would mean something else."""

BUCKETS = 2**15
MAX_CHARS = 2_000
"""Longer messages are cut here: it bounds the time, and what a request is about stands at its beginning."""

_WORD = re.compile(r"\w+")
_MASK = BUCKETS - 1
_RUN_BYTES = 6
_crc32 = zlib.crc32


def text_features(text: str) -> set[int]:
    """Buckets that a message falls into, each once; the classifier weighs each by 1 / sqrt(how many there are).

    Runs of characters are taken from UTF-16, so that languages without spaces have them too.

    Args:
        text: The message; anything beyond `MAX_CHARS` characters is not looked at.

    Returns:
        Numbers in [0, BUCKETS).

    Examples:
        >>> text_features("Where is my card?") == text_features("where is my CARD?")
        True
        >>> sorted(text_features("ok"))
        [18572, 23879, 29100]
    """
    shown = text[:MAX_CHARS].lower()
    found = _of_words(shown)
    padded = f" {shown} ".encode("utf-16-le", "surrogatepass")
    found.update(
        [_crc32(padded[at : at + _RUN_BYTES]) & _MASK for at in range(0, len(padded) - _RUN_BYTES + 1, 2)],
    )
    return found


def word_features(text: str) -> set[int]:
    """Those of the words and pairs of words alone: what novelty is measured by, since runs of characters are hardly ever new.

    Args:
        text: The message, cut like that of `text_features`.

    Returns:
        Numbers in [0, BUCKETS).

    Examples:
        >>> sorted(word_features("Is it?")), word_features("?!")
        ([21591, 25239, 30516], set())
    """
    return _of_words(text[:MAX_CHARS].lower())


def _of_words(shown: str) -> set[int]:
    found: set[int] = set()
    before = 0
    for word in _WORD.findall(shown):
        spelt = word.encode("utf-8", "surrogatepass")
        one = _crc32(spelt)
        found.add(one & _MASK)
        if before:
            found.add(_crc32(spelt, before) & _MASK)
        before = one
    return found
