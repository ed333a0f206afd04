"""Drift of what the router sees and does: warnings only, they never prove harm.

Three kinds of daily series, each watched by charts of `undertow.detectors.ewma`: a distribution (its mean, and the share in the tail that
the first fortnight seldom saw), a rate, and a mean. Rates are charted as the arcsine of their root and means of positive quantities as
their logarithm, so that ordinary days are about normal; sizes are told in the quantity's own unit.

A distribution may also be set against one that is known beforehand: the scores that a calibration was fitted on. The chart is then of
the mean rank of a day's scores among the ten equal shares of those, and bears what a sample of that size may be off by.

PSI and the Wasserstein distance are returned for people to look at; as alarms they are useless (PSI > 0.2 never fired in any
configuration tried; KS and chi-square fire on every healthy run once there is ordinary day-to-day noise).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.detectors.ewma import FIRST_DAYS, Chart, chart
from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]

TAIL_SHARE = 0.10
"""The tail is the set of outermost bins that held at most this share of the first fortnight."""

MIN_DAY_N = 20.0
"""A day with fewer observations says nothing."""

RANK_SLACK = 0.25
"""Ranks (of nine) that a live mean may be off the training period's: labels are never drawn from quite the same traffic."""

What = Literal["mean", "tail", "rate", "rank"]


@dataclass(frozen=True, slots=True)
class Drift:
    """Outcome of a drift monitor.

    Attributes:
        enough_history: Whether there are days to test. If not, nothing was tested.
        day: Row of the first day on which a chart reached its line, or None.
        direction: Whether the quantity rose or fell, or None.
        what: Which chart: the mean, the tail share, the rate, or the rank among the training period's scores.
        before: The quantity in the days that were compared with, in its own unit; None without a crossing.
        now: The same in the last four days up to the crossing.
        statistic: Size of the smoothed deviation per day, in standard deviations of a day (NaN where nothing was tested). Shape (T,).
        line: What it is compared with; NaN without enough history.
        psi: Population stability index of the last 28 days against the first fortnight (or the training period), or None.
        wasserstein: Wasserstein distance (as a share of the range) of the same, or None.
    """

    enough_history: bool
    day: int | None
    direction: Literal["up", "down"] | None
    what: What | None
    before: float | None
    now: float | None
    statistic: FloatArray
    line: float
    psi: float | None = None
    wasserstein: float | None = None

    @property
    def size(self) -> float | None:
        """How far it moved; None without a crossing."""
        return None if self.now is None or self.before is None else self.now - self.before


def population_stability_index(baseline: npt.ArrayLike, now: npt.ArrayLike) -> float:
    """`sum (q - p) log(q / p)` over bins, half a count added to each bin.

    Args:
        baseline: Counts per bin. Shape (B,).
        now: Counts per bin. Shape (B,).

    Returns:
        PSI, at least 0. Credit-scoring custom calls above 0.2 a shift; shown, never alarmed on.

    Examples:
        >>> population_stability_index([50, 50], [50, 50]), round(population_stability_index([50, 50], [80, 20]), 2)
        (0.0, 0.41)
    """
    p, q = (np.asarray(x, dtype=np.float64) + 0.5 for x in (baseline, now))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def wasserstein_distance(baseline: npt.ArrayLike, now: npt.ArrayLike) -> float:
    """First Wasserstein distance between two histograms of equal bins over [0, 1]: how far the average score was moved.

    Examples:
        All of it moved by one of four bins:

        >>> wasserstein_distance([10, 0, 0, 0], [0, 10, 0, 0])
        0.25
    """
    p, q = (np.asarray(x, dtype=np.float64) for x in (baseline, now))
    if p.sum() <= 0.0 or q.sum() <= 0.0:
        raise StatisticalError("Wasserstein distance of an empty histogram: expected at least one count on both sides")
    return float(np.sum(np.abs(np.cumsum(p / p.sum() - q / q.sum()))) / len(p))


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a chart's sizes are told from: a total and a number per day."""

    total: FloatArray
    n: FloatArray

    def mean(self, start: int, stop: int) -> float | None:
        n = self.n[start:stop].sum()
        return float(self.total[start:stop].sum() / n) if n > 0 else None


def _found(chart_of: Chart, what: What, sums: _Sums, *, before: float | None = None) -> Drift:
    at = chart_of.day
    tested = not np.isnan(chart_of.line)
    if at is None:
        return Drift(tested, None, None, None, None, None, np.abs(chart_of.statistic), chart_of.line)
    known = before if before is not None else sums.mean(0, _reference_end(at))
    return Drift(
        enough_history=tested,
        day=at,
        direction="up" if chart_of.up else "down",
        what=what,
        before=known,
        now=sums.mean(max(at - 3, FIRST_DAYS), at + 1),
        statistic=np.abs(chart_of.statistic),
        line=chart_of.line,
    )


