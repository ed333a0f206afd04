"""Whether scores still look like those that a calibration was fitted on: what finds an upstream that changed its scale.

The last 200 scores of this process are compared, every 50, with the ten equal shares of the artefact by the total variation distance, the
largest difference of probability that any set of shares shows. It bears .3:

- of an unchanged upstream, 200 independent scores are .084 apart on average, and the chance of .25 or more is at most 3.2e-10 (the union
  over all sets of shares of exact binomial tails), that of .3 at most 2.6e-15. What is left between .25 and .3 is for ordinary change: another
  mix of requests at another hour, bursts of like requests, equal scores that fall on an edge;
- what it is there to find is beyond: log-probabilities to another base (.32 on log-normal scores) or as probabilities, another temperature, a
  model that answers with certainty. Smaller drift is not its affair: it is seen by the monitors, and by the labels of online tuning.
"""

from bisect import bisect_right
from collections.abc import Sequence

RING = 200
EVERY = 50
SUSPECT_AT = 0.3


class ScaleWatch:
    """Keeps the last scores and compares them now and then.

    Args:
        edges: Eleven scores, from the lowest to the highest, that cut those of the training period into ten equal shares; empty: they were
            constant or are unknown, and nothing is ever suspect.

    Examples:
        >>> watch = ScaleWatch([n / 10 for n in range(11)])
        >>> for n in range(200):
        ...     watch.add(n / 200)
        >>> watch.is_suspect
        False
        >>> for n in range(200):
        ...     watch.add(5.0)
        >>> watch.is_suspect
        True
    """

    __slots__ = ("_at", "_cuts", "_expected", "_places", "_seen", "is_suspect")

    def __init__(self, edges: Sequence[float]) -> None:
        inner = list(edges[1:-1])
        # Equal edges are one cut: a score that many answers share is on its upper side, and so are the shares.
        self._cuts = sorted(set(inner))
        total = len(inner) + 1
        reached = [inner.index(cut) + 1 for cut in self._cuts]
        self._expected = [
            (after - before) / total for before, after in zip([0, *reached], [*reached, total], strict=True)
        ]
        self._places: list[int] = []
        self._at = 0
        self._seen = 0
        self.is_suspect = False

    def add(self, score: float) -> None:
        """Take a finite score into account."""
        if not self._cuts:
            return
        place = bisect_right(self._cuts, score)
        if len(self._places) < RING:
            self._places.append(place)
        else:
            self._places[self._at] = place
            self._at = (self._at + 1) % RING
        self._seen += 1
        if len(self._places) == RING and self._seen % EVERY == 0:
            self.is_suspect = self.distance() > SUSPECT_AT

    def distance(self) -> float:
        """Total variation distance of the kept scores from the training period's, in [0, 1]; 0 without scores."""
        kept = len(self._places)
        if not kept:
            return 0.0
        counts = [0] * len(self._expected)
        for place in self._places:
            counts[place] += 1
        return sum(abs(count / kept - share) for count, share in zip(counts, self._expected, strict=True)) / 2
