"""Sketches as they may be kept: their buckets renumbered in an order that only a key tells.

Who has no key cannot test whether a sketch holds a word, since words do not say their number. What stays visible: how many buckets
a sketch has, which sketches share buckets, and how frequent each bucket is; who knows how frequent words are in such texts can guess
the most frequent ones from that. So it is pseudonymous, not anonymous.
"""

import hmac

from undertow.slices.sketch import BUCKETS, Sketch

_PURPOSE = b"undertow.sketch/1:"
"""The key has other uses, too: no hash of those is one of these."""


class SketchKey:
    """Renumbers buckets, one to one. Made in about a tenth of a second.

    Args:
        key: Secret; the same for all sketches that are to be compared.

    Examples:
        >>> from undertow.slices.sketch import sketch
        >>> key, seen = SketchKey(b"secret"), sketch("Where is my refund?")
        >>> key.shown(key.hidden(seen)) == seen, key.hidden(seen) == seen
        (True, False)
    """

    def __init__(self, key: bytes) -> None:
        tags = [hmac.digest(key, _PURPOSE + bucket.to_bytes(4, "big"), "sha256") for bucket in range(BUCKETS)]
        self._shown = sorted(range(BUCKETS), key=tags.__getitem__)
        self._hidden = [0] * BUCKETS
        for number, bucket in enumerate(self._shown):
            self._hidden[bucket] = number

    def hidden(self, sketch: Sketch) -> Sketch:
        """A sketch as it is kept."""
        return tuple(sorted(self._hidden[bucket] for bucket in sketch))

    def shown(self, hidden: Sketch) -> Sketch | None:
        """The sketch that was kept; None: it holds numbers that no bucket has.

        Examples:
            >>> SketchKey(b"secret").shown((2**20,)) is None
            True
        """
        if any(not 0 <= number < BUCKETS for number in hidden):
            return None
        return tuple(sorted({self._shown[number] for number in hidden}))
