"""Which segments an alarm is worth routing back, from the log's sufficient statistics. Pure; `undertow.actions.placing` decides.

The segments of one label (`intent=...`) divide a tier's traffic: the label of the alarm's own segment, else the one by which the best
division is expected to keep most. A division that covers less than `COVERED` of the tier's requests is not weighed, nor one of more than
`MOST_SEGMENTS`. Labels count by the day of their request, from the onset on; the rates before it are the tier's own where the alarm is of a
change, and what the same pairs say of the capable tier's answers where it is of a level.

Labels of strata are drawn at different rates: each stratum counts by weights (`undertow.estimators.by_stratum`), long tails and the rest apart.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from undertow.actions.at_alarm import WeighedPlace
from undertow.actions.entries import restrictable
from undertow.actions.placing import RECENT_DAYS, WINDOW_DAYS, Placing, PlacingRule, Worth, weigh
from undertow.detectors.quality_gap import STAYS_S
from undertow.estimators.by_stratum import StratumSums, design_scale, stratum_sums
from undertow.estimators.periods import MIN_REFERENCE_LABELS, find_periods
from undertow.records.cells import AuditCells
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid, largest_weights, signal_units
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.audit import main_unit
from undertow.services.evidence import raises_alarms, watched_segments
from undertow.stats.pooled_rises import RiseCounts, Rises

FloatArray = npt.NDArray[np.float64]

COVERED = 0.9
"""Share of a tier's requests that must bear a label for its segments to be weighed."""

MOST_SEGMENTS = 200
"""Segments beyond which a division is too fine to be weighed."""

BORROWED = 20.0
"""Labels of the tier that a segment's usual rate is shrunk by."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alarm whose segments are weighed.

    Attributes:
        tier: Its name.
        segment: `key=value`, or empty: the whole tier.
        onset: Since when, aware.
        is_level: It is of a level, not of a change.
    """

    tier: str
    segment: str
    onset: datetime
    is_level: bool


@dataclass(frozen=True, slots=True)
class _Division:
    """The segments of one label and what was seen of them; `codes` has their positions in the vocabulary."""

    codes: tuple[int, ...]
    share: FloatArray
    savings_usd: FloatArray
    since: RiseCounts
    recent: RiseCounts | None


def weighed_places(
    cells: AuditCells,
    settings: AuditSettings,
    trouble: Trouble,
    failure_usd: float | None,
    margin: float,
    *,
    apart: bool = False,
) -> tuple[WeighedPlace, ...] | None:
    """Segments that are worth routing back, those that lose most first.

    Args:
        cells: The log's sufficient statistics.
        settings: Who is believed.
        trouble: The alarm.
        failure_usd: What an answer costs that people call a failure, at least 0; None: unknown, and the margin decides.
        margin: Loss that is accepted where money is unknown, in (0, 1).
        apart: Name segments even where all of them go back; else that is one place without a label, which covers labels yet unseen.

    Returns:
        The segments (empty: none is), or None: they cannot be weighed.
    """
    reading = _Reading.of(cells, settings, trouble)
    if reading is None:
        return None
    best: tuple[float, _Division, Placing, Rises] | None = None
    for key in _keys(cells, trouble):
        division = reading.division(key)
        if division is None:
            continue
        many = len(division.codes)
        worth = Worth(division.savings_usd, np.full(many, math.nan if failure_usd is None else failure_usd))
        placing, rises = weigh(division.since, division.recent, worth, PlacingRule(margin=margin))
        gained = np.where(np.isnan(placing.net_usd), margin - rises.expected, placing.net_usd)
        value = float((division.share * placing.kept * gained).sum())
        if best is None or value > best[0]:
            best = value, division, placing, rises
    return None if best is None else _places(cells, *best[1:], apart=apart)


def _places(
    cells: AuditCells, division: _Division, placing: Placing, rises: Rises, *, apart: bool
) -> tuple[WeighedPlace, ...]:
    if not placing.kept.any() and not apart:
        rise, net = ((division.share * values).sum() for values in (rises.expected, placing.net_usd))
        return (WeighedPlace("", float(rise), _known(net)),)
    found = [
        WeighedPlace(str(cells.segments[code]), float(rises.expected[at]), _known(placing.net_usd[at]))
        for at, code in enumerate(division.codes)
        if not placing.kept[at]
    ]
    return tuple(sorted(found, key=lambda place: (-place.expected_loss, place.segment)))


def _known(usd: float) -> float | None:
    return None if math.isnan(usd) else float(usd)


