"""From label cells to summed evidence: the streams of a log, their weights, and the line they are held against.

Alarm-raising streams rest on people or on checks with a right answer. Judge-only and behavioural signals get a sum of their
own, which warns (unless the user trusts the judge).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undertow.detectors.anchored_pairs import anchored_pairs_evidence
from undertow.detectors.multiplicity import (
    WARNED_BOUNDS_SHARE,
    Stream,
    alarm_line,
    combine,
    stream_weights,
    warning_line,
)
from undertow.detectors.quality_gap import SETTLING_S, SegmentData, StreamOptions, unit_streams
from undertow.detectors.topic_streams import Topic, topic_streams
from undertow.estimators.periods import Periods
from undertow.records.anchor_grid import anchor_grid, judges_with_anchor
from undertow.records.cells import BASIS_CODES, SELECTION_CODES, AuditCells
from undertow.records.label_grid import LabelGrid, SignalUnit, cells_by_segment, label_grid, own_steered, signal_units
from undertow.records.report import AuditSettings
from undertow.records.stream import MonitoredStream, Role
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.topics import MIN_TEXTS

FloatArray = npt.NDArray[np.float64]

SECONDS_PER_DAY = 86_400

ANCHOR_SETTLING_S = 3 * SECONDS_PER_DAY
"""How long after a decision its pair's verdicts may come, to be counted by the monitor that a judge narrows."""

