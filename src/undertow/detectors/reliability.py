"""Whether a calibrated confidence still means what it says, on fresh labels: a sequential bet against it.

A confidence c states that at most 1 - c of such answers fail. Labels come with inclusion probabilities, so the bet is on the weighted
failures of each confidence bin (`undertow.stats.betting.log_ratio_bets`): an e-value a day and bin, multiplied over bins, and restarted
every day (`undertow.detectors.e_detector`), so that a calibration that was honest for months and then is not is seen as fast as one
that never was. While the failures stay at or below what is stated plus the slack, the chance of reaching `line` within T days is at most
T / line, whatever day the watcher looks.

The slack is there because a map that was fitted on some hundred labels is never exact, and labels enough would prove that too.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.e_detector import first_crossing, run_e_detector
from undertow.stats.betting import log_ratio_bets

FloatArray = npt.NDArray[np.float64]

RISES = (0.03, 0.06, 0.1, 0.2, 0.35)
"""Failure rates above the null that are bet on, in all bins alike."""

LEAST_RATE = 0.002
"""A confidence of 1 states no failure at all; one in 500 is granted."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Outcome for one tier.

    Attributes:
        day: Row at whose end the line was reached, or None.
        evidence: Summed e-processes per row. Shape (T,).
        stated: Weighted mean failure rate that the confidence states, over the labels of the last 28 rows up to the crossing (or end);
            None without labels.
        observed: Weighted mean failure rate of the same labels.
        labels: How many there were.
    """

    day: int | None
    evidence: FloatArray
    stated: float | None
    observed: float | None
    labels: int


def watch_reliability(
    n: npt.ArrayLike,
    weight: npt.ArrayLike,
    weighted_failures: npt.ArrayLike,
    weighted_confidence: npt.ArrayLike,
    weight_max: npt.ArrayLike,
    line: float,
    slack: float = 0.0,
) -> Reliability:
    """Bet that more answers fail than their confidence states.

    Args:
        n: Labels per day and confidence bin. Shape (T, B).
        weight: Sum of their weights w = 1 / inclusion probability. Shape (T, B).
        weighted_failures: Sum of w y, y the failure in [0, 1]. Shape (T, B).
        weighted_confidence: Sum of w c. Shape (T, B).
        weight_max: Largest weight in the cell. Shape (T, B).
        line: Evidence that warns: days of the horizon over the chance of a false warning.
        slack: How much more may fail than is stated.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> n = np.full((60, 1), 50.0)
        >>> failures = rng.binomial(50, np.where(np.arange(60) < 30, 0.1, 0.25))[:, None].astype(float)
        >>> found = watch_reliability(n, n, failures, 0.9 * n, np.ones((60, 1)), 10_000.0, 0.02)
        >>> bool(30 < found.day < 42), round(found.stated, 2), found.observed > found.stated
        (True, 0.1, True)
    """
    many, w, wy, wc = (np.asarray(x, dtype=np.float64) for x in (n, weight, weighted_failures, weighted_confidence))
    # The largest weight seen so far: what a design with fixed inclusion probabilities shows on its first day.
    largest = np.maximum.accumulate(np.asarray(weight_max, dtype=np.float64).max(axis=1))[:, None]
    has = (many > 0) & (w > 0)
    stated = np.where(has, 1.0 - wc / np.where(has, w, 1.0), 0.5)
    null = np.clip(stated + slack, LEAST_RATE, 0.98)
    scale = np.where(largest > 0, largest, 1.0)
    logs = log_ratio_bets(wy, w, scale, null, 1.0 + np.array(RISES) / null[..., None])
    evidence = run_e_detector(np.where(has[..., None], logs, 0.0).sum(axis=1))
    at = int(first_crossing(evidence, line))
    until = len(evidence) if at < 0 else at + 1
    recent = slice(max(0, until - 28), until)
    total = float(w[recent].sum())
    return Reliability(
        day=None if at < 0 else at,
        evidence=evidence,
        stated=None if total <= 0 else float(1.0 - wc[recent].sum() / total),
        observed=None if total <= 0 else float(wy[recent].sum() / total),
        labels=int(many[recent].sum()),
    )