def _keys(cells: AuditCells, trouble: Trouble) -> list[str]:
    """Labels whose segments may be weighed: the alarm's own, else all."""
    if trouble.segment:
        return [trouble.segment.partition("=")[0]]
    names = (str(cells.segments[code]) for code in watched_segments(cells) if code != 0)
    return sorted({name.partition("=")[0] for name in names if restrictable(name) == name})


@dataclass(frozen=True, slots=True)
class _Seen:
    """Labels of people, and verdicts of the judge (empty: there is none), of the tier and then of each segment."""

    people: list[StratumSums]
    judge: list[LabelGrid]


@dataclass(frozen=True, slots=True)
class _Reading:
    """Labels and traffic of one tier since the log began. `since` and `recent` are buckets; `recent` equals `since` where all is recent."""

    cells: AuditCells
    tier: int
    people: SignalUnit
    judge: SignalUnit | None
    is_level: bool
    first: int
    buckets: int
    start: int
    onset: int
    since: int
    recent: int

    @classmethod
    def of(cls, cells: AuditCells, settings: AuditSettings, trouble: Trouble) -> "_Reading | None":
        """Of an alarm; None: there is nothing that counts, or too little before the onset."""
        units = signal_units(cells)
        people = main_unit([unit for unit in units if raises_alarms(unit, settings)], settings)
        if people is None or trouble.tier not in cells.tiers[:-1]:
            return None
        first, buckets = bucket_range(cells)
        until = settings.baseline_until.timestamp() if settings.baseline_until else None
        periods = find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, until)
        a_day = 86_400 / cells.bucket_s
        onset = int(np.clip(trouble.onset.timestamp() // cells.bucket_s - first, periods.routing_start, buckets - 1))
        since = max(onset, buckets - math.ceil(WINDOW_DAYS * a_day))
        recent = max(since, buckets - math.ceil(RECENT_DAYS * a_day))
        judge = next((u for u in units if u.basis == "judge" and u.pairs > 0 and u != people), None)
        found = cls(
            cells, cells.tiers.index(trouble.tier), people, judge, trouble.is_level, first, buckets, periods.routing_start,
            onset, since, recent,
        )  # fmt: skip
        enough = found.usual_labels() >= MIN_REFERENCE_LABELS
        return found if enough and found.people_since() > 0.0 else None

    def usual_labels(self) -> float:
        """Labels from which the usual rates are known: before the onset, or pairs where a level is asked for."""
        grid = self._grid(self.people, 0)
        if self.is_level:
            return float(grid.window(self.since, self.buckets).pairs[:, self.tier].sum())
        return float(grid.window(self.start, self.onset).n[:, self.tier].sum())

    def people_since(self) -> float:
        """People's labels since the onset."""
        return float(self._grid(self.people, 0).window(self.since, self.buckets).n[:, self.tier].sum())

    def division(self, key: str) -> _Division | None:
        """The segments of a label, or None: they do not divide the tier."""
        codes = tuple(
            code
            for code in watched_segments(self.cells)
            if code != 0 and self.cells.segments[code].key == key
        )  # fmt: skip
        if not 1 <= len(codes) <= MOST_SEGMENTS:
            return None
        served, savings = np.array([self._money(code) for code in codes]).T
        whole, _ = self._money(0)
        if whole <= 0.0 or served.sum() < COVERED * whole:
            return None
        seen = _Seen(
            [_people(self._grid(self.people, code), self.tier, self._stays) for code in (0, *codes)],
            [] if self.judge is None else [self._grid(self.judge, code) for code in (0, *codes)],
        )
        since = self._counts(seen, self.since)
        recent = self._counts(seen, self.recent) if self.recent > self.since else None
        return _Division(codes, served / served.sum(), savings, since, recent)

    def _money(self, code: int) -> tuple[float, float]:
        """Requests that the tier served in a segment since routing began, and what one of them saves in USD (NaN: unknown)."""
        grid = traffic_grid(self.cells, code, first_bucket=self.first, buckets=self.buckets)
        n, cost, baseline = (
            float(values[self.start :, self.tier].sum())
            for values in (grid.paired_cost_n, grid.paired_cost_usd, grid.baseline_cost_usd)
        )
        return float(grid.served[self.start :, self.tier].sum()), (baseline - cost) / n if n > 0.0 else math.nan

    def _grid(self, unit: SignalUnit, code: int) -> LabelGrid:
        return label_grid(
            self.cells, unit, code, by="decided", first_bucket=self.first, buckets=self.buckets, apart=True
        )

    def _counts(self, seen: _Seen, since: int) -> RiseCounts:
        tails = self.people.tails
        strata = 2 if any(each.v.shape[1] > tails for each in seen.people) else 1
        # Axes: the tier and its segments; failures, labels, failures of the other answer; strata.
        now = np.array(
            [_by_tail(each, since, self.buckets, tails, strata, is_level=self.is_level) for each in seen.people]
        )
        usual = now if self.is_level else np.array([_by_tail(each, self.start, self.onset, tails, strata) for each in seen.people])  # fmt: skip
        drawn = np.array([_requests(each, self.start, self.buckets, tails, strata) for each in seen.people])
        share = drawn[1:] + BORROWED * (drawn[0] + 1.0) / (drawn[0].sum() + strata)
        flags, pairs, flag_rate = self._verdicts(seen, since, strata)
        return RiseCounts(
            share=share / share.sum(1, keepdims=True),
            failures=now[1:, 0],
            labels=now[1:, 1],
            usual_rate=self._usual_rate(usual),
            flags=flags,
            pairs=pairs,
            usual_flag_rate=flag_rate,
        )

    def _verdicts(self, seen: _Seen, since: int, strata: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The judge's verdicts: pairs that the tier lost, all pairs, and the rate of the former before. Shapes (S, H)."""
        nothing = np.zeros((len(seen.people) - 1, strata))
        if self.judge is None:
            return nothing, nothing, nothing + 0.5
        tails = self.judge.tails
        now, before = (
            np.array([_pairs(grid, self.tier, self._stays, window, tails, strata) for grid in seen.judge])
            for window in ((since, self.buckets), (self.start, self.onset))
        )
        usual = now if self.is_level else before
        if usual[0, 1].sum() < MIN_REFERENCE_LABELS:
            return nothing, nothing, nothing + 0.5
        return now[1:, 0], now[1:, 1], self._usual_rate(usual)

    def _usual_rate(self, usual: FloatArray) -> FloatArray:
        """Of segments, shrunk towards the tier's in the same stratum, and that towards the tier's over all strata. Shape (S, H)."""
        failures, n = usual[:, 2 if self.is_level else 0], usual[:, 1]
        overall = (failures[0].sum() + 0.5) / (n[0].sum() + 1.0)
        of_tier = (failures[0] + BORROWED * overall) / (n[0] + BORROWED)
        return np.asarray(np.clip((failures[1:] + BORROWED * of_tier) / (n[1:] + BORROWED), 1e-3, 0.9))

    @property
    def _stays(self) -> int:
        return max(1, STAYS_S // self.cells.bucket_s)


def _people(grid: LabelGrid, tier: int, stays: int) -> StratumSums:
    return stratum_sums(grid, tier, design_scale(grid, tier, stays))


def _by_tail(
    sums: StratumSums, since: int, until: int, tails: int, strata: int, *, is_level: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Failures, labels and failures of the capable tier's answers in the same pairs, of the plain strata and of the long tails."""
    found = sums.counts(since, until, max(sums.v.shape[1], tails))
    n = found.n * found.paired if is_level else found.n
    failures = found.failures * found.paired if is_level else found.failures
    reference = np.clip(failures - found.lost * found.paired, 0.0, n)
    return _folded(failures, tails, strata), _folded(n, tails, strata), _folded(reference, tails, strata)


def _requests(sums: StratumSums, since: int, until: int, tails: int, strata: int) -> FloatArray:
    return _folded(sums.counts(since, until, max(sums.v.shape[1], tails)).requests, tails, strata)


def _pairs(
    grid: LabelGrid, tier: int, stays: int, window: tuple[int, int], tails: int, strata: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pairs that the tier lost, all pairs, and pairs that the other side lost, each as so many of the largest weight."""
    top = largest_weights(grid.pair_weight_max[:, tier].max(axis=(1, 2)), grid.pairs[:, tier].sum((1, 2)), stays)
    scale = np.where(top > 0.0, top, 1.0)
    n, lost, net = (
        (values[:, tier].sum((1, 2)) / scale)[window[0] : window[1]].sum(0)
        for values in (grid.pair_weight, grid.weighted_loss_up, grid.weighted_loss)
    )
    lost = np.clip(lost, 0.0, n)
    return (
        _folded(lost, tails, strata),
        _folded(n, tails, strata),
        _folded(np.clip(lost - net, 0.0, n), tails, strata),
    )


def _folded(values: FloatArray, tails: int, strata: int) -> FloatArray:
    """Values of strata summed to the plain ones and the long tails, the riskiest last; to one where there are no tails."""
    if strata == 1:
        return np.array([values.sum()])
    return np.array([values[tails:].sum(), values[:tails].sum()])
