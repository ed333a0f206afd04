"""Charts of daily quantities: each day against the days before it, smoothed, against a line that ordinary days seldom reach.

One chart is one daily series. Day t is compared with a reference: the first fortnight, growing by whole weeks up to eight of them, the last
fortnight before t never in it, so that what has just begun to drift is no part of what it is compared with, and what drifts slowly for
months still is. From four weeks on each weekday has a level of its own. The deviation is standardised as a predicted value of a
normal series with estimated mean and spread (Student's t, made normal), clipped at `CLIP` so that one odd day is no drift, and smoothed
by an exponentially weighted moving average (EWMA, factor .2).

The line comes from a simulation of the very same chart on normal days, so that the estimated reference, its growth and the clipping are
all in it. Days that resemble the day before would cross it too often: the spread is widened by what the EWMA of an autoregressive
series with the reference's own lag-one correlation would have.

What is assumed: ordinary days are about normal around their weekday's level after a suitable transformation (the caller's: log of a mean,
arcsine of a rate), and no more dependent than the reference shows. What is not covered: a yearly season, holidays.

References:
    Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1. Quesenberry (1991), SPC Q charts for start-up
    processes and short or long runs, J. Quality Technology 23 (the standardised predicted value). Jones, Champ, Rigdon (2001), The
    performance of EWMA charts with estimated parameters, Technometrics 43. Wallace (1959), Bounds on normal approximations to
    Student's and the chi-square distributions, Ann. Math. Statist. 30 (the normal value of t).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SMOOTHING = 0.2
CLIP = 4.0
FIRST_DAYS = 14
"""Days of the first reference: before them nothing is tested."""
GAP_DAYS = 14
LONGEST_DAYS = 56
WEEKDAY_DAYS = 28
"""Days of reference from which on each weekday has its own level."""
MAX_CORRELATION = 0.6

_RUNS = 4_000
_SEED = 20_260
_TAIL = 0.02
"""Share of the simulated maxima that the far tail is extrapolated from."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Outcome of one chart.

    Attributes:
        day: First row at which the line was reached, or None.
        up: Whether the quantity had risen then.
        statistic: Smoothed deviation per row, in standard deviations of a day; NaN where nothing was tested. Shape (T,).
        line: What its size is compared with; NaN where the series is too short to test anything.
    """

    day: int | None
    up: bool
    statistic: FloatArray
    line: float


def reference_days(row: int) -> int:
    """How many of the first rows a row is compared with; 0: it is not tested.

    Examples:
        >>> [reference_days(row) for row in (13, 14, 34, 35, 42, 69, 70, 500)]
        [0, 14, 14, 21, 28, 49, 56, 56]
    """
    if row < FIRST_DAYS:
        return 0
    return min(max(FIRST_DAYS, 7 * ((row - GAP_DAYS) // 7)), LONGEST_DAYS)


def chart(
    values: npt.ArrayLike,
    alpha: float,
    horizon_days: int,
    *,
    least_sd: float = 0.0,
    first_weekday: int = 0,
    level: float | None = None,
    slack: float = 0.0,
) -> Chart:
    """Watch one daily series.

    Args:
        values: One value a day, NaN where the day had too little traffic. Shape (T,).
        alpha: Probability of a false crossing over `horizon_days`, in (0, 1).
        horizon_days: Days over which alpha is spent.
        least_sd: Smallest standard deviation that a day can have: sampling alone. Keeps a series that happened to stand still from
            warning of nothing.
        first_weekday: Weekday of row 0; only days seven apart need to agree.
        level: What the series is compared with, where that is known from elsewhere; the reference then gives the spread alone. None: the
            reference gives both.
        slack: Distance from it that counts for nothing.

    Examples:
        >>> days = np.random.default_rng(1).normal(0.7, 0.01, 60)
        >>> chart(days, 0.01, 180).day is None
        True
        >>> days[40:] -= 0.02
        >>> found = chart(days, 0.01, 180)
        >>> found.up, bool(40 < found.day < 48)
        (False, True)
    """
    series = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(series))
    nothing = np.full(len(series), np.nan)
    if len(known) <= FIRST_DAYS:
        return Chart(None, False, nothing, float("nan"))
    weekday = (first_weekday + known) % 7
    given = series[known]
    if level is not None:
        away = given - level
        # Beyond the slack only: the reference's own mean stays in the spread's computation, and out of the deviation.
        shown = np.sign(away) * np.maximum(np.abs(away) - slack, 0.0)
        smooth = _smoothed(_deviations(given[None], weekday, least_sd, shown[None]))[0]
    else:
        smooth = _smoothed(_deviations(given[None], weekday, least_sd))[0]
    line = line_for(alpha, horizon_days)
    nothing[known] = smooth
    hit = np.flatnonzero(np.abs(np.nan_to_num(smooth)) >= line)
    if not len(hit):
        return Chart(None, False, nothing, line)
    at = int(hit[0])
    return Chart(int(known[at]), bool(smooth[at] > 0.0), nothing, line)


def line_for(alpha: float, horizon_days: int) -> float:
    """The line that the largest smoothed deviation of ordinary days reaches within `horizon_days` with probability alpha.

    Beyond what the simulation shows often enough, an exponential tail is fitted to the largest maxima: the tail of a normal maximum
    falls faster, so the line errs to the cautious side.

    Examples:
        >>> bool(line_for(0.001, 180) > line_for(0.05, 180) > 1.0)
        True
    """
    maxima = _maxima(max(horizon_days, 1))
    if alpha >= _TAIL:
        return float(np.quantile(maxima, 1.0 - alpha))
    start = float(np.quantile(maxima, 1.0 - _TAIL))
    excess = float(np.mean(maxima[maxima > start] - start))
    return start + excess * float(np.log(_TAIL / alpha))


@lru_cache(maxsize=4)
def _maxima(horizon_days: int) -> FloatArray:
    """Largest smoothed deviation within the horizon of charts of normal days. Shape (runs,)."""
    days = FIRST_DAYS + horizon_days
    rng = np.random.default_rng(_SEED)
    weekday = np.arange(days, dtype=np.int64) % 7
    drawn = rng.standard_normal((_RUNS, days))
    return np.abs(_smoothed(_deviations(drawn, weekday, 0.0))[:, FIRST_DAYS:]).max(axis=1)


def _deviations(values: FloatArray, weekday: IntArray, least_sd: float, shown: FloatArray | None = None) -> FloatArray:
    """Standardised deviations of known days, about N(0, 1) each, clipped; NaN before there is a reference. Shape (N, T).

    With `shown`, those are the deviations (from a level that is known), and `values` give their spread.
    """
    days = values.shape[1]
    out = np.full(values.shape, np.nan)
    start = FIRST_DAYS
    while start < days:
        count = reference_days(start)
        stop = start + 1
        while stop < days and reference_days(stop) == count:
            stop += 1
        level, sd, freedom = _reference(values[:, :count], weekday[:count], least_sd)
        part = slice(start, stop)
        away = values[:, part] - level[:, weekday[part]] if shown is None else shown[:, part]
        out[:, part] = _normal(away / sd[:, None], freedom)
        start = stop
    return out


def _reference(values: FloatArray, weekday: IntArray, least_sd: float) -> tuple[FloatArray, FloatArray, int]:
    """Level of each weekday, shape (N, 7), standard deviation of a predicted day, shape (N,), and degrees of freedom."""
    count = values.shape[1]
    by_weekday = count >= WEEKDAY_DAYS and bool((np.bincount(weekday, minlength=7) > 1).all())
    groups = weekday if by_weekday else np.zeros(count, dtype=np.int64)
    size = 7 if by_weekday else 1
    member = (groups[:, None] == np.arange(size)).astype(np.float64)
    level = values @ member / member.sum(0)
    residual = values - level[:, groups]
    freedom = count - size
    squares = np.sum(residual**2, axis=1)
    tiny = np.finfo(np.float64).tiny
    lagged = np.sum(residual[:, 1:] * residual[:, :-1], axis=1) / np.maximum(squares, tiny)
    kept = np.clip(lagged, 0.0, MAX_CORRELATION) * (1.0 - SMOOTHING)
    # A level that is a mean of few days is itself uncertain.
    widened = np.sqrt((1.0 + kept) / (1.0 - kept) * (1.0 + size / count))
    sd = np.maximum(np.maximum(np.sqrt(squares / freedom), least_sd) * widened, tiny)
    return np.broadcast_to(level, (len(values), 7)) if size == 1 else level, sd, freedom


def _normal(t: FloatArray, freedom: int) -> FloatArray:
    """The normal value of a Student t, clipped. Wallace's formula: off by less than .02 within the clip."""
    root = np.sqrt(freedom * np.log1p(np.clip(t, -1e6, 1e6) ** 2 / freedom))
    return np.clip(np.copysign(root * ((8 * freedom + 1) / (8 * freedom + 3)), t), -CLIP, CLIP)


def _smoothed(deviations: FloatArray) -> FloatArray:
    """EWMA along the last axis, from 0, beginning where there is a reference. Shape (N, T)."""
    by_day = np.ascontiguousarray(deviations.T)
    smooth = np.zeros(by_day.shape[1])
    for today in by_day[FIRST_DAYS:]:
        smooth += SMOOTHING * (today - smooth)
        today[:] = smooth
    return by_day.T