def _reference_end(row: int) -> int:
    """End of what a row is compared with, days without traffic left aside (they hold nothing)."""
    return max(FIRST_DAYS, min(row - FIRST_DAYS + 1, 56))


def rate_drift(
    part: npt.ArrayLike, total: npt.ArrayLike, alpha: float, horizon_days: int, *, first_weekday: int = 0
) -> Drift:
    """Drift of a rate: the part of the decisions that one tier served, that was escalated, that was refused.

    A rollout moves shares on purpose: the caller begins anew at each policy version.

    Args:
        part: Decisions of the part per day. Shape (T,).
        total: All decisions per day. Shape (T,).
        alpha: Probability of a false warning over `horizon_days`.
        horizon_days: Days over which alpha is spent.
        first_weekday: Weekday of row 0, 0 to 6.

    Examples:
        >>> rng = np.random.default_rng(2)
        >>> cheap = rng.binomial(1000, np.where(np.arange(60) < 40, 0.65, 0.72))
        >>> drift = rate_drift(cheap, np.full(60, 1000), 0.01, 180)
        >>> drift.direction, bool(40 <= drift.day <= 46), round(drift.before, 2), round(drift.now, 1)
        ('up', True, 0.65, 0.7)
    """
    k, n = np.asarray(part, dtype=np.float64), np.asarray(total, dtype=np.float64)
    enough = n >= MIN_DAY_N
    safe = np.where(enough, n, 1.0)
    root = 2.0 * np.arcsin(np.sqrt(np.clip((k + 0.375) / (safe + 0.75), 0.0, 1.0)))
    values = np.where(enough, root, np.nan)
    least = 1.0 / np.sqrt(_typical(n, enough))
    return _found(chart(values, alpha, horizon_days, least_sd=least, first_weekday=first_weekday), "rate", _Sums(k, n))


def mean_drift(
    total: npt.ArrayLike,
    n: npt.ArrayLike,
    alpha: float,
    horizon_days: int,
    *,
    relative_sd: float = 0.0,
    first_weekday: int = 0,
) -> Drift:
    """Drift of the mean of a positive quantity, such as the tokens of an answer.

    Args:
        total: Sum of it per day. Shape (T,).
        n: Over how many. Shape (T,).
        alpha: Probability of a false warning over `horizon_days`.
        horizon_days: Days over which alpha is spent.
        relative_sd: Standard deviation of one observation over its mean, as far as it is known: what sampling alone moves.
        first_weekday: Weekday of row 0, 0 to 6.

    Examples:
        >>> rng = np.random.default_rng(3)
        >>> total = rng.normal(np.where(np.arange(60) < 40, 300, 340), 8.0) * 500
        >>> drift = mean_drift(total, np.full(60, 500), 0.001, 180)
        >>> drift.direction, bool(drift.day < 45)
        ('up', True)
    """
    sums, many = np.asarray(total, dtype=np.float64), np.asarray(n, dtype=np.float64)
    enough = (many >= MIN_DAY_N) & (sums > 0.0)
    values = np.where(enough, np.log(np.where(enough, sums, 1.0) / np.where(enough, many, 1.0)), np.nan)
    least = max(relative_sd, 0.02) / np.sqrt(_typical(many, enough))
    return _found(
        chart(values, alpha, horizon_days, least_sd=least, first_weekday=first_weekday), "mean", _Sums(sums, many)
    )


