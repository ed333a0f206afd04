"""How alike two messages are, told from keyed hashes of their words: the text itself is not needed again.

A message of usual length keeps the hashes of its words, in order; the pairs of words are made from them only when it is
compared, and most comparisons need none. Of a longer one the `SKETCH_SIZE` smallest hashes of words and pairs are kept: two
sets that fit are compared exactly, of larger ones the Jaccard similarity is estimated from the smallest hashes of their union
(standard error at most .045).

References:
    Broder (1997), On the resemblance and containment of documents; the bottom-k sketch.
"""

import sys
from array import array
from hashlib import blake2b
from itertools import pairwise

import msgspec

from undertow.behaviour.normalising import telling, words

SKETCH_SIZE = 128
MIN_WORDS = 2
"""With fewer telling words ("yes", "thanks", "and then?") a message asks nothing that could be asked again."""

_MOST_WORDS = (SKETCH_SIZE + 1) // 2
"""So many words have no more than `SKETCH_SIZE` words and pairs."""


class Sketch(msgspec.Struct, frozen=True, gc=False):
    """A message, as far as comparing it needs.

    Attributes:
        hashes: 8 bytes each. Of words in their order; where `is_short` is false the smallest ones of words and pairs.
        is_whole: Nothing was left out.
        is_short: The pairs can be made from `hashes`.
        numbers: Hash over the words with digits (order numbers, dates), or 0 where there is none.
    """

    hashes: bytes
    is_whole: bool
    is_short: bool
    numbers: int


def sketch(text: str, key: bytes) -> Sketch | None:
    """The sketch of a message, or None where it says too little to be compared.

    Args:
        text: The message.
        key: Secret; sketches of different keys, or of different processes, cannot be compared.

    Examples:
        >>> sketch("ok thanks!", b"key") is None
        True
    """
    return sketch_of_words(words(text), key)


def sketch_of_words(found: list[str], key: bytes) -> Sketch | None:
    """`sketch` of a text whose words (`undertow.behaviour.normalising.words`) are known already."""
    says = telling(found)
    if len(says) < MIN_WORDS:
        return None
    # Python's own hash of strings is keyed too, with a secret of the process (PEP 456), and a tenth of blake2b's price.
    secret = key.decode("latin-1")
    hashes = [*map(hash, map(secret.__add__, says))]
    numbers = 0
    if not "".join(says).isalpha():
        digits = sorted({word for word in says if any(letter.isdigit() for letter in word)})
        numbers = hash(secret + " ".join(digits)) if digits else 0
    if len(hashes) <= _MOST_WORDS:
        return Sketch(array("q", hashes).tobytes(), True, True, numbers)
    shingles = sorted(_shingles(hashes))
    return Sketch(
        array("q", shingles[:SKETCH_SIZE]).tobytes(),
        is_whole=len(shingles) <= SKETCH_SIZE,
        is_short=False,
        numbers=numbers,
    )


def asks_the_same(first: Sketch | None, second: Sketch | None, least: float) -> bool:
    """Whether two messages ask the same thing: similarity at least `least`, and no different numbers in them.

    Examples:
        >>> one, two = sketch("How do I cancel my order?", b"k"), sketch("how can I cancel my order please", b"k")
        >>> asks_the_same(one, two, 0.8), asks_the_same(one, None, 0.8)
        (True, False)
    """
    if first is None or second is None:
        return False
    if first.numbers and second.numbers and first.numbers != second.numbers:
        return False
    if first.hashes == second.hashes and first.is_short == second.is_short:
        return least <= 1.0
    if first.is_short and second.is_short and most_jaccard(first, second) < least - 1e-9:
        return False
    return jaccard(first, second) >= least


def most_jaccard(first: Sketch, second: Sketch) -> float:
    """What `jaccard` of two short sketches cannot exceed, from their words alone.

    Each word that only one message has is in a pair of its own or shares it with one more such word; so d of them are missing
    from the other message together with at least d / 2 pairs.
    """
    one, other = _numbers(first.hashes), _numbers(second.hashes)
    words_of_one, words_of_other = {*one}, {*other}
    shared = len(words_of_one & words_of_other)
    missing, lacking = 1.5 * (len(words_of_one) - shared), 1.5 * (len(words_of_other) - shared)
    both = min(2 * len(one) - 1 - missing, 2 * len(other) - 1 - lacking)
    return both / (both + missing + lacking)


def jaccard(first: Sketch, second: Sketch) -> float:
    """Share of the words and pairs of words in either message that are in both, in [0, 1]."""
    one, other = _set(first), _set(second)
    if first.is_whole and second.is_whole:
        return len(one & other) / len(one | other)
    union = {*sorted(one | other)[:SKETCH_SIZE]}
    return len(union & one & other) / len(union)


def keyed_hash(text: str, key: bytes) -> int:
    """64 bits of keyed blake2b, the same on every machine."""
    return int.from_bytes(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), sys.byteorder
    )


def _set(message: Sketch) -> set[int]:
    return _shingles(_numbers(message.hashes)) if message.is_short else {*_numbers(message.hashes)}


def _shingles(hashes: list[int]) -> set[int]:
    return {*hashes, *map(hash, pairwise(hashes))}


def _numbers(hashes: bytes) -> list[int]:
    return memoryview(hashes).cast("q").tolist()
