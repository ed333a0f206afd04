"""Events per decision, with errors clustered by user: one user's requests share their luck."""

from dataclasses import dataclass

import numpy as np

from undertow.records.cells import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over clusters.

    Attributes:
        value: Events per decision.
        influence: Linearised influence of each cluster, shape (clusters,); the sum of squares estimates the variance.
        clusters: How many have decisions.
    """

    value: float
    influence: FloatArray
    clusters: int


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


def ratio_of(events: FloatArray, decisions: FloatArray) -> Ratio | None:
    """Ratio of sums, with its linearised influence, clusters as the units (Cochran 1977, section 6.3).

    Args:
        events: Per cluster.
        decisions: Per cluster.

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
    value = float(events.sum() / size)
    influence = (events - value * decisions) / size * np.sqrt(used / (used - 1))
    return Ratio(value, influence, used)
