"""A loss compared day by day: what happened to all tiers alike on one day is no loss of the cheap one.

Evidence of a level is gathered over blocks of days where labels are few. On days on which every tier's labels fail alike (a grader that
broke, a strict reviewer, an outage behind every tier), a block in which such days bear more of one side's labels than of the other's shows a
difference that no day shows. Comparing within days, and adding the days up, takes that out.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from undertow.attribution.cause import MeanWithError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FEWEST_DAYS = 10
FEWEST_REFERENCE = 3.0
"""Labels of the reference on the days in question."""

USUAL_DAYS = 0.8
"""Share of the days, those with the lowest rates, that tell what is usual."""

SHOCK, CHANCE = 1.5, 1e-6


def matched_loss(
    own_rate: FloatArray, own_n: FloatArray, reference_rate: FloatArray, reference_n: FloatArray
) -> MeanWithError | None:
    """Failure rate of a tier minus that of its reference, compared within each bucket and then averaged.

    Buckets are weighted `n m / (n + m)`, as Mantel and Haenszel (1959) weigh strata; one with labels of one side only says nothing.

    Args:
        own_rate: Failure rate of the tier per bucket. Shape (T,).
        own_n: Labels of equal weight that it is worth. Shape (T,).
        reference_rate: Failure rate of the reference per bucket. Shape (T,).
        reference_n: Labels that it is worth. Shape (T,).

    Returns:
        Mean with its variance; None where no bucket has labels of both.

    Examples:
        One day on which everything failed, with most of the reference's labels on the other days:

        >>> own, many = np.array([0.05, 1.0]), np.array([40.0, 40.0])
        >>> found = matched_loss(own, many, np.array([0.05, 1.0]), np.array([30.0, 3.0]))
        >>> round(found.mean, 3)
        0.0
    """
    both = (own_n > 0) & (reference_n > 0)
    if not both.any():
        return None
    n, m = own_n[both], reference_n[both]
    difference = own_rate[both] - reference_rate[both]
    # One more failure and one more success: a day on which all labels agree is not certain of it.
    pooled = (own_rate[both] * n + reference_rate[both] * m + 1.0) / (n + m + 2.0)
    weight = n * m / (n + m)
    variance = weight**2 * pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)
    total = float(weight.sum())
    return MeanWithError(
        float((weight * difference).sum()) / total, float(variance.sum()) / total**2, float((n + m).sum())
    )


def shared_shock_days(
    own_rate: FloatArray, own_n: FloatArray, reference_rate: FloatArray, reference_n: FloatArray
) -> BoolArray:
    """Days on which the tier's labels failed as they never do by chance, where the reference's failed on the same days, too.

    A day is one of these where a failure rate of half as much again as that of the other days explains its labels with a probability
    below one in a million.

    Args:
        own_rate: Failure rate of the tier per day. Shape (T,).
        own_n: Labels of equal weight that it is worth. Shape (T,).
        reference_rate: Failure rate of the reference per day. Shape (T,).
        reference_n: Labels that it is worth. Shape (T,).

    Returns:
        Which days. Shape (T,).

    Examples:
        >>> rate = np.full(30, 0.05)
        >>> rate[12] = 0.9
        >>> np.flatnonzero(shared_shock_days(rate, np.full(30, 40.0), rate, np.full(30, 6.0))).tolist()
        [12]
        >>> bool(shared_shock_days(rate, np.full(30, 40.0), np.full(30, 0.05), np.full(30, 6.0)).any())
        False
    """
    none = np.zeros(len(own_n), dtype=bool)
    seen = own_n > 0
    if seen.sum() < FEWEST_DAYS:
        return none
    rate, n = own_rate[seen], own_n[seen]
    low = np.argsort(rate, kind="stable")[: int(len(rate) * USUAL_DAYS)]
    usual = min(SHOCK * (float((rate * n)[low].sum()) + 1.0) / (float(n[low].sum()) + 2.0), 0.99)
    failures = rate * n
    shocked = none.copy()
    shocked[seen] = (failures > 0) & (betainc(np.maximum(failures, 1e-9), n - failures + 1.0, usual) < CHANCE)
    there = float(reference_n[shocked].sum())
    if there < FEWEST_REFERENCE:
        return none
    own = float((own_rate * own_n)[shocked].sum() / own_n[shocked].sum())
    is_shared = float((reference_rate * reference_n)[shocked].sum()) / there >= 0.5 * own
    return shocked if is_shared else none


def rise_without(rate: FloatArray, n: FloatArray, split: int, left_out: BoolArray) -> MeanWithError | None:
    """Rise of a failure rate from before a day to since then, some days left out; None where nothing is left on a side.

    Examples:
        >>> rate = np.array([0.05] * 10 + [1.0] + [0.05] * 9)
        >>> found = rise_without(rate, np.full(20, 30.0), 10, rate == 1.0)
        >>> round(found.mean, 3)
        0.0
    """
    kept = np.where(left_out, 0.0, n)
    sides = [
        (float((rate * kept)[part].sum()), float(kept[part].sum())) for part in (slice(None, split), slice(split, None))
    ]
    if min(total for _, total in sides) <= 0:
        return None
    means = [failed / total for failed, total in sides]
    smoothed = [(failed + 1.0) / (total + 2.0) for failed, total in sides]
    variance = sum(p * (1.0 - p) / total for p, (_, total) in zip(smoothed, sides, strict=True))
    return MeanWithError(means[1] - means[0], variance, sum(total for _, total in sides))


def is_beyond(loss: MeanWithError, margin: float, errors: float) -> bool:
    """Whether a loss stands out from the margin by so many standard errors.

    Examples:
        >>> is_beyond(MeanWithError(0.05, 1e-4, 900), 0.02, 2.0), is_beyond(MeanWithError(0.03, 1e-4, 900), 0.02, 2.0)
        (True, False)
    """
    return loss.mean - margin >= errors * math.sqrt(loss.variance)


def effective_rates(
    weight: Sequence[float] | FloatArray, weight_sq: FloatArray, weighted_failures: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Failure rate per bucket from inclusion-weighted sums, and how many labels of equal weight it is worth (Kish 1965).

    Examples:
        >>> rate, n = effective_rates(np.array([20.0, 0.0]), np.array([40.0, 0.0]), np.array([5.0, 0.0]))
        >>> rate.tolist(), n.tolist()
        ([0.25, 0.0], [10.0, 0.0])
    """
    w = np.asarray(weight, dtype=np.float64)
    has = w > 0
    return (
        np.where(has, weighted_failures / np.where(has, w, 1.0), 0.0),
        np.where(has, w**2 / np.where(has, weight_sq, 1.0), 0.0),
    )
