"""Events per decision, with errors clustered by user: one user's requests share their luck.

An arm in which nothing has happened yet has no spread of its own, and one with two events hardly any: taken at its word, the variance of a
difference would be that of the larger arm alone. So the variance of a difference counts `FEW` events more in either arm, each as large
as events are (`variance_of_few`). Where events are many that adds nothing that one sees; where there is none, the interval reaches as far as a
rate could lie that shows none.
"""

from dataclasses import dataclass

import numpy as np

from undertow.records.cells import FloatArray, IntArray
from undertow.stats.confidence import gaussian_mixture_radius

FEW = 4.0
"""Events by which either arm's variance is counted as larger."""

EVENTS_OPT = 200.0
"""Events of the arm with fewer at which the confidence sequence is narrowest; fixed in advance."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over clusters.

    Attributes:
        value: Events per decision.
        influence: Linearised influence of each cluster, shape (clusters,); the sum of squares estimates the variance.
        clusters: How many have decisions.
        size: Decisions.
        events: How many events, whatever each counts.
    """

    value: float
    influence: FloatArray
    clusters: int
    size: float
    events: float


def per_cluster(cluster: IntArray, amount: IntArray | FloatArray, clusters: int) -> FloatArray:
    """Sums per user cluster, shape (clusters,).

    Args:
        cluster: In 0 .. clusters - 1.
        amount: Of each row.
        clusters: How many clusters there are.

    Examples:
        >>> per_cluster(np.array([0, 2, 2]), np.array([1, 2, 3]), 3).tolist()
        [1.0, 0.0, 5.0]
    """
    return np.bincount(cluster, weights=amount.astype(np.float64), minlength=clusters).astype(np.float64)


def ratio_of(amount: FloatArray, decisions: FloatArray, events: float | None = None) -> Ratio | None:
    """Ratio of sums, with its linearised influence, clusters as the units (Cochran 1977, section 6.3).

    Args:
        amount: Events, or what they count, per cluster.
        decisions: Per cluster.
        events: How many events there are, where they do not count one each.

    Returns:
        The ratio, or None: fewer than two clusters have decisions.

    Examples:
        >>> ratio_of(np.array([1.0, 2.0]), np.array([10.0, 20.0])).value
        0.1
    """
    size = decisions.sum()
    used = int((decisions > 0).sum())
    if size <= 0 or used < 2:
        return None
    value = float(amount.sum() / size)
    influence = (amount - value * decisions) / size * np.sqrt(used / (used - 1))
    return Ratio(value, influence, used, float(size), float(amount.sum() if events is None else events))


def variance_of_few(one: Ratio, other: Ratio) -> float | None:
    """What few events do not show of the variance of a difference of two ratios, or None: there is no event in either.

    `FEW` events in each, as large as what the variance of all events comes to for each (1 where they are single and independent, more where they
    come in clusters or count more), and no smaller than the mean event.

    Examples:
        No event in a hundred decisions of one arm, a hundred in ten thousand of the other:

        >>> none = ratio_of(np.zeros(50), np.full(50, 2.0))
        >>> many = ratio_of(np.full(50, 2.0), np.full(50, 200.0))
        >>> round(variance_of_few(none, many), 6)
        0.0004
    """
    events = one.events + other.events
    amount = abs(one.value) * one.size + abs(other.value) * other.size
    if events <= 0.0 or amount <= 0.0:
        return None
    spread = sum(float((each.influence**2).sum()) * each.size**2 for each in (one, other))
    return FEW * max(spread / amount, amount / events) ** 2 * (1.0 / one.size**2 + 1.0 / other.size**2)


def radius(events: float, level: float) -> float:
    """Half-width of an anytime-valid interval in standard deviations.

    Its clock is the number of events of the arm with fewer: variance grows with it, as it does not with the number of clusters, which is soon as large
    as it gets.

    Args:
        events: Of the arm with fewer.
        level: Confidence level, in (0, 1).

    Examples:
        >>> [round(radius(events, 0.95), 2) for events in (0, 200, 20_000)]
        [5.92, 3.07, 3.57]
    """
    return float(gaussian_mixture_radius(events + FEW, level, EVENTS_OPT))
