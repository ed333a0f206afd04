"""Drift of what the router sees and does: warnings only, they never prove harm.

Two kinds of series: routing confidence (its daily mean, and the share in the tail that the baseline seldom saw) and the routing
share of the cheap tier. Each day is standardised by the baseline's own day-to-day variation, smoothed by an exponentially weighted
moving average (EWMA, factor .2), and compared with a threshold that a bootstrap of the baseline gives: baseline and future days
are drawn from the observed days, by weekday where there are enough weeks, and standardised by the drawn baseline, so a short
baseline or a small reference widens the threshold by itself.

PSI and the Wasserstein distance are returned for people to look at; as alarms they are useless (PSI > 0.2 never fired in any
configuration tried; KS and chi-square fire on every healthy run once there is ordinary day-to-day noise).

References:
    Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1. Jones, Champ, Rigdon (2001), The
    performance of EWMA charts with estimated parameters, Technometrics 43 (why estimated baselines need wider limits).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SMOOTHING = 0.2
MIN_BASELINE_DAYS = 14
"""Fewest baseline days with data; below it there is no telling ordinary variation from drift."""

WEEKDAY_WEEKS = 4
"""Weeks of baseline from which on days are standardised and drawn by weekday."""

TAIL_SHARE = 0.10
"""The tail is the set of lowest bins that held at most this share of the baseline."""

_BOOTSTRAPS = 400
_MIN_DAY_N = 20.0


@dataclass(frozen=True, slots=True)
class Drift:
    """Outcome of a drift monitor.

    Attributes:
        enough_history: Whether the baseline was long enough to set a threshold. If not, nothing was tested.
        day: Row of the first day on which the statistic crossed the threshold, or None.
        direction: Whether the quantity rose or fell, or None.
        what: Which statistic crossed: the mean, the tail share, or the routing share.
        size: Mean of the quantity from seven days before the crossing on, minus the baseline's; None without crossing.
        statistic: Largest absolute smoothed deviation per day, in standard deviations of a day (NaN before monitoring). Shape (T,).
        threshold: What it is compared with; NaN without enough history.
        psi: Population stability index of the last 28 monitored days against the baseline, or None.
        wasserstein: Wasserstein distance (units of the score's range) of the same, or None.
    """

    enough_history: bool
    day: int | None
    direction: Literal["up", "down"] | None
    what: Literal["mean", "tail", "share"] | None
    size: float | None
    statistic: FloatArray
    threshold: float
    psi: float | None = None
    wasserstein: float | None = None


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
class _Chart:
    day: int | None
    up: bool
    statistic: FloatArray
    threshold: float


def _weekday_means(values: FloatArray, weekday: IntArray, known: npt.NDArray[np.bool_], by_weekday: bool) -> FloatArray:
    """Baseline level for each weekday, or one level for all. Shape (7,)."""
    overall = float(np.mean(values[known]))
    if not by_weekday:
        return np.full(7, overall)
    return np.array(
        [np.mean(values[known & (weekday == d)]) if (known & (weekday == d)).any() else overall for d in range(7)]
    )


def _ewma_extremes(deviations: FloatArray) -> FloatArray:
    """Absolute EWMA per day, days on the last axis; unknown days (NaN) leave it as it is."""
    smooth = np.zeros(deviations.shape[:-1])
    out = np.empty_like(deviations)
    for t in range(deviations.shape[-1]):
        today = deviations[..., t]
        smooth = np.where(np.isnan(today), smooth, (1.0 - SMOOTHING) * smooth + SMOOTHING * np.nan_to_num(today))
        out[..., t] = smooth
    return out


def _chart(
    values: FloatArray,
    weekday: IntArray,
    baseline_days: int,
    horizon_days: int,
    alpha: float,
    rng: np.random.Generator,
    least_sd: float,
) -> _Chart | None:
    """EWMA chart of one daily series with a bootstrapped threshold; None with too little history."""
    known = ~np.isnan(values)
    in_baseline = known & (np.arange(len(values)) < baseline_days)
    count = int(in_baseline.sum())
    if count < MIN_BASELINE_DAYS:
        return None
    by_weekday = count >= 7 * WEEKDAY_WEEKS and baseline_days >= 7 * WEEKDAY_WEEKS
    level = _weekday_means(values, weekday, in_baseline, by_weekday)
    parameters = 7 if by_weekday else 1
    residual = values - level[weekday]
    sd = max(float(np.sqrt(np.sum(residual[in_baseline] ** 2) / max(count - parameters, 1))), least_sd)
    deviation = np.where(known, residual / sd, np.nan)
    pool = residual[in_baseline] * np.sqrt(count / max(count - parameters, 1))
    scale = max(float(np.std(pool)), least_sd)
    shape = (_BOOTSTRAPS, count + horizon_days)
    # A smoothed bootstrap: the few days seen are no bound on what ordinary days can be.
    drawn = 0.8 * rng.choice(pool - pool.mean(), shape) + 0.6 * scale * rng.standard_normal(shape)
    base, future = drawn[:, :count], drawn[:, count:]
    if by_weekday:
        slots = np.arange(count) % 7
        means = np.stack([base[:, slots == d].mean(axis=1) for d in range(7)], axis=1)
        base = base - means[:, slots]
        future = future - means[:, np.arange(horizon_days) % 7]
    else:
        mean = base.mean(axis=1, keepdims=True)
        base, future = base - mean, future - mean
    spread = np.maximum(np.sqrt(np.sum(base**2, axis=1) / max(count - parameters, 1)), least_sd)
    threshold = float(np.quantile(np.abs(_ewma_extremes(future / spread[:, None])).max(axis=1), 1.0 - 0.8 * alpha))
    smooth = np.full(len(values), np.nan)
    smooth[baseline_days:] = _ewma_extremes(deviation[None, baseline_days:])[0]
    hit = np.flatnonzero(np.abs(smooth[baseline_days:]) >= threshold)
    if len(hit) == 0:
        return _Chart(None, False, smooth, threshold)
    day = baseline_days + int(hit[0])
    return _Chart(day, bool(smooth[day] > 0.0), smooth, threshold)


def _size(values: FloatArray, baseline_days: int, day: int | None) -> float | None:
    if day is None:
        return None
    recent = values[max(baseline_days, day - 6) : day + 1]
    return float(np.nanmean(recent) - np.nanmean(values[:baseline_days]))


def confidence_drift(
    counts: npt.ArrayLike,
    total: npt.ArrayLike,
    baseline_days: int,
    rng: np.random.Generator,
    alpha: float = 0.05,
    horizon_days: int = 180,
    first_weekday: int = 0,
) -> Drift:
    """Drift of routing confidence: its daily mean and the share in its lower tail, each at alpha / 2.

    Args:
        counts: Histogram counts per day and bin (equal bins over [0, 1]). Shape (T, B).
        total: Sum of the confidences per day. Shape (T,).
        baseline_days: Rows that are baseline.
        rng: For the bootstrap; a fixed seed makes the result a function of the log.
        alpha: Probability of a false warning over `horizon_days`.
        horizon_days: Days over which alpha is spent.
        first_weekday: Weekday of row 0, 0 to 6; only days seven apart need to agree.

    Returns:
        The first of both statistics to cross, with PSI and Wasserstein distance of the last 28 monitored days.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> days = [rng.multinomial(1000, [0.1, 0.2, 0.3, 0.4] if t < 60 else [0.2, 0.2, 0.3, 0.3]) for t in range(90)]
        >>> total = np.array(days) @ np.array([0.125, 0.375, 0.625, 0.875])
        >>> drift = confidence_drift(days, total, 60, rng)
        >>> drift.direction, bool(60 <= drift.day <= 66)
        ('down', True)
    """
    histogram = np.asarray(counts, dtype=np.float64)
    n = histogram.sum(axis=1)
    enough = n >= _MIN_DAY_N
    safe_n = np.where(enough, n, 1.0)
    weekday = (first_weekday + np.arange(len(n), dtype=np.int64)) % 7
    reference = histogram[:baseline_days].sum(axis=0)
    typical = float(np.median(n[:baseline_days][enough[:baseline_days]])) if enough[:baseline_days].any() else 0.0
    if typical <= 0.0:
        return Drift(False, None, None, None, None, np.full(len(n), np.nan), float("nan"))
    centre = (np.arange(histogram.shape[1]) + 0.5) / histogram.shape[1]
    share = reference / reference.sum()
    variance = float(share @ centre**2 - (share @ centre) ** 2)
    tail_bins = max(1, int(np.searchsorted(np.cumsum(share), TAIL_SHARE, side="right")))
    tail = float(share[:tail_bins].sum())
    series = {
        "mean": (np.where(enough, np.asarray(total, dtype=np.float64) / safe_n, np.nan), np.sqrt(variance / typical)),
        "tail": (
            np.where(enough, histogram[:, :tail_bins].sum(axis=1) / safe_n, np.nan),
            np.sqrt(max(tail * (1.0 - tail), 1.0 / reference.sum()) / typical),
        ),
    }
    charts = {
        what: _chart(values, weekday, baseline_days, horizon_days, alpha / 2.0, rng, float(sampling))
        for what, (values, sampling) in series.items()
    }
    now = histogram[max(baseline_days, len(n) - 28) :].sum(axis=0)
    seen = now.sum() > 0.0
    psi = population_stability_index(reference, now) if seen else None
    moved = wasserstein_distance(reference, now) if seen else None
    if charts["mean"] is None or charts["tail"] is None:
        return Drift(False, None, None, None, None, np.full(len(n), np.nan), float("nan"), psi, moved)
    crossed = [(chart.day, what) for what, chart in charts.items() if chart is not None and chart.day is not None]
    what: Literal["mean", "tail"] = "mean" if not crossed or min(crossed)[1] == "mean" else "tail"
    chart = charts[what]
    assert chart is not None  # both were checked above
    direction: Literal["up", "down"] | None = None if chart.day is None else "up" if chart.up else "down"
    return Drift(
        enough_history=True,
        day=chart.day,
        direction=direction,
        what=None if chart.day is None else what,
        size=_size(series[what][0], baseline_days, chart.day),
        statistic=np.abs(chart.statistic),
        threshold=chart.threshold,
        psi=psi,
        wasserstein=moved,
    )


def share_drift(
    cheap: npt.ArrayLike,
    total: npt.ArrayLike,
    baseline_days: int,
    rng: np.random.Generator,
    alpha: float = 0.05,
    horizon_days: int = 180,
    first_weekday: int = 0,
) -> Drift:
    """Drift of the routing share: the part of the decisions that one tier served.

    A rollout moves it on purpose: the caller restarts the baseline at each policy version, or says so beside the warning.

    Args:
        cheap: Decisions of the tier per day. Shape (T,).
        total: All decisions per day. Shape (T,).
        baseline_days: Rows that are baseline.
        rng: For the bootstrap.
        alpha: Probability of a false warning over `horizon_days`.
        horizon_days: Days over which alpha is spent.
        first_weekday: Weekday of row 0, 0 to 6.

    Returns:
        First crossing, direction and size (difference of shares).

    Examples:
        >>> rng = np.random.default_rng(2)
        >>> cheap = rng.binomial(1000, np.where(np.arange(60) < 40, 0.65, 0.72))
        >>> drift = share_drift(cheap, np.full(60, 1000), 40, rng)
        >>> drift.direction, bool(40 <= drift.day <= 46), round(drift.size, 1)
        ('up', True, 0.1)
    """
    part, n = np.asarray(cheap, dtype=np.float64), np.asarray(total, dtype=np.float64)
    enough = n >= _MIN_DAY_N
    share = np.where(enough, part / np.where(enough, n, 1.0), np.nan)
    in_baseline = enough & (np.arange(len(n)) < baseline_days)
    nothing = Drift(False, None, None, None, None, np.full(len(n), np.nan), float("nan"))
    if not in_baseline.any():
        return nothing
    p = float(part[in_baseline].sum() / n[in_baseline].sum())
    sampling = np.sqrt(max(p * (1.0 - p), 1.0 / n[in_baseline].sum()) / float(np.median(n[in_baseline])))
    weekday = (first_weekday + np.arange(len(n), dtype=np.int64)) % 7
    chart = _chart(share, weekday, baseline_days, horizon_days, alpha, rng, float(sampling))
    if chart is None:
        return nothing
    if chart.day is None:
        return Drift(True, None, None, None, None, np.abs(chart.statistic), chart.threshold)
    return Drift(
        True,
        chart.day,
        "up" if chart.up else "down",
        "share",
        _size(share, baseline_days, chart.day),
        np.abs(chart.statistic),
        chart.threshold,
    )
