"""What a candidate adds to the losses, from labelled requests under both policies: an interval that holds however often the gate is run.

Of each request let d be what the candidate adds to its loss, and c whether the candidate serves it by the cheap tier. The added loss per
request that the candidate serves cheaply is delta = E[d] / E[c]. The bet against "delta is at most m" pays `1 + stake * w * (d - m c)` on
each labelled request, whose mean is at most 1 wherever that holds: no share of traffic need be known, and no loss of the live policy
either. A mixture over fixed stakes is tested at every m; the values that it does not reject are the interval, valid at all sample sizes at
once, so a gate that is run on every commit while labels come in spends its error once (Ville's inequality).

What is assumed: labels are independent given their requests, drawn with the stated inclusion probabilities, of which the smallest is a
matter of the design: the largest stake is set by the largest weight among the rows, as if it had been known before. A request without a label has
the value that speaks against what is to be shown: a loss that nobody looked for is never shown, and never ruled out.

References:
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B 86(1), section 4.
    Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), Anytime-valid off-policy inference, arXiv 2210.10768.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.records.gate import ComparedRows

FloatArray = npt.NDArray[np.float64]

SHOWING = np.array([0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.7])
"""Stakes that show a loss, as parts of the stake that one row could ruin: small ones where a loss is little more than the margin."""

RULING_OUT = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95])
"""Stakes that rule a loss out: large ones where nothing fails."""

_BISECTIONS = 40
_SMALLEST = 1e-3
"""Margins below this are bet against as this one is: a stake without a limit would be."""

_MOST_LABELS = 10_000_000


@dataclass(frozen=True, slots=True)
class AddedLoss:
    """What the candidate adds to the losses, per request that it serves cheaply.

    Attributes:
        loss: Estimate, or None: no label, or nothing is served cheaply.
        low, high: Ends of the interval, in [-1, 1].
    """

    loss: float | None
    low: float
    high: float


def added_loss(rows: ComparedRows, low_error: float, high_error: float) -> AddedLoss:
    """The added loss with its interval.

    Args:
        rows: In any order.
        low_error: Probability that the lower end ever lies above the truth, in (0, 1).
        high_error: Probability that the upper end ever lies below the truth, in (0, 1).

    Examples:
        Of 400 requests the candidate newly serves 100, of which 30 fail:

        >>> new, fails = np.arange(400) < 100, np.arange(400) < 30
        >>> d, zero = fails.astype(float), np.zeros(400)
        >>> rows = ComparedRows(d, d, zero, new.astype(float), np.ones(400), np.ones(400), np.ones(400, dtype=bool))
        >>> found = added_loss(rows, 0.025, 0.05)
        >>> found.loss, bool(0.03 < found.low < 0.075 < found.high < 0.13)
        (0.075, True)
    """
    served = float(rows.weight @ rows.cheap)
    if served <= 0.0:
        return AddedLoss(None, -1.0, 0.0)
    labelled = rows.where(rows.labelled)
    there = float(labelled.weight @ labelled.cheap)
    loss = float(np.clip(labelled.weight @ labelled.low / there, -1.0, 1.0)) if there > 0.0 else None
    tally = _Tally.of(rows)
    return AddedLoss(loss, _lower_end(tally, low_error), _upper_end(tally, high_error))


def log_e_above(rows: ComparedRows, margin: float) -> float:
    """Log e-value against "the added loss is at most `margin`".

    Examples:
        >>> ones = np.ones(50)
        >>> rows = ComparedRows(ones, ones, 0 * ones, ones, ones, ones, np.ones(50, dtype=bool))
        >>> bool(log_e_above(rows, 0.02) > 20)
        True
    """
    return _mean_log(_showing(_Tally.of(rows), margin))


def log_e_below(rows: ComparedRows, margin: float) -> float:
    """Log e-value against "the added loss is at least `margin`".

    Examples:
        >>> zero, ones = np.zeros(500), np.ones(500)
        >>> rows = ComparedRows(zero, zero, zero, ones, ones, ones, np.ones(500, dtype=bool))
        >>> bool(log_e_below(rows, 0.02) > np.log(20))
        True
    """
    return _mean_log(_ruling_out(_Tally.of(rows), margin))


def labels_missing(rows: ComparedRows, bar: float, error: float) -> int | None:
    """About how many more labels like those that are there would put the upper end below the bar.

    Where those that are there lean to a loss, it is asked of a candidate that adds none.

    Args:
        rows: What there is.
        bar: Where the upper end must come to, in (0, 1).
        error: Of the upper end.

    Returns:
        At least 1; None: labels alone would not do it.
    """
    labelled = rows.where(rows.labelled)
    line = math.log(1.0 / error)
    if not len(labelled) or not float(labelled.weight @ labelled.cheap):
        return math.ceil(_repeats(np.log1p(bar * RULING_OUT), line) or 1.0)
    gains = [_ruling_out(_Tally.of(one), bar) for one in (labelled, _without_loss(labelled))]
    for gained in gains:
        factor = _repeats(gained, line)
        if factor is not None:
            return max(math.ceil((factor - 1.0) * len(labelled)), 1)
    return None


def effective_labels(rows: ComparedRows) -> float:
    """Kish's effective number of the labels, by weight times how much a label could say.

    Examples:
        >>> zero, ones = np.zeros(4), np.ones(4)
        >>> effective_labels(ComparedRows(zero, zero, zero, ones, ones, ones, np.ones(4, dtype=bool)))
        4.0
    """
    says = np.where(rows.labelled, rows.weight * np.maximum(np.maximum(rows.most, -rows.least), rows.cheap), 0.0)
    square = float((says**2).sum())
    return float(says.sum()) ** 2 / square if square else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """Rows that differ, and how often each is there: few, however many labels there are of one weight."""

    rows: ComparedRows
    counts: FloatArray

    @staticmethod
    def of(rows: ComparedRows) -> "_Tally":
        table = np.stack((rows.low, rows.high, rows.least, rows.most, rows.cheap, rows.weight))
        values, counts = np.unique(table, axis=1, return_counts=True)
        return _Tally(ComparedRows(*values, labelled=np.ones(len(counts), dtype=np.bool_)), counts.astype(np.float64))


def _without_loss(rows: ComparedRows) -> ComparedRows:
    low = np.minimum(rows.low, 0.0)
    return ComparedRows(low, low, rows.least, rows.most, rows.cheap, rows.weight, rows.labelled)


def _repeats(gained: FloatArray, line: float) -> float | None:
    """How many times over such rows must be there; None: never."""
    if gained.max() <= 0.0:
        return None
    low, high = 0.0, 1.0
    while _mean_log(high * gained) < line:
        high *= 2.0
        if high > _MOST_LABELS:
            return None
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _mean_log(middle * gained) < line else (low, middle)
    return high


def _lower_end(tally: _Tally, error: float) -> float:
    line = math.log(1.0 / error)
    low, high = -1.0, 1.0
    if _mean_log(_showing(tally, low)) < line:
        return low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _mean_log(_showing(tally, middle)) >= line else (low, middle)
    return low


def _upper_end(tally: _Tally, error: float) -> float:
    line = math.log(1.0 / error)
    if not bool((tally.rows.most > 0.0).any()):
        low, high = -1.0, 0.0  # no request could lose
    else:
        low, high = (-1.0, 0.0) if _mean_log(_ruling_out(tally, 0.0)) >= line else (0.0, 1.0)
        if _mean_log(_ruling_out(tally, high)) < line:
            return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if _mean_log(_ruling_out(tally, middle)) >= line else (middle, high)
    return high


def _showing(tally: _Tally, margin: float) -> FloatArray:
    rows = tally.rows
    ruin = float((rows.weight * (np.maximum(margin, _SMALLEST) * rows.cheap - rows.least)).max(initial=0.0))
    return _log_growth(rows.weight * (rows.low - margin * rows.cheap), tally.counts, ruin, SHOWING)


def _ruling_out(tally: _Tally, margin: float) -> FloatArray:
    rows = tally.rows
    # With a margin above 0, what one row can lose is `most - margin * cheap`; the margin is left off, which only makes stakes smaller.
    ruin = float((rows.weight * (rows.most + max(-margin, 0.0) * rows.cheap)).max(initial=0.0))
    return _log_growth(rows.weight * (margin * rows.cheap - rows.high), tally.counts, ruin, RULING_OUT)


def _log_growth(paid: FloatArray, counts: FloatArray, ruin: float, stakes: FloatArray) -> FloatArray:
    if ruin <= 0.0:
        return np.zeros(len(stakes))
    return np.log1p(np.outer(stakes / ruin, paid)) @ counts


def _mean_log(logs: FloatArray) -> float:
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))
