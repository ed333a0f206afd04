"""Time series for charts: quality per tier and over all tiers, routing share, evidence."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.estimators.quality import quality_estimate
from undertow.estimators.sums import weighted_sums
from undertow.records.label_grid import LabelGrid
from undertow.records.report import Series, SeriesPoint
from undertow.records.segment import Segment
from undertow.records.traffic_grid import TrafficGrid

WEEK_S = 7 * 86_400


def quality_series(
    grid: LabelGrid,
    tiers: Sequence[int],
    name: str,
    tier: str | None,
    segment: Segment,
    signal: str,
    level: float,
    bucket_s: int,
    step_s: int = WEEK_S,
) -> Series:
    """Quality per week of decision (or per `step_s` seconds), with an interval for each of them on its own."""
    step = max(1, step_s // bucket_s)
    points = []
    for start in range(0, grid.buckets, step):
        found = quality_estimate(weighted_sums(grid.window(start, start + step), tiers), level)
        points.append(SeriesPoint(_at(grid.first_bucket + start, bucket_s), found.mean, found.interval, found.n))
    return Series(name, tier, segment, signal, tuple(points))


def share_series(traffic: TrafficGrid, tiers: Sequence[str], bucket_s: int, segment: Segment) -> tuple[Series, ...]:
    """Share of served requests per tier and day."""
    step = max(1, 86_400 // bucket_s)
    served = traffic.served
    edges = range(0, len(served), step)
    sums = np.array([served[start : start + step].sum(0) for start in edges])
    total = sums.sum(1)
    lines = []
    for code, tier in enumerate(tiers):
        points = tuple(
            SeriesPoint(
                _at(traffic.first_bucket + start, bucket_s),
                float(row[code] / n) if n > 0 else None,
                None,
                float(n),
            )
            for start, row, n in zip(edges, sums, total, strict=True)
        )
        lines.append(Series(f"share served by {tier}", tier, segment, None, points))
    return tuple(lines)


def evidence_series(
    evidence: npt.NDArray[np.float64], first_bucket: int, bucket_s: int, name: str, segment: Segment
) -> Series:
    """log10 of summed evidence per bucket; None before there is any."""
    points = tuple(
        SeriesPoint(_at(first_bucket + i + 1, bucket_s), float(np.log10(value)) if value > 0 else None, None, 0.0)
        for i, value in enumerate(evidence)
    )
    return Series(name, None, segment, None, points)


def _at(bucket: int, bucket_s: int) -> datetime:
    return datetime.fromtimestamp(bucket * bucket_s, UTC)
