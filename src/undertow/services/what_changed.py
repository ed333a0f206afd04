"""What changed about the onset of an alarm: versions, traffic mix, upstreams, segments; the numbers and the sentence."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from undertow.attribution.changes import changes_near
from undertow.attribution.decomposition import OTHERS, Decomposition, SegmentRate, decompose
from undertow.attribution.decomposition import in_words as parts_in_words
from undertow.attribution.incidents import all_in_words, incidents_near
from undertow.attribution.segments_changed import in_words as segment_in_words
from undertow.attribution.segments_changed import segment_changes
from undertow.attribution.story import story
from undertow.estimators.sums import weighted_sums
from undertow.records.cells import AuditCells
from undertow.records.label_grid import SignalUnit, label_grid
from undertow.records.report import Alarm, LossParts, SegmentPart
from undertow.records.traffic_grid import traffic_grid
from undertow.stats.confidence import hajek_mean_variance

SHOWN_SEGMENTS = 5
SLACK = timedelta(days=3)
"""Segments that changed this long before an onset interval, or after it, still count as near."""

MIN_BUCKETS = 3
"""Buckets before the onset without which there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Where an alarm's change began, in buckets counted from the log's first.

    Attributes:
        start: First bucket that counts as before.
        at: Estimated first bucket of the change.
        low: First bucket of its interval.
        high: Last bucket of its interval.
    """

    start: int
    at: int
    low: int
    high: int


def with_what_changed(
    cells: AuditCells, alarm: Alarm, unit: SignalUnit, tier: int, onset: Onset, first: int, buckets: int, level: float
) -> Alarm:
    """The alarm with what else changed about its onset.

    Args:
        cells: The log's sufficient statistics.
        alarm: The alarm; its onset must be known.
        unit: Its signal.
        tier: Its tier's code.
        onset: Where it began.
        first: First bucket of the log (absolute).
        buckets: How many it has.
        level: Level of the intervals of the parts.
    """
    if alarm.onset is None or alarm.onset_interval is None:
        return alarm
    low, high = first + onset.low, first + onset.high
    changes = changes_near(cells, alarm.tier, low, high)
    incidents = all_in_words(incidents_near(cells, low, high))
    segments = _segments_near(cells, alarm.onset_interval)
    found = decomposition_of(cells, unit, tier, onset, first, buckets, level)
    parts, words = None, ""
    if found is not None and tier < len(cells.tiers) - 1:
        key, divided = found
        parts, words = _parts(cells, key, divided), parts_in_words(divided)
    return replace(
        alarm,
        changed_nearby=changes,
        parts=parts,
        incidents=incidents,
        story=story(alarm.onset, changes, words, incidents, segments),
    )


def _segments_near(cells: AuditCells, interval: tuple[datetime, datetime]) -> tuple[str, ...]:
    near = [c for c in segment_changes(cells) if interval[0] - SLACK <= c.at <= interval[1] + SLACK]
    return tuple(segment_in_words(change) for change in near[:2])


def decomposition_of(
    cells: AuditCells, unit: SignalUnit, tier: int, onset: Onset, first: int, buckets: int, level: float
) -> tuple[str, Decomposition] | None:
    """The tier's rise of failures since the onset, divided by the segments of the key that most of its traffic bears.

    Returns:
        The key and the parts; None where there is no such key, or too little before or since the onset.
    """
    key = _main_key(cells, tier)
    if key is None or onset.at - onset.start < MIN_BUCKETS or onset.at >= buckets:
        return None
    rates = []
    for code, segment in enumerate(cells.segments):
        if segment.key != key:
            continue
        grid = label_grid(cells, unit, code, by="decided", first_bucket=first, buckets=buckets)
        traffic = traffic_grid(cells, code, first_bucket=first, buckets=buckets).served[:, tier]
        sides = [weighted_sums(grid.window(a, b), [tier]) for a, b in ((onset.start, onset.at), (onset.at, buckets))]
        known = [
            _rate(float(s.n), *(float(x) for x in hajek_mean_variance(s))) if float(s.n) > 0 else None for s in sides
        ]
        before, since = traffic[onset.start : onset.at].sum(), traffic[onset.at :].sum()
        rates.append(
            SegmentRate(
                str(code),
                (float(before), float(since)),
                (known[0][0] if known[0] else None, known[1][0] if known[1] else None),
                (known[0][1] if known[0] else 0.0, known[1][1] if known[1] else 0.0),
                (float(sides[0].n), float(sides[1].n)),
            )
        )
    found = decompose(rates, level)
    if found is None:
        return None
    named = tuple((name if name == OTHERS else cells.segments[int(name)].value, part) for name, part in found.segments)
    return key, replace(found, segments=named)


def _rate(n: float, mean: float, variance: float) -> tuple[float, float]:
    """A rate with a variance that is not 0 where all labels agree (one more failure and one more success)."""
    smoothed = (mean * n + 1.0) / (n + 2.0)
    return mean, max(variance, smoothed * (1 - smoothed) / n)


def _parts(cells: AuditCells, key: str, found: Decomposition) -> LossParts:
    by_value = {segment.value: segment for segment in cells.segments if segment.key == key}
    return LossParts(
        change=found.change,
        mix=found.mix.value,
        mix_interval=found.mix.interval,
        within=found.within.value,
        within_interval=found.within.interval,
        key=key,
        segments=tuple(
            SegmentPart(by_value.get(name), part.value, part.interval) for name, part in found.segments[:SHOWN_SEGMENTS]
        ),
    )


def _main_key(cells: AuditCells, tier: int) -> str | None:
    """The segment key that most of a tier's traffic bears; None where none is on four requests in five."""
    traffic = cells.traffic.take(cells.traffic.tier == tier)
    per_code = np.bincount(traffic.segment, weights=traffic.decisions.astype(np.float64), minlength=len(cells.segments))
    counts: dict[str, float] = {}
    for code, segment in enumerate(cells.segments):
        if segment.key:
            counts[segment.key] = counts.get(segment.key, 0.0) + float(per_code[code])
    best = max(counts, key=lambda key: (counts[key], key), default=None)
    return best if best is not None and counts[best] >= 0.8 * per_code[0] else None
