"""Agreement of raters: Krippendorff's alpha with an interval by units.

    alpha = 1 - D_o / D_e

D_o is the mean squared difference of two votes on one unit, D_e that of any two votes whatever their units. 1 is perfect agreement, 0 is
what chance gives, below 0 is systematic disagreement. Any number of raters, each may have judged any of the units.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Metric = Literal["nominal", "interval"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha with its interval.

    Attributes:
        alpha: In (-1, 1].
        low, high: Interval at the level asked for.
        units: Units with at least two votes; only these count.
        votes: Votes on them.
    """

    alpha: float
    low: float
    high: float
    units: int
    votes: int


def krippendorff_alpha(
    units: npt.ArrayLike, values: npt.ArrayLike, metric: Metric = "interval", level: float = 0.95
) -> Agreement | None:
    """Krippendorff's alpha of votes in long form.

    Args:
        units: What each vote is about, as whole numbers. Shape (n,).
        values: The votes; whole numbers or categories coded as numbers for `nominal`. Finite. Shape (n,).
        metric: `nominal`: votes are the same or not; `interval`: by the square of their difference.
        level: Level of the interval, in (0, 1).

    Returns:
        Alpha and its interval; None where it is not defined: no unit has two votes, or all votes are the same.

    Notes:
        The interval is alpha +- t s, s the jackknife error over units and t Student's quantile with (units - 1) degrees of freedom, on the
        scale log(1 - alpha), which keeps it below 1; the bootstrap that is customary is too narrow with few units. Where no two
        votes differ the jackknife has nothing to go by: then the low end is what a share of disagreeing units would give that is
        not excluded at this level, `1 - (1 - level)^(1 / units)`.

    References:
        Krippendorff (2011), Computing Krippendorff's alpha-reliability. Hayes and Krippendorff (2007), Communication Methods and
        Measures 1. Jackknife: Hughes (2022), arXiv 2210.13265.

    Examples:
        Two observers, ten units (Krippendorff 2011, example A):

        >>> meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
        >>> round(krippendorff_alpha([*range(10)] * 2, meg + owen, "nominal").alpha, 3)
        0.095
    """
    codes = np.asarray(units, dtype=np.int64)
    said = np.asarray(values, dtype=np.float64)
    _, unit, count = np.unique(codes, return_inverse=True, return_counts=True)
    keep = count[unit] >= 2
    if not keep.any():
        return None
    _, unit, count = np.unique(codes[keep], return_inverse=True, return_counts=True)
    observed, sums = _pair_sums(unit, said[keep], len(count), metric)
    many = len(count)
    n = float(count.sum())
    within = observed / (count - 1.0)
    expected = _expected(sums.sum(axis=0), metric, n)
    if expected <= 0.0:
        return None
    disagreement = float(within.sum()) / n
    ratio = disagreement / (expected / (n * (n - 1.0)))
    alpha = 1.0 - ratio
    if many == 1:
        return Agreement(alpha, -1.0, 1.0, many, int(n))
    if disagreement <= 0.0:
        share = 1.0 - (1.0 - level) ** (1.0 / many)
        spread = float(np.ptp(said[keep])) ** 2 if metric == "interval" else 1.0
        low = 1.0 - share * spread / (expected / (n * (n - 1.0)))
        return Agreement(1.0, max(low, -1.0), 1.0, many, int(n))
    half = float(stdtrit(many - 1, 0.5 * (1.0 + level))) * _jackknife_error(within, sums, count, metric)
    low, high = 1.0 - ratio * np.exp(half), 1.0 - ratio * np.exp(-half)
    return Agreement(alpha, max(float(low), -1.0), float(high), many, int(n))


def _pair_sums(unit: IntArray, said: FloatArray, many: int, metric: Metric) -> tuple[FloatArray, FloatArray]:
    """Per unit: the sum of squared differences over ordered pairs of its votes, and the sums that the expected ones are made of."""
    if metric == "interval":
        centred = said - said.mean()
        parts = [
            np.bincount(unit, part, minlength=many) for part in (np.ones_like(centred), centred, centred * centred)
        ]
        sums: FloatArray = np.stack(parts, axis=1).astype(np.float64)
        n, first, second = sums.T
        return np.maximum(2.0 * (n * second - first * first), 0.0), sums
    _, category = np.unique(said, return_inverse=True)
    counts = np.zeros((many, int(category.max()) + 1))
    np.add.at(counts, (unit, category), 1.0)
    n = counts.sum(axis=1)
    return n * n - (counts * counts).sum(axis=1), counts


def _expected(sums: FloatArray, metric: Metric, n: float) -> float:
    """Sum of squared differences over all ordered pairs of votes."""
    if metric == "interval":
        total = 2.0 * (n * sums[2] - sums[1] ** 2)
        return float(total) if total > 1e-12 * n * n else 0.0
    return float(n * n - np.sum(sums * sums))


def _jackknife_error(within: FloatArray, sums: FloatArray, count: IntArray, metric: Metric) -> float:
    """Standard error of log(1 - alpha) from leaving out one unit at a time; units without which it is not defined are left in."""
    rest_n = count.sum() - count.astype(np.float64)
    rest = sums.sum(axis=0) - sums
    if metric == "interval":
        expected = 2.0 * (rest[:, 0] * rest[:, 2] - rest[:, 1] ** 2)
    else:
        expected = rest_n * rest_n - (rest * rest).sum(axis=1)
    disagreement = within.sum() - within
    usable = (rest_n > 1.0) & (expected > 1e-12) & (disagreement > 1e-12)
    left_out = np.log(disagreement[usable] * (rest_n[usable] - 1.0) / expected[usable])
    many = len(count)
    if len(left_out) < many:  # one unit bears all the disagreement: nothing is known of how it varies
        return float("inf")
    return float(np.sqrt((many - 1.0) / many * np.sum((left_out - left_out.mean()) ** 2)))
