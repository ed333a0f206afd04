"""How alike two messages are, told from keyed hashes of their words and pairs of words: the text itself is not needed again.

A sketch holds the `SKETCH_SIZE` smallest hashes of the set. Two sets that fit are compared exactly; of larger ones the
Jaccard similarity is estimated from the smallest hashes of their union (standard error at most .045).

References:
    Broder (1997), On the resemblance and containment of documents; the bottom-k sketch.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from undertow.behaviour.normalising import telling_words

SKETCH_SIZE = 128
MIN_WORDS = 2
"""With fewer telling words ("yes", "thanks", "and then?") a message asks nothing that could be asked again."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A message, as far as comparing it needs.

    Attributes:
        hashes: The smallest hashes, ascending, 8 bytes each.
        is_whole: All hashes are in it.
        numbers: Hash over the words with digits (order numbers, dates), or 0 where there is none.
    """

    hashes: bytes
    is_whole: bool
    numbers: int


def sketch(text: str, key: bytes) -> Sketch | None:
    """The sketch of a message, or None where it says too little to be compared.

    Args:
        text: The message.
        key: Secret of at most 64 bytes; sketches of different keys cannot be compared.

    Examples:
        >>> sketch("ok thanks!", b"key") is None
        True
    """
    found = telling_words(text)
    if len(found) < MIN_WORDS:
        return None
    shingles = {*found, *(f"{first} {second}" for first, second in pairwise(found))}
    hashes = sorted(keyed_hash(shingle, key) for shingle in shingles)
    digits = sorted({word for word in found if any(letter.isdigit() for letter in word)})
    kept = array("Q", hashes[:SKETCH_SIZE])
    return Sketch(kept.tobytes(), len(hashes) <= SKETCH_SIZE, keyed_hash(" ".join(digits), key) if digits else 0)


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
    return jaccard(first, second) >= least


def jaccard(first: Sketch, second: Sketch) -> float:
    """Share of the words and pairs of words in either message that are in both, in [0, 1]."""
    one, other = _numbers(first.hashes), _numbers(second.hashes)
    union = sorted({*one, *other})
    if not (first.is_whole and second.is_whole):
        union = union[:SKETCH_SIZE]
    return len({*union} & {*one} & {*other}) / len(union)


def keyed_hash(text: str, key: bytes) -> int:
    """64 bits of keyed blake2b, the same on every machine."""
    return int.from_bytes(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), sys.byteorder
    )


def _numbers(hashes: bytes) -> Sequence[int]:
    found = array("Q")
    found.frombytes(hashes)
    return found
