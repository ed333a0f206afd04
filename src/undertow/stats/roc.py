"""How well a number tells two sorts apart: the area under the ROC curve, weighted, with its interval."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class RocArea:
    """Probability that one of the first sort has the higher number, ties counting half, and the interval of it."""

    value: float
    low: float
    high: float


def roc_area(
    score: FloatArray, positive: BoolArray, weight: FloatArray, fold: IntArray | None = None, level: float = 0.95
) -> RocArea:
    """Weighted area under the ROC curve, with the areas that Hanley and McNeil's standard error does not rule out.

    Only examples of one fold are compared with each other: they were scored by one model. Compared across folds, a fold with
    more of one sort has a model that saw fewer of them, and without any signal the area would fall below one half.
    The numbers in the interval are Kish's effective ones: unequal weights tell less.

    Args:
        score: Finite numbers. Shape (n,).
        positive: The first sort. Shape (n,).
        weight: Not negative. Shape (n,).
        fold: Number of the fold; None: all in one. Shape (n,).
        level: Of the interval.

    References:
        Hanley and McNeil (1982), Radiology 143, equation 1.

    Examples:
        >>> roc_area(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]), np.ones(4)).value
        0.875
    """
    concordant = pairs = 0.0
    folds = np.zeros(len(score), dtype=np.int64) if fold is None else fold
    for number in np.unique(folds):
        inside = folds == number
        ordered, total = _concordance(score[inside], positive[inside], weight[inside])
        concordant, pairs = concordant + ordered, pairs + total
    value = concordant / pairs if pairs > 0 else 0.5
    m, n = effective_number(weight[positive]), effective_number(weight[~positive])
    z = float(ndtri(0.5 + level / 2))
    low = _crossing(lambda area: area + z * _hanley_mcneil(area, m, n) - value, 0.0, value)
    high = _crossing(lambda area: area - z * _hanley_mcneil(area, m, n) - value, value, 1.0)
    return RocArea(value, low, high)


def effective_number(weight: FloatArray) -> float:
    """Kish's effective number of examples: how many of equal weight would tell as much. 0 where there are none.

    Examples:
        >>> effective_number(np.array([1.0, 1.0, 2.0])).__round__(3)
        2.667
    """
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def _hanley_mcneil(area: float, m: float, n: float) -> float:
    """Standard error of an area over m of the one and n of the other sort."""
    q1, q2 = area / (2.0 - area), 2.0 * area * area / (1.0 + area)
    variance = (area * (1 - area) + (m - 1) * (q1 - area * area) + (n - 1) * (q2 - area * area)) / max(m * n, 1e-300)
    return math.sqrt(max(variance, 0.0))


def _crossing(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises from low to high crosses 0; an end where it does not."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _concordance(score: FloatArray, positive: BoolArray, weight: FloatArray) -> tuple[float, float]:
    """Mass of the pairs in which the positive one has the higher score (ties count half), and of all pairs."""
    _, group = np.unique(score, return_inverse=True)
    negative_mass = np.bincount(group, weights=np.where(positive, 0.0, weight))
    positive_mass = np.bincount(group, weights=np.where(positive, weight, 0.0))
    below = np.cumsum(negative_mass) - negative_mass
    return float((positive_mass * (below + negative_mass / 2)).sum()), float(positive_mass.sum() * negative_mass.sum())