def distribution_drift(
    counts: npt.ArrayLike,
    total: npt.ArrayLike,
    alpha: float,
    horizon_days: int,
    *,
    tail: Literal["low", "high"] = "low",
    first_weekday: int = 0,
) -> Drift:
    """Drift of a distribution in [0, 1]: its daily mean and the share in its tail, each at alpha / 2.

    Args:
        counts: Histogram counts per day and bin (equal bins over [0, 1]). Shape (T, B).
        total: Sum of the values per day. Shape (T,).
        alpha: Probability of a false warning over `horizon_days`.
        horizon_days: Days over which alpha is spent.
        tail: Which end is watched: low for a confidence, high for a novelty.
        first_weekday: Weekday of row 0, 0 to 6; only days seven apart need to agree.

    Returns:
        The first of both charts to reach its line, with PSI and Wasserstein distance of the last 28 days.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> days = [rng.multinomial(1000, [0.1, 0.2, 0.3, 0.4] if t < 60 else [0.2, 0.2, 0.3, 0.3]) for t in range(90)]
        >>> drift = distribution_drift(days, np.array(days) @ np.array([0.125, 0.375, 0.625, 0.875]), 0.01, 180)
        >>> drift.direction, bool(60 <= drift.day <= 66)
        ('down', True)
    """
    histogram, sums = np.asarray(counts, dtype=np.float64), np.asarray(total, dtype=np.float64)
    n = histogram.sum(axis=1)
    enough = n >= MIN_DAY_N
    # Of days that count: a log that begins thinly has its first fortnight later.
    first = np.flatnonzero(enough)[:FIRST_DAYS]
    reference = histogram[first].sum(axis=0)
    if reference.sum() <= 0.0:
        nothing = np.full(len(n), np.nan)
        return Drift(False, None, None, None, None, None, nothing, float("nan"))
    bins = histogram.shape[1]
    centre = (np.arange(bins) + 0.5) / bins
    share = reference / reference.sum()
    sd = float(np.sqrt(max(share @ centre**2 - (share @ centre) ** 2, 0.0)))
    typical = _typical(n, enough)
    values = np.where(enough, sums / np.where(enough, n, 1.0), np.nan)
    means = chart(values, alpha / 2, horizon_days, least_sd=sd / np.sqrt(typical), first_weekday=first_weekday)
    outer = share if tail == "low" else share[::-1]
    width = max(1, int(np.searchsorted(np.cumsum(outer), TAIL_SHARE, side="right")))
    in_tail = (histogram if tail == "low" else histogram[:, ::-1])[:, :width].sum(axis=1)
    found = [
        _found(means, "mean", _Sums(sums, n)),
        _renamed(rate_drift(in_tail, n, alpha / 2, horizon_days, first_weekday=first_weekday), "tail"),
    ]
    return _first(found, reference, histogram[max(FIRST_DAYS, len(n) - 28) :].sum(axis=0))


def training_drift(
    counts: npt.ArrayLike,
    expected: Sequence[float],
    labels: float,
    alpha: float,
    horizon_days: int,
    *,
    first_weekday: int = 0,
) -> Drift:
    """Drift of scores from those that a calibration was fitted on, by their mean rank among its shares.

    Args:
        counts: Scores per day and share. Shape (T, S).
        expected: Part of the training period in each share, in all 1. Length S.
        labels: How many scores the training period had.
        alpha: Probability of a false warning over `horizon_days`, while the live mean rank is within what the slack bears.
        horizon_days: Days over which alpha is spent.
        first_weekday: Weekday of row 0, 0 to 6.

    Examples:
        >>> rng = np.random.default_rng(4)
        >>> days = rng.multinomial(500, [0.1] * 10, 40)
        >>> training_drift(days, [0.1] * 10, 2000, 0.01, 180).day is None
        True
        >>> lower = rng.multinomial(500, np.linspace(0.19, 0.01, 10), 40)
        >>> training_drift(lower, [0.1] * 10, 2000, 0.01, 180).direction
        'down'
    """
    histogram, part = np.asarray(counts, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    n = histogram.sum(axis=1)
    enough = n >= MIN_DAY_N
    rank = np.arange(len(part), dtype=np.float64)
    level = float(part @ rank)
    sd = float(np.sqrt(max(part @ rank**2 - level**2, 0.0)))
    sums = histogram @ rank
    slack = RANK_SLACK + 2.0 * sd / np.sqrt(max(labels, 1.0))
    found = _found(
        chart(
            np.where(enough, sums / np.where(enough, n, 1.0), np.nan),
            alpha,
            horizon_days,
            least_sd=sd / np.sqrt(_typical(n, enough)),
            first_weekday=first_weekday,
            level=level,
            slack=float(slack),
        ),
        "rank",
        _Sums(sums, n),
        before=level,
    )
    return _first([found], part * max(labels, 1.0), histogram[-28:].sum(axis=0))


def _typical(n: FloatArray, enough: npt.NDArray[np.bool_]) -> float:
    """Number of observations of a usual day among the first fortnight that counts; at least 1."""
    first = n[enough][:FIRST_DAYS]
    return float(np.median(first)) if len(first) else 1.0


def _renamed(found: Drift, what: What) -> Drift:
    named = what if found.what is not None else None
    return Drift(
        found.enough_history, found.day, found.direction, named, found.before, found.now, found.statistic, found.line
    )


def _first(found: Sequence[Drift], reference: FloatArray, now: FloatArray) -> Drift:
    """The earliest crossing (the first named where there is none), with what people look at."""
    chosen = min(found, key=lambda drift: np.inf if drift.day is None else drift.day)
    seen = now.sum() > 0.0
    return Drift(
        chosen.enough_history,
        chosen.day,
        chosen.direction,
        chosen.what,
        chosen.before,
        chosen.now,
        chosen.statistic,
        chosen.line,
        population_stability_index(reference, now) if seen else None,
        wasserstein_distance(reference, now) if seen else None,
    )
