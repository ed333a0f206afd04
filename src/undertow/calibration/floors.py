"""The lowest threshold that labels certify while the policy runs, on the scale of log-odds.

Where any request could be labelled that is the rule of `undertow.calibration.certificates`. Where labels are of served answers alone, they bound
the loss among those, whose share of the requests is known; and what a lower threshold would serve beside them is known from the answers
that were withheld: each of those counts as a failure, and they may take a tenth of the margin together. So labels that were drawn under
different thresholds certify none much below the highest of them.
"""

import math
from collections.abc import Sequence

import numpy as np

from undertow.calibration.certificates import choose_threshold
from undertow.records.tuning import TuningLabel

SMALLEST = 1e-15
"""Confidences are kept this far from 0 and 1: log-odds of 34.5, and still a number that is not 1."""

APART = 1e-9
"""Of log-odds: far more than two ways of computing the same one differ by, far less than two answers do."""

WITHHELD_PART = 0.1
"""Of the margin, that withheld answers without a label may take, each of them a failure."""


def log_odds(confidence: float) -> float:
    """Log-odds of a confidence, which is kept 1e-15 away from 0 and 1.

    Examples:
        >>> round(log_odds(0.9), 3), round(log_odds(1.0), 2)
        (2.197, 34.54)
    """
    p = min(max(confidence, SMALLEST), 1.0 - SMALLEST)
    return math.log(p) - math.log1p(-p)


def confidence_at(odds: float) -> float:
    """The confidence of log-odds."""
    return 1.0 / (1.0 + math.exp(-odds))


def certified(
    labels: Sequence[TuningLabel], margin: float, delta: float, withheld: Sequence[TuningLabel] | None = None
) -> float | None:
    """Log-odds of the lowest threshold whose marginal loss these labels bound by the margin; None: of none.

    Labels of cheaply served requests alone say what share of *those* fails: the margin is then that of their share of all requests.

    Args:
        labels: Draws, each with its weight.
        margin: Largest accepted marginal loss, in (0, 1).
        delta: Error probability, in (0, 1).
        withheld: Answers of the same time that labels could not be of: failures wherever a threshold would serve them. None: unknown.
    """
    if not labels:
        return None
    there = sum(label.weight for label in labels)
    total = there + sum(answer.weight for answer in withheld or ())
    # Labels of late decisions are still to come, so those that are there may show too small a share.
    share = share_of(labels) if withheld is None else max(share_of(labels), there / total)
    to_withheld = WITHHELD_PART * margin if withheld else 0.0
    confidence = np.array([math.nan if label.confidence is None else label.confidence for label in labels])
    choice = choose_threshold(
        confidence,
        np.array([not label.is_failed for label in labels]),
        np.array([label.weight for label in labels]),
        min((margin - to_withheld) / share, 0.999),
        delta,
    )
    if choice.threshold is None:
        return None
    # Of answers below those that can be labelled nothing is known.
    known = confidence[~np.isnan(confidence)]
    lowest = max(choice.threshold, float(known.min())) if share < 1.0 else choice.threshold
    return max(log_odds(lowest), _above_all_but(withheld or (), to_withheld * total))


def share_of(labels: Sequence[TuningLabel]) -> float:
    """Share of the requests that labels stand for, in (0, 1]."""
    return sum(label.share for label in labels) / len(labels) if labels else 1.0


def _above_all_but(withheld: Sequence[TuningLabel], allowed: float) -> float:
    """Log-odds above which withheld answers weigh no more than is allowed."""
    above = 0.0
    for answer in sorted(withheld, key=lambda one: -1.0 if one.confidence is None else one.confidence, reverse=True):
        above += answer.weight
        if answer.confidence is None:
            break
        if above > allowed:
            return log_odds(answer.confidence) + APART
    return -math.inf
