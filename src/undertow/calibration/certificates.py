"""The threshold rule: the cheapest threshold whose marginal loss is at most the margin, with probability at least 1 - delta.

The loss of a threshold t is R(t) = P(confidence >= t and the cheap answer fails): of all eligible requests, the share that is served
cheaply and should not have been. It does not rise in t, so one bound at a time is enough (risk-controlling prediction sets, fixed sequence
from strict to permissive): the rule stops at the first threshold whose upper bound exceeds the margin, and errs only where the bound fails
at the one threshold at which R crosses the margin.

What is assumed: labels are independent draws of the traffic that will be served, each with its stated inclusion probability, and the score
was fixed before these labels were looked at. Nothing is assumed of the score. Where inclusion probabilities differ, the sort of request
that was drawn most rarely is among the labels: the largest weight is read off them, and a stratum that gave no label is invisible to
any rule that sees labels alone. Each group's certificate is one of its own: of several at once, each errs with its own delta. After a
change of traffic or model a certificate says nothing: that is what drift and alarms are for.

References:
    Bates, Angelopoulos, Lei, Malik, Jordan (2021), Distribution-free, risk-controlling prediction sets, JACM 68(6), theorem 2.2.
    Angelopoulos, Bates, Candes, Jordan, Lei (2021), Learn then Test, arXiv 2110.01052, section 2 (fixed-sequence testing).
    Clopper and Pearson (1934), Biometrika 26.
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B 86(1) (unequal weights).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from undertow.records.calibration import Certificate, RiskPoint

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

EQUAL_WITHIN = 1e-9
LARGEST_STAKE = 0.9
"""Of the stake that one loss could ruin."""

INTERVAL_LEVEL = 0.95
BISECTIONS = 40

SHARE_ERROR = 0.05
"""The part of delta that is spent on the share of answers that labels stand for, where they do not stand for all, and as much again on the
share that is served without a label."""

STEP = 1e-9
"""Far more than two ways of computing the same confidence differ by, far less than two answers do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold, or why there is none.

    Attributes:
        threshold: Serve cheaply at or above it; None: none qualifies.
        certificate: Of the threshold; None where there is none.
        more_labels: Where none qualifies: how many more labels it would take at least, or None: more labels alone would not help.
    """

    threshold: float | None
    certificate: Certificate | None
    more_labels: int | None = None


def clopper_pearson_upper(failures: npt.ArrayLike, n: npt.ArrayLike, error: float) -> FloatArray:
    """Upper bound of a failure rate that holds with probability 1 - error.

    Args:
        failures: In [0, n]. Shape (...).
        n: Labels, at least 1. Shape (...).
        error: In (0, 1).

    Examples:
        >>> round(float(clopper_pearson_upper(0, 114, 0.1)), 4)
        0.02
    """
    k, total = np.broadcast_arrays(np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64))
    inside = k < total
    bound = betaincinv(k + 1.0, np.where(inside, total - k, 1.0), 1.0 - error)
    return np.where(inside, bound, 1.0)


def most_losses(n: int, margin: float, delta: float) -> int:
    """How many of n labels may be losses for the bound to stay within the margin; -1: not even none.

    Examples:
        >>> most_losses(1000, 0.03, 0.1), most_losses(50, 0.03, 0.1)
        (22, -1)
    """
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if float(clopper_pearson_upper(middle, n, delta)) <= margin else (low, middle)
    return low


def fewest_labels(margin: float, delta: float, losses: int = 0) -> int:
    """How many labels it takes to show a loss within the margin when so many of them are losses.

    Examples:
        >>> fewest_labels(0.02, 0.1), fewest_labels(0.02, 0.1, losses=5)
        (114, 462)
    """
    low, high = losses, 2 * losses + math.ceil(math.log(1.0 / delta) / margin) + 1
    while float(clopper_pearson_upper(losses, high, delta)) > margin:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(clopper_pearson_upper(losses, middle, delta)) <= margin else (middle, high)
    return high


def choose_threshold(
    confidence: FloatArray,
    good: BoolArray,
    weight: FloatArray,
    margin: float,
    delta: float,
    known: BoolArray | None = None,
) -> Choice:
    """The lowest threshold with a certificate.

    Args:
        confidence: Of answers, in [0, 1]; NaN where there was none: such an answer is never served. Shape (n,).
        good: The cheap answer was as good. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
        margin: Largest accepted marginal loss, in (0, 1).
        delta: Error probability, in (0, 1).
        known: The row has a label. Shape (n,); None: all have.

    Returns:
        The threshold with its certificate. It lies just above the confidence of the first loss that the bound does not allow.

    Examples:
        Of 300 labels the 40 least confident fail: all others can be served, and one failure more could not.

        >>> confidence = np.linspace(0.01, 1.0, 300)
        >>> choice = choose_threshold(confidence, confidence > 0.14, np.ones(300), 0.03, 0.1)
        >>> choice.certificate.losses, round(choice.threshold, 3)
        (4, 0.126)
    """
    labelled = np.ones(len(good), dtype=np.bool_) if known is None else known
    n = int(labelled.sum())
    if n == 0:
        return Choice(None, None, fewest_labels(margin, delta))
    served = np.where(np.isnan(confidence), -np.inf, confidence)
    lost = np.flatnonzero(~good | ~labelled)
    lost = lost[np.argsort(-served[lost], kind="stable")]
    if _has_one_weight(weight[labelled]):
        share, error = _labelled_share(weight, labelled, delta)
        within = min(margin / share, 1.0)
        bound = share * clopper_pearson_upper(np.arange(most_losses(n, within, error) + 1), n, error)
        served_unlabelled = np.append(0, np.cumsum(~labelled[lost]))
        fits = _fitting(bound, labelled[lost], _unlabelled_upper(served_unlabelled, weight, labelled, delta), margin)
    else:
        within, error = margin, delta
        fits = _most_weighted_losses(weight, weight[lost], margin, delta)
    if fits < 0:
        return Choice(None, None, _more_labels(n, within, error))
    # Above the first loss that is one too many; failing answers without a confidence are never served.
    barrier = float(served[lost[fits]]) if fits < len(lost) else -math.inf
    above = served[(served > barrier) & np.isfinite(served) & labelled]
    if not len(above):
        return Choice(None, None, None)
    lowest = float(above.min())
    threshold = max(lowest - STEP, 0.0) if math.isinf(barrier) else min(barrier + STEP, (barrier + lowest) / 2.0)
    return Choice(threshold, certify(confidence, good, weight, threshold, margin, delta, labelled))


def certify(
    confidence: FloatArray,
    good: BoolArray,
    weight: FloatArray,
    threshold: float,
    margin: float,
    delta: float,
    known: BoolArray | None = None,
) -> Certificate:
    """What labels say of one threshold. `upper` may lie above the margin: then it is no certificate of it.

    The bound holds for a threshold that was fixed before the labels were seen, or that `choose_threshold` chose on them.
    """
    labelled = np.ones(len(good), dtype=np.bool_) if known is None else known
    is_served = np.nan_to_num(confidence, nan=-1.0) >= threshold
    lost = is_served & (~good | ~labelled)
    losses = int((lost & labelled).sum())
    total = float(weight.sum())
    acceptance = float(weight[is_served].sum()) / total
    is_equal = _has_one_weight(weight[labelled])
    if is_equal:
        share, error = _labelled_share(weight, labelled, delta)
        unlabelled = float(_unlabelled_upper((is_served & ~labelled).sum(), weight, labelled, delta))
        bound = float(clopper_pearson_upper(losses, int(labelled.sum()), error)) if labelled.any() else 1.0
        upper = min(share * bound + unlabelled, 1.0)
    else:
        upper = weighted_upper(weight, lost, delta)
    return Certificate(
        margin=margin,
        delta=delta,
        method="clopper_pearson" if is_equal else "betting",
        labels=int(labelled.sum()),
        losses=losses,
        loss=float(weight[lost].sum()) / total,
        upper=upper,
        acceptance=acceptance,
        acceptance_interval=_share_interval(acceptance, weight),
    )


def log_wealth(weight: FloatArray, lost: BoolArray, margin: float, delta: float) -> float:
    """Log e-value against "the marginal loss is at least `margin`", from draws with unequal inclusion probabilities.

    Each label pays `1 + stake * w * (margin - loss)`. With n_h labels of weight w_h drawn in stratum h, and n_h w_h in proportion to the
    stratum, the mean of the product is at most 1 wherever the loss per request is at least the margin (the logarithm is concave), for
    every stake that does not look at a loss. The stake is the one that is best where losses do not go with weights: it
    depends on n, margin, delta and the weights alone. A mixture of ten stakes would allow a fifth fewer losses.

    Args:
        weight: 1 / inclusion probability. Shape (n,).
        lost: Served and failing. Shape (n,).
        margin: In (0, 1).
        delta: Error probability that the stake is set for, in (0, 1).

    Examples:
        >>> bool(log_wealth(np.ones(200), np.zeros(200, dtype=bool), 0.03, 0.1) > np.log(10))
        True
    """
    return _log_wealth(*_tallied(weight, lost), margin, delta)


def weighted_upper(weight: FloatArray, lost: BoolArray, error: float) -> float:
    """Upper bound of the marginal loss that holds with probability 1 - error: all larger ones are rejected by `log_wealth`.

    Examples:
        >>> round(weighted_upper(np.ones(300), np.arange(300) < 3, 0.1), 3)
        0.028
    """
    tallied = _tallied(weight, lost)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if _log_wealth(*tallied, middle, error) >= math.log(1.0 / error) else (middle, high)
    return high


def risk_coverage(
    confidence: FloatArray,
    good: BoolArray,
    weight: FloatArray,
    delta: float,
    points: int = 40,
    known: BoolArray | None = None,
) -> tuple[RiskPoint, ...]:
    """The curve over thresholds, from strict to permissive: acceptance, loss, and the bound of each loss alone.

    Args:
        confidence: As in `choose_threshold`. Shape (n,).
        good: Likewise. Shape (n,).
        weight: Likewise. Shape (n,).
        delta: Error probability of each bound.
        points: Most points.
        known: Likewise. Shape (n,).
    """
    there = confidence[~np.isnan(confidence)]
    if not len(there):
        return ()
    thresholds = np.unique(np.quantile(there, np.linspace(1.0, 0.0, points)))[::-1]
    found = []
    for threshold in thresholds.tolist():
        at = certify(confidence, good, weight, threshold, 0.5, delta, known)
        found.append(RiskPoint(threshold=threshold, acceptance=at.acceptance, loss=at.loss, upper=at.upper))
    return tuple(found)


def _fitting(bound: FloatArray, labelled: BoolArray, unlabelled: FloatArray, margin: float) -> int:
    """How many losses, the most confident first, the margin allows; -1: not even none.

    Args:
        bound: Upper bound of the loss by the number of labelled losses, as far as it lies within the margin.
        labelled: Whether each loss has a label. Shape (m,).
        unlabelled: Upper bound of the share of requests that is served without a label, before and with each loss. Shape (m + 1,).
        margin: In (0, 1).
    """
    if not len(bound):
        return -1
    labels = np.append(0, np.cumsum(labelled))
    is_over = (labels >= len(bound)) | (bound[np.minimum(labels, len(bound) - 1)] + unlabelled > margin)
    return int(np.argmax(is_over)) - 1 if is_over.any() else len(labelled)


def _has_one_weight(weight: FloatArray) -> bool:
    return not len(weight) or bool(np.ptp(weight) <= EQUAL_WITHIN * float(weight.max()))


def _labelled_share(weight: FloatArray, labelled: BoolArray, delta: float) -> tuple[float, float]:
    """Upper bound of the share of requests that labels of one weight stand for, and what is left of delta after it.

    Rows are draws; a labelled one stands for `of_labelled` requests and any other for `of_others`, so the share of labelled rows gives
    the share of requests.
    """
    n = int(labelled.sum())
    if n in {0, len(labelled)}:
        return 1.0, delta
    rows = float(clopper_pearson_upper(n, len(labelled), SHARE_ERROR * delta))
    of_labelled, of_others = float(weight[labelled].mean()), float(weight[~labelled].mean())
    return rows * of_labelled / (rows * of_labelled + (1.0 - rows) * of_others), (1.0 - 2.0 * SHARE_ERROR) * delta


def _unlabelled_upper(served: npt.ArrayLike, weight: FloatArray, labelled: BoolArray, delta: float) -> FloatArray:
    """Upper bound of the share of requests that is served and has no label, from the number of such rows. Shape as `served`.

    Rows are draws, so their number among all rows is binomial; a row without a label stands for as many requests as the others of its kind.
    """
    if labelled.all():
        return np.zeros(np.shape(served))
    rows = clopper_pearson_upper(served, len(labelled), SHARE_ERROR * delta)
    return rows * float(weight[~labelled].mean()) * len(labelled) / float(weight.sum())


def _tallied(weight: FloatArray, lost: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The different weights, and how many rows that are and are not lost have each."""
    weights, place = np.unique(weight, return_inverse=True)
    losses = np.bincount(place, weights=lost, minlength=len(weights)).astype(np.float64)
    return weights, losses, np.bincount(place, minlength=len(weights)).astype(np.float64) - losses


