"""A text as numbers: hashed words and runs of letters, from which topics are found and by which texts are compared.

The sketch says nothing of order and repetition. No text can be read back from it, but who knows a text, or a likely word, can
test whether a sketch may be of it: it is pseudonymous, not anonymous (docs/concepts/slices.md). Sketches that are kept are hidden with a
key first (`undertow.slices.keyed`). Made in the serving path too, so nothing heavy is imported here.
"""

import re
import zlib

WORD_BUCKETS = 2**15
"""Words fall into buckets 0 to WORD_BUCKETS - 1, runs of letters into as many after them."""

BUCKETS = 2 * WORD_BUCKETS

MAX_CHARS = 2_000
"""Of a longer text the end is looked at: in a conversation the last message says what is asked."""

_WORD = re.compile(r"\w+(?:'\w+)?")
_RUN, _DENSE_RUN = 4, 2
_DENSE_FROM = "\u2e80"
"""From here on scripts write many words without spaces and few letters a word."""
_MASK = WORD_BUCKETS - 1

Sketch = tuple[int, ...]
"""Buckets of a text, each once, in rising order."""


def words(text: str) -> list[str]:
    """Words of a text in order, in lower case.

    Examples:
        >>> words("I don't see my REFUND; 12 days!")
        ['i', "don't", 'see', 'my', 'refund', '12', 'days']
    """
    return _WORD.findall(text[-MAX_CHARS:].lower().replace("\u2019", "'"))


def word_bucket(word: str) -> int:
    """The bucket of a word in lower case.

    Examples:
        >>> word_bucket("refund") in sketch("Where is my refund?")
        True
    """
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) & _MASK


def sketch(text: str) -> Sketch:
    """Hashed words but numbers, and runs of four letters within words, so that forms of one word are alike (two where a script is dense).

    Args:
        text: Any text; of one longer than `MAX_CHARS` characters the end.

    Examples:
        >>> sketch("My card!") == sketch("card my"), len(sketch("card"))
        (True, 4)
    """
    found: set[int] = set()
    for word in set(words(text)):
        if word.isnumeric():  # amounts, dates and ids are not what a text is about
            continue
        found.add(word_bucket(word))
        run = _DENSE_RUN if max(word) >= _DENSE_FROM else _RUN
        padded = f" {word} "
        for at in range(max(1, len(padded) - run + 1)):
            found.add(WORD_BUCKETS + word_bucket(padded[at : at + run]))
    return tuple(sorted(found))
