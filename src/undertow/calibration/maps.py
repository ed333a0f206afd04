"""Maps from a score to a confidence: fitted here, applied here in NumPy and in `undertow.policies.calibrated` in plain Python.

Which map, by the number of labels. Below 500: Platt's two numbers on the log-odds, or the beta map where a likelihood-ratio test rejects
Platt. From 500 on: a penalised spline, which is Platt's line where that is enough and bends where it is not (on 20 real tables at 1,000
labels: calibration error at most .029, `make bench-cascade`). Above 5,000: isotonic regression
where it predicts labels better that it was not fitted on. Temperature alone fails on noisy scores. No map gives a guarantee: the
threshold does (`undertow.calibration.certificates`), and since every map rises, none of them changes what a threshold can reach.

References:
    Platt (1999), Probabilistic outputs for support vector machines, section 2.2 (targets).
    Kull, Silva Filho, Flach (2017), Beta calibration, AISTATS, section 3.
    Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, expit, xlogy

from undertow.calibration.logistic import fit_logistic
from undertow.calibration.pooling import made_rising
from undertow.calibration.spline import fit_spline, tilted
from undertow.errors import DataError
from undertow.records.calibration import ConfidenceMap, Link

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

EPSILON = 1e-6
"""Probabilities are kept this far from 0 and 1: servers report exactly 1 for tokens that they computed in 16 bits."""

SPLINE_FROM = 500
ISOTONIC_FROM = 5_000
REJECT_AT = 0.01
FOLDS = 5
MAX_KNOTS = 200


def probabilities(score: FloatArray, link: Link) -> FloatArray:
    """The probability that a link makes of a score, within `EPSILON` of 0 and 1 at the most.

    Examples:
        >>> probabilities(np.array([0.0, np.log(0.5)]), "log_probability").tolist()
        [0.999999, 0.5]
    """
    match link:
        case "log_probability":
            p = np.exp(np.minimum(score, 0.0))
        case "probability":
            p = score
        case "logit":
            p = expit(score)
    return np.clip(p, EPSILON, 1.0 - EPSILON)


def log_odds(score: FloatArray, link: Link) -> FloatArray:
    """Log-odds of the probability that a link makes of a score."""
    p = probabilities(score, link)
    return np.log(p) - np.log1p(-p)


def apply_map(mapping: ConfidenceMap, link: Link, score: npt.ArrayLike) -> FloatArray:
    """Confidence of scores.

    Args:
        mapping: A fitted map.
        link: What the scores are.
        score: Finite scores. Shape (n,).

    Returns:
        Confidence in [0, 1], not falling in the score. Shape (n,).

    Examples:
        >>> apply_map(ConfidenceMap(method="platt", slope=2.0), "probability", [0.5, 0.9]).round(3).tolist()
        [0.5, 0.988]
    """
    s = np.asarray(score, dtype=np.float64)
    if mapping.method in {"spline", "isotonic"}:
        return np.interp(s, mapping.xs, mapping.ys)
    p = probabilities(s, link)
    above = mapping.slope if mapping.method == "platt" else mapping.slope_above
    return expit(mapping.intercept + mapping.slope * np.log(p) - above * np.log1p(-p))


def fit_map(score: FloatArray, good: BoolArray, weight: FloatArray, link: Link) -> ConfidenceMap:
    """The map that suits the number of labels.

    Args:
        score: Finite scores. Shape (n,).
        good: Labels. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
        link: What the scores are.

    Raises:
        DataError: One class only, constant scores, or higher scores do not go with better answers.
    """
    check_labels(score, good)
    # Scores may differ and still all be as near to certainty as a probability is taken to be.
    check_labels(log_odds(score, link), good)
    platt = fit_platt(score, good, weight, link)
    beta = fit_beta(score, good, weight, link)
    gain = 2.0 * (_log_likelihood(beta, link, score, good, weight) - _log_likelihood(platt, link, score, good, weight))
    smooth = beta if chdtrc(1, max(gain, 0.0)) < REJECT_AT else platt
    if len(score) < SPLINE_FROM:
        return smooth
    spline = fit_spline(score, log_odds(score, link), good, weight)
    if len(score) <= ISOTONIC_FROM:
        return spline
    fold = np.arange(len(score)) % FOLDS
    loss_smooth = loss_isotonic = 0.0
    for number in range(FOLDS):
        kept, out = fold != number, fold == number
        there = (score[out], good[out], weight[out])
        bent = fit_spline(score[kept], log_odds(score[kept], link), good[kept], weight[kept])
        loss_smooth -= _log_likelihood(bent, link, *there)
        loss_isotonic -= _log_likelihood(fit_isotonic(score[kept], good[kept], weight[kept]), link, *there)
    return fit_isotonic(score, good, weight) if loss_isotonic < loss_smooth else spline


def check_labels(score: FloatArray, good: BoolArray) -> None:
    """See that something can be learned.

    Raises:
        DataError: Not.
    """
    total, better = len(good), int(good.sum())
    if better in {0, total}:
        what = "as good as the capable tier's" if better else "worse than the capable tier's"
        missing = "worse" if better else "good"
        raise DataError(
            f"all {total:,} labelled cheap answers are {what}; a calibration needs {missing} ones too: label requests where the "
            f"cheap tier is thought to be {'wrong' if better else 'right'}, with their inclusion probability"
        )
    if float(np.ptp(score)) <= 0.0:
        raise DataError(
            f"all {total:,} scores are {float(score[0]):.6g}: a constant tells no answer from another; does the upstream give real "
            "log-probabilities?"
        )


def fit_platt(score: FloatArray, good: BoolArray, weight: FloatArray, link: Link) -> ConfidenceMap:
    """Slope and intercept on the log-odds, by weighted maximum likelihood with Platt's targets.

    Raises:
        DataError: The slope is not positive: the score does not order answers.
    """
    intercept, slope = fit_logistic(log_odds(score, link)[:, None], good, weight)
    if not slope[0] > 0.0:
        raise _unordered(len(score))
    return ConfidenceMap(method="platt", intercept=intercept, slope=float(slope[0]))


def fit_beta(score: FloatArray, good: BoolArray, weight: FloatArray, link: Link) -> ConfidenceMap:
    """Two slopes and an intercept; a slope that comes out negative is fixed at 0 and the rest is fitted again (Kull et al., section 3).

    Raises:
        DataError: Neither slope is positive.
    """
    p = probabilities(score, link)
    columns = np.stack([np.log(p), -np.log1p(-p)], axis=1)
    intercept, slopes = fit_logistic(columns, good, weight)
    a, b = float(slopes[0]), float(slopes[1])
    if a < 0.0 or b < 0.0:
        kept = 1 if a < b else 0
        intercept, alone = fit_logistic(columns[:, kept : kept + 1], good, weight)
        a, b = (float(alone[0]), 0.0) if kept == 0 else (0.0, float(alone[0]))
    if not max(a, b) > 0.0 or min(a, b) < 0.0:
        raise _unordered(len(score))
    return ConfidenceMap(method="beta", intercept=intercept, slope=a, slope_above=b)


def fit_isotonic(score: FloatArray, good: BoolArray, weight: FloatArray) -> ConfidenceMap:
    """Weighted isotonic regression as knots at the ends of its blocks; never exactly 0 or 1, since n labels show neither.

    Blocks are joined until there are at most `MAX_KNOTS` knots.
    """
    order = np.argsort(score, kind="stable")
    x = score[order]
    # One row a score: ties must share a value.
    first = np.flatnonzero(np.append(True, x[1:] > x[:-1]))
    mass = np.add.reduceat(weight[order], first)
    mean = np.add.reduceat(weight[order] * good[order], first) / mass
    low = 1.0 / (len(score) + 2.0)
    y = np.clip(made_rising(mean, mass), low, 1.0 - low)
    x = x[first]
    ends = np.flatnonzero(np.append(True, y[1:] > y[:-1]) | np.append(y[1:] > y[:-1], True))
    if len(ends) > MAX_KNOTS:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, MAX_KNOTS).round().astype(int))]
    return ConfidenceMap(method="isotonic", xs=tuple(x[ends].tolist()), ys=tilted(y[ends]))


def _log_likelihood(
    mapping: ConfidenceMap, link: Link, score: FloatArray, good: BoolArray, weight: FloatArray
) -> float:
    """Weighted log-likelihood of labels, in units of labels: weights are scaled to Kish's effective number."""
    p = apply_map(mapping, link, score)
    scaled = weight * (weight.sum() / (weight**2).sum())
    return float((scaled * (xlogy(good, p) + xlogy(~good, 1.0 - p))).sum())


def _unordered(n: int) -> DataError:
    return DataError(
        f"in {n:,} labels a higher score does not go with a better answer, so no threshold can help; use another score (--score), more "
        "labels, or keep the capable tier"
    )