def _stake(n: float, largest: float, mean_square: float, margin: float, delta: float) -> float:
    """The best stake against a loss of variance `margin * mean_square`, by the normal approximation of the wealth."""
    best = math.sqrt(2.0 * math.log(1.0 / delta) / (n * margin * mean_square))
    return min(best, LARGEST_STAKE / (largest * (1.0 - margin)))


def _log_wealth(weights: FloatArray, losses: FloatArray, others: FloatArray, margin: float, delta: float) -> float:
    rows = losses + others
    n = float(rows.sum())
    stake = _stake(n, float(weights[-1]), float((rows * weights**2).sum() / n), margin, delta)
    paid = np.log1p(-stake * weights * (1.0 - margin)) @ losses + np.log1p(stake * weights * margin) @ others
    return float(paid)


def _most_weighted_losses(weight: FloatArray, losses: FloatArray, margin: float, delta: float) -> int:
    """How many losses, the most confident first and of these weights, leave the evidence above 1 / delta; -1: not even none."""
    stake = _stake(len(weight), float(weight.max()), float((weight**2).mean()), margin, delta)
    change = np.log1p(-stake * losses * (1.0 - margin)) - np.log1p(stake * losses * margin)
    paid = float(np.log1p(stake * weight * margin).sum()) + np.append(0.0, np.cumsum(change))
    enough = paid >= math.log(1.0 / delta)
    return len(enough) - 1 if enough.all() else int(np.argmin(enough)) - 1


def _share_interval(share: float, weight: FloatArray) -> tuple[float, float]:
    """Clopper-Pearson interval of a share at Kish's effective number of labels."""
    n = float(weight.sum() ** 2 / (weight**2).sum())
    k, error = share * n, (1.0 - INTERVAL_LEVEL) / 2.0
    low = float(betaincinv(k, n - k + 1.0, error)) if k > 0.0 else 0.0
    high = float(betaincinv(k + 1.0, n - k, 1.0 - error)) if k < n else 1.0
    return low, high


def _more_labels(n: int, margin: float, delta: float) -> int:
    return max(fewest_labels(margin, delta) - n, 1)
