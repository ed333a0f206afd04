"""What drifts, for people: escalations, novelty and shares over time, and distributions then and now, of any tier and segment."""

from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from undertow.estimators.series import share_series
from undertow.records.cells import NOVELTY_BINS, AuditCells, BinCells, Table
from undertow.records.report import Histogram, Series, SeriesPoint
from undertow.records.segment import WHOLE, Segment
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.confidence_histogram import WINDOW_DAYS
from undertow.services.log_days import DAY_S, LogDays

FloatArray = npt.NDArray[np.float64]
AnyTable = TypeVar("AnyTable", bound=Table)

SCORE_TENTHS = 10

RATES: dict[str, tuple[str, str]] = {
    "escalations": ("escalated", "escalation_n"),
    "novelty": ("novelty", "novelty_n"),
    "refusals": ("refusals", "refusal_n"),
    "hedging": ("hedging", "hedging_n"),
}
"""Sums of `BehaviourCells`, and the number of decisions of which the log says them."""


def log_axis(cells: AuditCells) -> LogDays:
    """The days of a log's decisions."""
    day = cells.traffic.bucket * cells.bucket_s // DAY_S
    return LogDays(int(day.min()), int(day.max() - day.min()) + 1)


def rate_line(
    cells: AuditCells,
    what: Literal["escalations", "novelty", "refusals", "hedging"],
    tier: str | None = None,
    segment: Segment = WHOLE,
) -> Series | None:
    """Mean per day of a quantity that the log says of decisions, or None: it says it of none.

    Args:
        cells: The log's sufficient statistics.
        what: One of `RATES`.
        tier: That served; None: any.
        segment: Requests that are counted.
    """
    column, number = RATES[what]
    axis, table = log_axis(cells), _at(cells, cells.behaviour, tier, segment)
    row = axis.rows(table.bucket, cells.bucket_s)
    n = np.bincount(row, getattr(table, number), axis.size)
    total = np.bincount(row, getattr(table, column), axis.size)
    if n.sum() <= 0:
        return None
    points = tuple(
        SeriesPoint(axis.time(day), float(total[day] / n[day]) if n[day] > 0 else None, None, float(n[day]))
        for day in range(axis.size)
    )
    return Series(what, tier, segment, None, points)


def share_lines(cells: AuditCells, segment: Segment = WHOLE) -> tuple[Series, ...]:
    """Share of served requests per tier and day in a segment; empty where the log does not know it."""
    if segment not in cells.segments:
        return ()
    first, buckets = bucket_range(cells)
    grid = traffic_grid(cells, cells.segments.index(segment), first_bucket=first, buckets=buckets)
    return share_series(grid, cells.tiers, cells.bucket_s, segment)


def novelty_histogram(cells: AuditCells, tier: str | None = None, segment: Segment = WHOLE) -> Histogram | None:
    """Novelty in the first fortnight and in the last, on the axis v / (1 + v); None where the log does not say it.

    Args:
        cells: The log's sufficient statistics.
        tier: That served; None: any.
        segment: Requests that are counted.
    """
    counts = _binned(cells, _at(cells, cells.novelty, tier, segment), NOVELTY_BINS)
    axis = log_axis(cells)
    window = max(1, min(WINDOW_DAYS, axis.size // 2))
    before, now = counts[:window].sum(0), counts[-window:].sum(0)
    if before.sum() <= 0 or now.sum() <= 0:
        return None
    return Histogram(
        column="novelty",
        edges=tuple(np.linspace(0.0, 1.0, NOVELTY_BINS + 1).tolist()),
        baseline=tuple((before / before.sum()).tolist()),
        now=tuple((now / now.sum()).tolist()),
        baseline_period=(axis.time(0), axis.time(window)),
        now_period=(axis.time(axis.size - window), axis.time(axis.size)),
    )


def score_tenths(cells: AuditCells, tier: str | None = None, segment: Segment = WHOLE) -> tuple[float, ...] | None:
    """Share of the last fortnight's scores in each tenth of the scores that the calibration was fitted on; a tenth each if nothing changed.

    None where no calibration is known or no score was logged.

    Args:
        cells: The log's sufficient statistics.
        tier: That served; None: any.
        segment: Requests that are counted.
    """
    counts = _binned(cells, _at(cells, cells.scores, tier, segment), SCORE_TENTHS)
    now = counts[-max(1, min(WINDOW_DAYS, len(counts))) :].sum(0)
    return tuple((now / now.sum()).tolist()) if now.sum() > 0 else None


def _at(cells: AuditCells, table: AnyTable, tier: str | None, segment: Segment) -> AnyTable:
    code = cells.segments.index(segment) if segment in cells.segments else -1
    keep = table.segment == code  # type: ignore[attr-defined]
    if tier is not None:
        keep &= table.tier == (cells.tiers.index(tier) if tier in cells.tiers else len(cells.tiers))  # type: ignore[attr-defined]
    return table.take(keep)


def _binned(cells: AuditCells, table: BinCells, bins: int) -> FloatArray:
    """Decisions per day and bin. Shape (T, bins)."""
    axis = log_axis(cells)
    at = axis.rows(table.bucket, cells.bucket_s) * bins + table.bin
    return np.bincount(at, table.n, axis.size * bins).astype(np.float64).reshape(axis.size, bins)