MIN_ANCHORED_LABELS = 20.0
"""Pairs with both verdicts from which on there is such a monitor at all."""

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
    armed_from = alarms_armed_from(cells, periods)
    units = [u for u in signal_units(cells) if raises_alarms(u, settings) == alarms]
    options = StreamOptions(
        bucket_s=cells.bucket_s,
        routing_start=periods.routing_start,
        baseline_until=periods.reference_end if settings.baseline_until is not None else None,
        margin=settings.margin,
        bound_alpha=settings.alpha
        * (0.25 if alarms else WARNED_BOUNDS_SHARE)
        / max(1, _bounded(cells, units, first + periods.reference_end, first + armed_from)),
    )
    line = (alarm_line if alarms else warning_line)(settings.horizon_days, settings.alpha)
    segments = watched_segments(cells)
    traffic = {code: traffic_grid(cells, code, first_bucket=first, buckets=buckets) for code in segments}
    is_steered = bool((cells.labels.steered != 0).any())
    one = cells_by_segment(cells)
    alone = {code: one(code) for code in (*segments, *(cells.topics if alarms else ()))}
    streams: list[MonitoredStream] = []
    for unit in units:
        data = []
        for code in segments:
            mine = alone[code]
            grid = label_grid(mine, unit, code, first_bucket=first, buckets=buckets)
            plain = grid
            if is_steered or unit.merged is not None:
                plain = label_grid(mine, unit, code, first_bucket=first, buckets=buckets, plain=True)
            before = label_grid(
                mine,
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
                own = own_steered(mine, unit, code, plain) if is_steered and code != 0 else None
                data.append(SegmentData(code, grid, plain, before, traffic[code], own))
        if data and data[0].segment == 0:
            streams += unit_streams(unit, data, options)
            if alarms:
                streams += _anchored_streams(cells, unit, data, settings.margin, first, buckets)
                streams += _topic_streams(cells, alone, unit, data[0].plain, options, first, buckets)
    streams.sort(key=lambda s: (unit_name(s.unit), s.role, s.name))
    if not streams:
        return Evidence((), np.zeros(0), np.zeros(buckets), armed_from, line)
    shares = {unit_name(u): SELECTION_SHARES[u.selection] for u in units}
    begins = topics_announced(cells, units, first + armed_from) if alarms else {}
    budget = [Stream(unit_name(s.unit), s.role, s.name, _counts_since(s, cells, begins, armed_from)) for s in streams]
    # A share is put by for topics as soon as there are texts enough, so that finding the topics later moves no other weight.
    held = [
        Stream(name, "topic", "", armed_from)
        for name in begins
        if any(b.signal == name for b in budget) and not any(b.signal == name and b.role == "topic" for b in budget)
    ]
    weights = stream_weights([*budget, *held], armed_from, shares)[: len(budget)]
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


def _anchored_streams(
    cells: AuditCells, unit: SignalUnit, data: Sequence[SegmentData], margin: float, first: int, buckets: int
) -> list[MonitoredStream]:
    """Level monitors on the pairs of a signal of people, narrowed by each judge that compared some of them."""
    if unit.basis != "human" or not unit.shows_level or not bool((cells.anchors.human == unit.code).any()):
        return []
    settling = max(1, ANCHOR_SETTLING_S // cells.bucket_s)
    found = []
    for judge in judges_with_anchor(cells):
        for each in data:
            for tier in range(len(cells.tiers) - 1):
                grid = anchor_grid(
                    cells, judge, tier, each.segment, first_bucket=first, buckets=buckets, settling=settling
                )
                # By counts of labels alone, so that cutting the log changes nothing before the cut.
                enough = np.cumsum(grid.labelled.sum((1, 2, 3))) >= MIN_ANCHORED_LABELS
                if not enough.any():
                    continue
                evidence = anchored_pairs_evidence(grid.labelled, grid.unlabelled, grid.weight, margin, settling)
                role: Role = "level" if each.segment == 0 else "level_segment"
                since = int(enough.argmax()) + settling
                k, n = (array[:, tier].sum((1, 2)) for array in (each.plain.failures, each.plain.n))
                found.append(
                    MonitoredStream(
                        unit, tier, each.segment, role, "level", "shadow", evidence, since, k, n, anchored_by=judge
                    )
                )
    return found


def alarms_armed_from(cells: AuditCells, periods: Periods) -> int:
    """First bucket, counted from the log's first, in which an alarm may be raised."""
    return periods.routing_start + max(1, SETTLING_S // cells.bucket_s)


def _topic_streams(
    cells: AuditCells,
    alone: Mapping[int, AuditCells],
    unit: SignalUnit,
    whole: LabelGrid,
    options: StreamOptions,
    first: int,
    buckets: int,
) -> list[MonitoredStream]:
    topics = {
        code: Topic(
            code, bucket - first, label_grid(alone[code], unit, code, first_bucket=first, buckets=buckets, apart=True)
        )
        for code, bucket in cells.topics.items()
    }
    return topic_streams(unit, whole, topics, options) if topics else []


def topics_announced(cells: AuditCells, units: Sequence[SignalUnit], armed_from: int) -> dict[str, int]:
    """Signals that have texts enough for topics by the time alarms may be raised; the bucket at whose end the first topics are found."""
    rows = cells.rows
    found = {}
    for unit in units:
        mine = (rows.signal == unit.code) & (rows.text >= 0) & (rows.available <= armed_from)
        mine &= (rows.selection == SELECTION_CODES.index(unit.selection)) & (
            rows.basis == BASIS_CODES.index(unit.basis)
        )
        if len(np.unique(rows.text[mine])) >= MIN_TEXTS:
            found[unit_name(unit)] = min(cells.topics.values(), default=0)
    return found


def _counts_since(stream: MonitoredStream, cells: AuditCells, begins: dict[str, int], armed_from: int) -> int:
    """Bucket from which a stream has its weight: first topics, for which a share was put by, as if known when alarms began."""
    is_first = stream.role == "topic" and cells.topics[stream.segment] == begins.get(unit_name(stream.unit))
    return armed_from if is_first else stream.first_seen


def _bounded(cells: AuditCells, units: Sequence[SignalUnit], reference_end: int, armed_from: int) -> int:
    """How many tiers and signals may be held against a bound from the reference period: they share its error.

    Settled before any alarm may be raised, so that a signal yet to come moves no bound.
    """
    early = (cells.labels.decided < reference_end) & (cells.labels.available < armed_from)
    signals = sum(unit.shows_level and bool((early & unit.mask(cells.labels)).any()) for unit in units)
    return signals * (len(cells.tiers) - 1)


def watched_segments(cells: AuditCells) -> list[int]:
    """Segment codes with labels, the whole tier first; topics are none."""
    present = np.unique(cells.labels.segment)
    return [0, *(int(code) for code in present if code != 0 and code not in cells.topics)]
