"""Two periods of a log side by side: quality of every tier in every segment in each, and what changed between them.

Each mean has an anytime-valid interval and so has their difference (`undertow.estimators.combination`), the error shared over all tiers and
segments that have labels: the intervals hold however often the same two periods are looked at, while labels of them keep coming.
They do not cover periods that were chosen because of what they show.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import numpy as np

from undertow.estimators.combination import combine_rates
from undertow.estimators.quality import quality_estimate
from undertow.records.cells import AuditCells, LabelCells
from undertow.records.label_grid import SignalUnit, signal_units
from undertow.records.report import AuditSettings, Interval, SignalEstimate
from undertow.records.segment import Segment
from undertow.services.audit import main_unit
from undertow.stats.confidence import WeightedSums

ChangeState = Literal["worse", "better", "open", "no_data"]

_LARGEST = "weight_max"


@dataclass(frozen=True, slots=True)
class DayRange:
    """Whole days (UTC), both ends included.

    Examples:
        >>> days = DayRange(date(2026, 3, 1), date(2026, 3, 7))
        >>> days.days, str(days)
        (7, '2026-03-01 to 2026-03-07')
    """

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    def buckets(self, bucket_s: int) -> tuple[int, int]:
        """First bucket, and the one after the last."""
        begin = datetime.combine(self.first, time(), UTC).timestamp()
        end = datetime.combine(self.last + timedelta(days=1), time(), UTC).timestamp()
        return int(begin // bucket_s), int(end // bucket_s)

    def overlaps(self, other: "DayRange") -> bool:
        """Whether some day is in both."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """One tier in one segment, in both periods.

    Attributes:
        tier, segment: Where.
        before, after: Quality in each.
        change: Quality after minus before, in [-1, 1]; negative is worse. None: one of them has no labels.
        interval: Its anytime-valid interval.
        state: `worse` or `better`: shown; `open`: the interval includes no change.
    """

    tier: str
    segment: Segment
    before: SignalEstimate
    after: SignalEstimate
    change: float | None
    interval: Interval | None
    state: ChangeState


@dataclass(frozen=True, slots=True)
class PeriodComparison:
    """All of it.

    Attributes:
        signal: What quality is by; None: there is no signal.
        shows_level: Its labels were taken with known probabilities; else the change alone means something.
        before, after: The periods.
        places: Worst first; those with most labels, at most as many as were asked for.
        left_out: Places with labels in one of the periods that are not among them, though they were wanted.
        level: Of all intervals together.
        compared: Tiers and segments with labels, over which the error is shared.
    """

    signal: str | None
    shows_level: bool
    before: DayRange
    after: DayRange
    places: tuple[PlaceChange, ...]
    left_out: int
    level: float
    compared: int


def compare_periods(
    cells: AuditCells,
    settings: AuditSettings,
    before: DayRange,
    after: DayRange,
    *,
    limit: int,
    wanted: Callable[[str, Segment], bool] | None = None,
) -> PeriodComparison:
    """Quality per tier and segment in two periods of decisions.

    Args:
        cells: The log's sufficient statistics.
        settings: Level of the intervals.
        before: The earlier period, or whichever the other is compared with.
        after: The other; the two share no day.
        limit: Most places shown: those with most labels.
        wanted: Which tiers and segments are shown at all; None: every one. The error is shared over all of them, shown or not, so that searching costs nothing.
    """
    unit = main_unit(signal_units(cells), settings)
    if unit is None:
        return PeriodComparison(None, True, before, after, (), 0, settings.level, 0)
    early, late = (_sums(cells, unit, days.buckets(cells.bucket_s)) for days in (before, after))
    labelled = _labelled(cells, unit)
    level = 1.0 - (1.0 - settings.level) / max(1, len(labelled))
    matching = [
        place for place in {*early, *late} if wanted is None or wanted(cells.tiers[place[1]], cells.segments[place[0]])
    ]
    matching.sort(key=lambda place: (*_labels(early, late, place), *place))
    shown = [
        _change(
            cells.tiers[tier], cells.segments[segment], early.get((segment, tier)), late.get((segment, tier)), level
        )
        for segment, tier in matching[:limit]
    ]
    shown.sort(key=_worst_first)
    left_out = max(0, len(matching) - limit)
    return PeriodComparison(
        unit.name, unit.shows_level, before, after, tuple(shown), left_out, settings.level, len(labelled)
    )


Places = dict[tuple[int, int], WeightedSums]
"""Sums by segment and tier."""


def _sums(cells: AuditCells, unit: SignalUnit, buckets: tuple[int, int]) -> Places:
    labels = cells.labels
    part = labels.take(_countable(cells, unit) & (labels.decided >= buckets[0]) & (labels.decided < buckets[1]))
    if not len(part):
        return {}
    keys, group = np.unique(part.segment * len(cells.tiers) + part.tier, return_inverse=True)
    columns: dict[str, np.ndarray] = {}
    for field in fields(WeightedSums):
        values = np.asarray(getattr(part, field.name), dtype=float)
        if field.name == _LARGEST:
            columns[field.name] = np.zeros(len(keys))
            np.maximum.at(columns[field.name], group, values)
        else:
            columns[field.name] = np.bincount(group, weights=values, minlength=len(keys))
    return {
        divmod(int(key), len(cells.tiers)): WeightedSums(**{name: column[i] for name, column in columns.items()})
        for i, key in enumerate(keys)
    }


def _countable(cells: AuditCells, unit: SignalUnit) -> np.ndarray:
    labels: LabelCells = cells.labels
    keep = unit.mask(labels) & (labels.tier >= 0) & (labels.segment >= 0)
    return keep & ~np.isin(labels.segment, list(cells.topics))


def _labelled(cells: AuditCells, unit: SignalUnit) -> set[int]:
    """Places with a label at any time: what the error is shared over does not depend on the periods."""
    part = cells.labels.take(_countable(cells, unit))
    return set(np.unique(part.segment * len(cells.tiers) + part.tier).tolist())


def _labels(early: Places, late: Places, at: tuple[int, int]) -> tuple[float, float]:
    """Sorts places with many labels in both periods first."""
    counts = [float(sums[at].n) if at in sums else 0.0 for sums in (early, late)]
    return -min(counts), -sum(counts)


def _change(
    tier: str, segment: Segment, early: WeightedSums | None, late: WeightedSums | None, level: float
) -> PlaceChange:
    nothing = SignalEstimate(0, None, None)
    before = nothing if early is None else quality_estimate(early, level)
    after = nothing if late is None else quality_estimate(late, level)
    if early is None or late is None:
        return PlaceChange(tier, segment, before, after, None, None, "no_data")
    # Rates are of failures, so their fall is the rise of quality.
    found = combine_rates([(1.0, early), (-1.0, late)], level)
    if found.value is None or found.low is None or found.high is None:
        return PlaceChange(tier, segment, before, after, None, None, "no_data")
    low, high = max(found.low, -1.0), min(found.high, 1.0)
    state: ChangeState = "worse" if high < 0.0 else "better" if low > 0.0 else "open"
    return PlaceChange(tier, segment, before, after, found.value, (low, high), state)


_RANK: dict[ChangeState, int] = {"worse": 0, "open": 1, "better": 2, "no_data": 3}


def _worst_first(place: PlaceChange) -> tuple[int, float, str, str]:
    return _RANK[place.state], place.change or 0.0, place.tier, str(place.segment)
