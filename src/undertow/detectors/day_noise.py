"""Labels of one day that move together: how far the past shows it, and what a day's counts are then worth.

A strict reviewer or a wave of one kind of question moves all labels of a day. Change detectors that take them as independent
raise false alarms: with an intra-day correlation of .01 one healthy half-year in six, with .02 two in three
(benchmarks/healthy_audits.py). So a day's counts are divided by the design effect `1 + (n - 1) rho` before they are weighed,
rho being what the days before have shown.

What this is and is not. Where labels are independent every guarantee stays as it was, whatever rho is taken: dividing a day's
counts by d >= 1 raises its bet to the power 1 / d, and a concave function of an e-value of mean 1 has mean at most 1; rho comes
from earlier days only. Where they are not, the power is no exact e-value (that would need `stats.day_effects` and a known
rate); how often it alarms is measured, not proven.

rho is a lower confidence bound, so that a log without day effects pays almost nothing: what is corrected is what is there.
Rates are compared within weeks, so that a slow change is not taken for noise.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

FloatArray = npt.NDArray[np.float64]

WINDOW_DAYS = 7
"""Days compared with their own mean."""

CERTAINTY = 0.8
"""One-sided level of the lower bound. At .8 the story's delay grows by half a day and 1 % of healthy half-years with a
correlation of .01 alarm; the point estimate costs another half day."""

SECONDS_PER_DAY = 86_400


def correlation_known(failures: FloatArray, n: FloatArray, bucket_s: int) -> FloatArray:
    """Lower bound of the intra-day correlation, by the labels of whole weeks before each bucket.

    Pearson's X^2 of each week's days about the week's rate, summed over weeks and tiers: about chi-square times
    `1 + (n0 - 1) rho`, n0 the mean number of labels a day. A tier gets the larger of the bound from its own labels and that from
    all tiers together, since reviewers are shared but waves of questions need not be.

    Args:
        failures: Sum of failures per bucket and tier. Shape (T, tiers).
        n: Labels, alike. Shape (T, tiers).
        bucket_s: Seconds in a bucket.

    Returns:
        rho in [0, 0.5] for each bucket and tier; depends on earlier buckets only. Shape (T, tiers).

    References:
        McCullagh and Nelder (1989), Generalized Linear Models, section 4.5.

    Examples:
        Days of 100 labels that alternate between 2 and 18 failures, by turns:

        >>> k = np.tile([[2.0], [18.0]], (28, 1)); n = np.full((56, 1), 100.0)
        >>> rho = correlation_known(k, n, 86_400)[:, 0]
        >>> bool(rho[6] == 0.0), round(float(rho[-1]), 2)
        (True, 0.06)
    """
    per_day = max(1, SECONDS_PER_DAY // bucket_s)
    window = WINDOW_DAYS * per_day
    weeks = len(n) // window
    shape = (weeks, WINDOW_DAYS, per_day, n.shape[1])
    k, many = (x[: weeks * window].reshape(shape).sum(2) for x in (failures, n))
    used = many >= 2.0
    k, many = np.where(used, k, 0.0), np.where(used, many, 0.0)
    days, total = used.sum(1), many.sum(1)
    rate = (k.sum(1) / np.maximum(total, 1.0))[:, None]
    informative = (days >= 2) & (rate[:, 0] > 0.0) & (rate[:, 0] < 1.0)
    variance = many * rate * (1.0 - rate)
    squares = np.divide((k - many * rate) ** 2, variance, out=np.zeros_like(k), where=variance > 0.0).sum(1)
    pearson = np.cumsum(np.where(informative, squares, 0.0), axis=0)
    freedom = np.cumsum(np.where(informative, days - 1.0, 0.0), axis=0)
    size = np.where(informative, total / np.maximum(days, 1) - 1.0, 0.0)
    sizes = np.cumsum(np.where(informative, (days - 1.0) * size, 0.0), axis=0)
    own = _bound(pearson, freedom, sizes)
    pooled = _bound(*(x.sum(1, keepdims=True) for x in (pearson, freedom, sizes)))
    bounds = np.concatenate([np.zeros((1, n.shape[1])), np.maximum(own, pooled)])
    return bounds[np.arange(len(n)) // window]


def _bound(pearson: FloatArray, freedom: FloatArray, sizes: FloatArray) -> FloatArray:
    """Lower bound of rho from X^2, its degrees of freedom, and the sum of (n0 - 1) over them."""
    expected = chdtri(np.maximum(freedom, 1.0), 1.0 - CERTAINTY)  # chdtri takes the upper tail
    effect = np.where(freedom > 0.0, pearson / expected, 1.0)
    rho = np.divide((effect - 1.0) * freedom, sizes, out=np.zeros_like(effect), where=sizes > 0.0)
    return np.clip(rho, 0.0, 0.5)


def design_effect(n: FloatArray, correlation: FloatArray, bucket_s: int) -> FloatArray:
    """What each bucket's counts are divided by: `1 + (n - 1) rho`, n the labels of its day.

    Args:
        n: Labels per bucket, strata together. Shape (T,).
        correlation: rho per bucket. Shape (T,).
        bucket_s: Seconds in a bucket. Of a day in several buckets neither its first nor its last knows the whole: n is the
            larger of the labels so far and those of a mean day before.

    Returns:
        At least 1. Shape (T,).

    Examples:
        >>> design_effect(np.array([101.0, 0.0]), np.array([0.01, 0.01]), 86_400).tolist()
        [2.0, 1.0]
    """
    per_day = max(1, SECONDS_PER_DAY // bucket_s)
    size = n
    if per_day > 1:
        day = np.arange(len(n)) // per_day
        daily = np.bincount(day, weights=n)
        before = np.concatenate([[0.0], np.cumsum(daily)[:-1] / np.arange(1, len(daily))])
        so_far = np.cumsum(n) - np.concatenate([[0.0], np.cumsum(daily)[:-1]])[day]
        size = np.maximum(so_far, before[day])
    return 1.0 + np.maximum(size - 1.0, 0.0) * correlation
