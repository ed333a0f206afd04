"""Prediction-powered inference: few human labels, many judge scores, and no faith in the judge.

A judge scores many answers (f), people label some of them (y). With tau fitted to the labels,

    X_i = tau f_i + (xi_i / pi_i) (y_i - tau f_i)

has the mean of y whatever the judge does: xi_i says whether item i was labelled and pi_i with which probability, so the second term
takes out in expectation what the judge put in. A good judge makes X vary less than y; a bad one gets tau = 0. Here are the estimate
with its interval, stratum by stratum, and bets on X, from which `detectors.anchored` makes an e-detector.

What it assumes: within a stratum the labelled items are drawn from the judged ones by chance (probabilities known, the judge's
score not looked at in between), and one judge scored both. A judge that drifts moves both alike and cancels.

References:
    Angelopoulos, Duchi, Zrnic (2023), PPI++: Efficient Prediction-Powered Inference, arXiv 2311.01453 (power tuning of tau).
    Fisch, Maynez, Hofer, Dhingra, Globerson, Cohen (2024), Stratified Prediction-Powered Inference, arXiv 2406.04291.
    Csillag, Struchiner, Goedert (2025), Prediction-Powered E-Values, arXiv 2502.04294.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from undertow.errors import StatisticalError
from undertow.stats.betting import BET_MULTIPLIERS
from undertow.stats.confidence import gaussian_mixture_radius

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

MIN_LABELS_FOR_TAU = 20
"""Fewest labels of a stratum from which its own tau is fitted; below, the one of all strata together is used."""

LARGEST_STAKE = 0.9
"""Of the stake at which the worst value would lose everything."""


@dataclass(frozen=True, slots=True)
class AnchoredMean:
    """A mean of human labels, narrowed by a judge.

    Attributes:
        mean: Estimate, NaN where a stratum with traffic has no label.
        low, high: Ends of the interval, inside [0, 1].
        se: Standard error.
        tau: Weight given to the judge, per stratum, in [0, 1]; 0 = labels alone. Shape (H,).
        labelled, judged: Number of items with a label; of items with a score.
        worth: How many labels alone would have given the same variance, as a multiple of those there are.
    """

    mean: float
    low: float
    high: float
    se: float
    tau: FloatArray
    labelled: int
    judged: int
    worth: float


def fit_tau(n: npt.ArrayLike, f: npt.ArrayLike, y: npt.ArrayLike, fy: npt.ArrayLike, ff: npt.ArrayLike) -> FloatArray:
    """Weight of the judge that makes X vary least: the slope of y on f, within [0, 1].

    With the mean of f taken over all judged items, labelled ones too, the best tau is `cov(y, f) / var(f)`, free of the sizes.

    Args:
        n: Labelled items (or the sum of their weights). Shape (...).
        f: Sum of the judge's scores over them. Shape (...).
        y: Sum of their labels. Shape (...).
        fy: Sum of f y. Shape (...).
        ff: Sum of f squared. Shape (...).

    Returns:
        tau, 0 where f does not vary. Shape (...).

    Examples:
        A judge that agrees with 18 of 20 failures and flags 16 of 180 good answers:

        >>> round(float(fit_tau(200, 34, 20, 18, 34)), 2)
        0.52
    """
    n, f, y, fy, ff = (np.asarray(x, dtype=np.float64) for x in (n, f, y, fy, ff))
    many = np.maximum(n, 1e-300)
    spread = ff - f**2 / many
    shared = fy - f * y / many
    usable = (n > 0.0) & (spread > 1e-9 * many)
    return np.where(usable, np.clip(shared / np.where(usable, spread, 1.0), 0.0, 1.0), 0.0)


def ppi_mean(
    judge: npt.ArrayLike,
    label: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    stratum: npt.ArrayLike | None = None,
    share: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    anytime: bool = False,
) -> AnchoredMean:
    """Stratified PPI++: mean label of the traffic from judged items of which some are labelled.

    Per stratum `tau mean(f) + sum(w (y - tau f)) / sum(w)`, w = 1 / pi over the labelled items, with tau from `fit_tau`; strata are
    added by their shares of the traffic. The variance is that of the linearised X_i; tau is fitted to the labels it is used on, which
    costs a degree of freedom and no bias that shows (PPI++, section 3).

    Args:
        judge: Score f of every judged item, any scale (best in [0, 1]). Shape (N,).
        label: Label y in [0, 1], NaN where the item has none. Shape (N,).
        inclusion: Probability in (0, 1] with which a judged item was labelled, within its stratum; only ratios matter. Shape () or (N,).
        stratum: Stratum of every item, 0 .. H-1; None: all one. Shape (N,).
        share: Share of traffic of each stratum, sums to 1; None: as the judged items divide. Shape (H,).
        level: Confidence level.
        anytime: Whether the interval must hold at all times at once (an asymptotic confidence sequence, about half as wide again);
            else it is for one look.

    Returns:
        Estimate and interval.

    Raises:
        StatisticalError: An inclusion probability is not above 0.

    Examples:
        A judge that is right nine times in ten, 100 labels among 4,000 scores:

        >>> rng = np.random.default_rng(1)
        >>> y = (rng.random(4000) < 0.3) * 1.0
        >>> f = np.where(rng.random(4000) < 0.9, y, 1.0 - y)
        >>> seen = np.where(rng.random(4000) < 0.025, y, np.nan)
        >>> m = ppi_mean(f, seen, 0.025)
        >>> bool(m.low < 0.3 < m.high), bool(1.8 < m.worth)
        (True, True)
    """
    f = np.asarray(judge, dtype=np.float64)
    y = np.asarray(label, dtype=np.float64)
    pi = np.broadcast_to(np.asarray(inclusion, dtype=np.float64), f.shape)
    labelled = ~np.isnan(y)
    if np.any(~(pi[labelled] > 0.0)):
        raise StatisticalError(
            f"inclusion probability {float(np.min(pi[labelled]))!r}: expected one above 0 for every item that has a label"
        )
    where = np.zeros(f.shape, dtype=np.int64) if stratum is None else np.asarray(stratum, dtype=np.int64)
    strata = int(where.max(initial=0)) + 1 if share is None else len(np.asarray(share))
    judged = np.bincount(where, minlength=strata).astype(np.float64)
    shares = judged / max(len(f), 1) if share is None else np.asarray(share, dtype=np.float64)
    weight = np.where(labelled, 1.0 / np.where(labelled, pi, 1.0), 0.0)
    value = np.where(labelled, y, 0.0)
    labels = np.bincount(where, labelled, strata)
    empty = np.any((labels == 0) & (shares > 0.0)) or not len(f)

    def _sums(x: FloatArray) -> FloatArray:
        return np.bincount(where, weight * x, strata).astype(np.float64)

    sums = np.stack([_sums(x) for x in (np.ones_like(f), f, value, f * value, f * f)])
    tau = np.where(labels >= MIN_LABELS_FOR_TAU, fit_tau(*sums), fit_tau(*sums.sum(axis=1)))
    if empty:
        return AnchoredMean(np.nan, 0.0, 1.0, np.nan, tau, int(labels.sum()), len(f), np.nan)
    total = np.maximum(sums[0], 1e-300)
    mean_f = np.bincount(where, f, strata) / np.maximum(judged, 1.0)
    rectifier = (sums[2] - tau * sums[1]) / total
    mean = float(shares @ (tau * mean_f + rectifier))
    scale = (judged / total)[where] * weight
    freedom = np.where(labels > 2.0, labels / np.maximum(labels - 2.0, 1.0), 3.0)

    def _variance(weight_of_judge: FloatArray, offset: FloatArray) -> float:
        """Variance of the estimate with that tau, from the linearised values of each item."""
        t = weight_of_judge[where]
        z = t * (f - mean_f[where]) + scale * (value - t * f - offset[where])
        return float(np.sum(shares**2 * freedom * np.bincount(where, z**2, strata) / np.maximum(judged, 1.0) ** 2))

    variance = _variance(tau, rectifier)
    alone = _variance(np.zeros_like(tau), sums[2] / total)
    se = float(np.sqrt(variance))
    many = float(labels.sum())
    width = (
        float(gaussian_mixture_radius(many, level))
        if anytime
        else float(stdtrit(max(many - 2.0 * strata, 1.0), 0.5 + level / 2))
    )
    return AnchoredMean(
        mean,
        float(np.clip(mean - width * se, 0.0, 1.0)),
        float(np.clip(mean + width * se, 0.0, 1.0)),
        se,
        tau,
        int(many),
        len(f),
        alone / variance if variance > 0.0 else 1.0,
    )


def anchored_values(tau: npt.ArrayLike, inclusion: npt.ArrayLike) -> FloatArray:
    """X for each of the six things that can be seen of an item where label and judge say yes or no.

    Args:
        tau: Weight of the judge, in [0, 1], from earlier blocks only. Shape (...).
        inclusion: Share of the block's judged items that are labelled, in (0, 1]. Shape (...).

    Returns:
        X of labelled items with (y, f) = (0, 0), (0, 1), (1, 0), (1, 1), then of unlabelled ones with f = 0, 1. Shape (..., 6).

    Examples:
        >>> anchored_values(0.5, 0.25).tolist()
        [0.0, -1.5, 4.0, 2.5, 0.0, 0.5]
    """
    t, pi = np.broadcast_arrays(np.asarray(tau, dtype=np.float64), np.asarray(inclusion, dtype=np.float64))
    zero = np.zeros_like(t)
    return np.stack([zero, t - t / pi, 1.0 / pi, t + (1.0 - t) / pi, zero, t], axis=-1)


def log_anchored_bets(
    counts: npt.ArrayLike,
    values: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    variance: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """Log e-values against "the mean of X is at most `null_rate`", one per bet, for one block of judged items.

    `prod (1 + lambda_j (X_i - m))` over labelled and unlabelled items. It is an e-value although labelled items are drawn by quota:
    the items are independent given the block's sizes, so its mean is a product of `1 + lambda (E X_i - m)`, which is at most the power of
    the arithmetic mean, and the arithmetic mean of E X_i is that of y (the judge's part cancels). Strata come in the same way, with
    each stratum's X multiplied by (its share of traffic) / (its share of the items). The stake aims at a mean of c m:
    `lambda = d / (variance + d^2)`, d = (c - 1) m, and stays below what the lowest value can bear.

    Args:
        counts: How often each value was seen. Shape (..., V).
        values: X, strata on the same axis, weights multiplied in; they may depend on the sizes of the block and on earlier blocks,
            not on what the block's items say. Shape (..., V).
        null_rate: Largest mean of y under the null, in (0, 1). Shape (...).
        variance: About the variance of X, from earlier blocks only; it moves the power, never the guarantee. Shape (...).
        multipliers: Multiples of m that stakes aim at. Shape (J,).

    Returns:
        Log e-values. Shape (..., J).

    Examples:
        Without a judge (tau = 0, every item labelled) it is nearly the plain bet, 3.56:

        >>> seen = np.array([88, 0, 12, 0, 0, 0])
        >>> bets = log_anchored_bets(seen, anchored_values(0.0, 1.0), 0.05, 0.05 * 0.95, [2.0])
        >>> round(float(bets[0]), 2)
        3.5
    """
    n, x = np.asarray(counts, dtype=np.float64), np.asarray(values, dtype=np.float64)
    m = np.asarray(null_rate, dtype=np.float64)[..., None]
    aim = (np.asarray(multipliers, dtype=np.float64) - 1.0) * m
    stake = aim / (np.asarray(variance, dtype=np.float64)[..., None] + aim**2)
    lowest = np.min(x, axis=-1)[..., None]
    stake = np.minimum(stake, LARGEST_STAKE / np.maximum(m - lowest, 1e-9))
    return np.sum(n[..., None, :] * np.log1p(stake[..., :, None] * (x[..., None, :] - m[..., None])), axis=-1)
