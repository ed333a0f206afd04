"""The distribution that a calibration was fitted on, as far as an audit compares a log with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class TrainedScores:
    """Scores of the period that a calibration artefact was fitted on.

    Attributes:
        edges: Ten equal shares: 11 scores from the lowest to the highest.
        labels: How many scores they are of.
        tier: Tier whose answers they judge.
        name: What the artefact is called, for people.
    """

    edges: tuple[float, ...]
    labels: float
    tier: str
    name: str = "the calibration"


def expected_shares(edges: Sequence[float]) -> tuple[float, ...]:
    """Part of the training period that falls into each bin `score >= inner edge` counts.

    A score that many answers share makes edges equal: all that lies below them goes to the lowest bin among them, and none to the others.

    Args:
        edges: As in `TrainedScores`.

    Examples:
        >>> expected_shares([0.0, 1.0, 2.0, 3.0, 4.0])
        (0.25, 0.25, 0.25, 0.25)
        >>> expected_shares([0.0, 1.0, 1.0, 3.0, 4.0])
        (0.25, 0.0, 0.5, 0.25)
    """
    inner = list(edges[1:-1])
    size = len(inner) + 1
    reached = [0.0, *((inner.index(edge) + 1) / size for edge in inner), 1.0]
    return tuple(after - before for before, after in pairwise(reached))
