"""From label cells to summed evidence: the streams of a log, their weights, and the line they are held against.

Alarm-raising streams rest on people or on checks with a right answer. Judge-only and behavioural signals get a sum of their
own, which warns (unless the user trusts the judge).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undertow.detectors.multiplicity import Stream, alarm_line, combine, stream_weights
from undertow.detectors.quality_gap import SETTLING_S, SegmentData, StreamOptions, unit_streams
from undertow.estimators.periods import Periods
from undertow.records.cells import AuditCells
from undertow.records.label_grid import SignalUnit, label_grid, signal_units
from undertow.records.report import AuditSettings
from undertow.records.stream import MonitoredStream
from undertow.records.traffic_grid import bucket_range, traffic_grid

FloatArray = npt.NDArray[np.float64]

SECONDS_PER_DAY = 86_400

SELECTION_SHARES = {"census": 1.0, "sampled": 1.0, "volunteered": 0.2, "unknown": 0.2}
"""Relative shares of the alarm budget: volunteered labels are many but tell of those who volunteer."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Streams with weights and their sum.

    Attributes:
        streams: All streams, in a stable order.
        weights: Share of the budget per stream. Shape (S,).
        summed: Weighted sum of evidence per bucket. Shape (T,).
        armed_from: First bucket in which an alarm may be raised.
        line: Evidence at which it is.
    """

    streams: tuple[MonitoredStream, ...]
    weights: FloatArray
    summed: FloatArray
    armed_from: int
    line: float

    def at(self, bucket: int) -> FloatArray:
        """Evidence per stream at the end of a bucket, 0 where a stream did not count yet. Shape (S,)."""
        return np.array([s.evidence[bucket] if bucket >= s.first_seen else 0.0 for s in self.streams])


def raises_alarms(unit: SignalUnit, settings: AuditSettings) -> bool:
    """Whether a signal may raise an alarm, rather than warn."""
    return unit.basis in {"human", "exact"} or (unit.basis == "judge" and settings.trust_judge)


def unit_name(unit: SignalUnit) -> str:
    """A name that keeps units of one signal apart in the budget."""
    return f"{unit.name}/{unit.selection}/{unit.basis}"


def gather(cells: AuditCells, settings: AuditSettings, periods: Periods, *, alarms: bool) -> Evidence:
    """Evidence of all alarm-raising signals (or of all others).

    Args:
        cells: The log's sufficient statistics.
        settings: Margin, alpha, horizon.
        periods: Where the log divides.
        alarms: True for signals that raise alarms, False for those that only warn.
    """
    first, buckets = bucket_range(cells)
    armed_from = periods.routing_start + max(1, SETTLING_S // cells.bucket_s)
    units = [u for u in signal_units(cells) if raises_alarms(u, settings) == alarms]
    options = StreamOptions(
        bucket_s=cells.bucket_s,
        routing_start=periods.routing_start,
        baseline_until=periods.reference_end if settings.baseline_until is not None else None,
        margin=settings.margin,
        bound_alpha=settings.alpha
        / 4
        / max(1, _bounded(cells, units, first + periods.reference_end, first + armed_from)),
    )
    line = alarm_line(settings.horizon_days, settings.alpha)
    segments = watched_segments(cells)
    traffic = {code: traffic_grid(cells, code, first_bucket=first, buckets=buckets) for code in segments}
    is_steered = bool((cells.labels.steered != 0).any())
    streams: list[MonitoredStream] = []
    for unit in units:
        data = []
        for code in segments:
            grid = label_grid(cells, unit, code, first_bucket=first, buckets=buckets)
            plain = grid
            if is_steered:
                plain = label_grid(cells, unit, code, first_bucket=first, buckets=buckets, plain=True)
            before = label_grid(
                cells,
                unit,
                code,
                by="decided",
                first_bucket=first,
                buckets=max(periods.reference_end, 1),
                until_available=first + armed_from,
            )
            if periods.reference_is_routed:
                before = before.window(0, 0)
            if grid.n.sum() > 0:
                data.append(SegmentData(code, grid, plain, before, traffic[code]))
        if data and data[0].segment == 0:
            streams += unit_streams(unit, data, options)
    streams.sort(key=lambda s: (unit_name(s.unit), s.role, s.name))
    if not streams:
        return Evidence((), np.zeros(0), np.zeros(buckets), armed_from, line)
    shares = {unit_name(u): SELECTION_SHARES[u.selection] for u in units}
    weights = stream_weights(
        [Stream(unit_name(s.unit), s.role, s.name, s.first_seen) for s in streams], armed_from, shares
    )
    # Detectors restart once a bucket with weight 1; the line counts days. Hourly restarts weigh 1/24 each.
    per_day = cells.bucket_s / SECONDS_PER_DAY
    streams = [replace(s, evidence=s.evidence * per_day) for s in streams]
    evidence = np.stack([np.where(np.arange(buckets) >= s.first_seen, s.evidence, 0.0) for s in streams], axis=-1)
    return Evidence(
        tuple(streams),
        weights,
        combine(weights, evidence),
        armed_from,
        line,
    )


def _bounded(cells: AuditCells, units: Sequence[SignalUnit], reference_end: int, armed_from: int) -> int:
    """How many tiers and signals may be held against a bound from the reference period: they share its error.

    Settled before any alarm may be raised, so that a signal yet to come moves no bound.
    """
    early = (cells.labels.decided < reference_end) & (cells.labels.available < armed_from)
    signals = sum(unit.shows_level and bool((early & unit.mask(cells.labels)).any()) for unit in units)
    return signals * (len(cells.tiers) - 1)


def watched_segments(cells: AuditCells) -> list[int]:
    """Segment codes with labels, the whole tier first."""
    present = np.unique(cells.labels.segment)
    return [0, *(int(code) for code in present if code != 0)]
