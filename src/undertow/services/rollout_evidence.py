"""What a rollout decides by, from the log's sufficient statistics: losses since it began, and since each stage began. Pure.

The intervals are a family of their own, apart from those of the audit's report: they count requests since the rollout began, so that what an
earlier version did counts for nothing. Half of the error is for whole tiers, half for segments, divided alike.

Where pairs are compared, most of a tier's error above goes to one question: is the loss below the rollout's margin? A bet tuned to that answers it
sooner than an interval for all losses that there may be (`undertow.stats.non_inferiority`). Its stakes go by labels in the order in which they came, so
that labels which come late change no stake that was placed.

**One reference.** What the tier is compared with is chosen once, by how many labels there were when, never by how they came out: pairs as soon as there are
enough of them; else, `SETTLED_DAYS` after the rollout began, the best there is. A reference that could change at a later look would spend the error a second time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.moments import moment_of
from undertow.actions.standing import since_of
from undertow.estimators.loss import LossEstimate, loss_estimate
from undertow.estimators.periods import (
    MIN_REFERENCE_LABELS,
    Periods,
    ReferenceKind,
    find_periods,
    reference_kind,
)
from undertow.estimators.suspect import is_suspect
from undertow.records.cells import AuditCells
from undertow.records.guard import RolloutState
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid, signal_units
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import TrafficGrid, bucket_range, traffic_grid
from undertow.services.audit import main_unit
from undertow.services.evidence import raises_alarms, watched_segments
from undertow.stats.non_inferiority import log_shown_below

LEVELS: frozenset[ReferenceKind] = frozenset({"holdout", "pairs", "pre_routing"})
"""References from elsewhere: by these a tier can be shown to be good, not only unchanged."""

LATELY_DAYS = 7.0
"""Days over which the rate of labels is counted."""

SETTLED_DAYS = 7.0
"""Days after a rollout began for which pairs are waited for before another reference is taken."""

BET_SHARE = 0.8
"""Of a tier's error above: for the tuned bet; the rest for the interval's upper end."""


@dataclass(frozen=True, slots=True)
class _Log:
    cells: AuditCells
    settings: AuditSettings
    periods: Periods
    kind: ReferenceKind
    unit: SignalUnit
    first: int
    buckets: int

    def grid(self, code: int) -> LabelGrid:
        return label_grid(self.cells, self.unit, code, by="decided", first_bucket=self.first, buckets=self.buckets)

    def traffic(self, code: int) -> TrafficGrid:
        return traffic_grid(self.cells, code, first_bucket=self.first, buckets=self.buckets)

    def bucket(self, moment: datetime) -> int:
        """First bucket that lies wholly after a moment, counted from the log's first."""
        return math.ceil(moment.timestamp() / self.cells.bucket_s) - self.first


def rollout_evidence(
    cells: AuditCells, settings: AuditSettings, state: RolloutState, began: datetime, *, margin: float | None = None
) -> tuple[TierEvidence, ...]:
    """Losses of all tiers below the capable one, since a rollout began.

    Args:
        cells: The log's sufficient statistics.
        settings: Error levels, who is believed.
        state: Where the rollout stands.
        began: When it began, aware.
        margin: Loss below which a tier must be shown, in (0, 1), where that is bet on; None: by intervals alone.

    Returns:
        One for each tier that has served since then; empty where there are no labels that count.
    """
    first, buckets = bucket_range(cells)
    units = tuple(unit for unit in signal_units(cells) if raises_alarms(unit, settings))
    unit = main_unit(units, settings)
    if unit is None:
        return ()
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = settings.baseline_until.timestamp() if settings.baseline_until else None
    found = find_periods(traffic, cells.bucket_s, until)
    begin = min(max(found.routing_start, math.ceil(began.timestamp() / cells.bucket_s) - first), buckets)
    periods = replace(found, routing_start=begin)
    log = _Log(cells, settings, periods, _reference(cells, unit, periods, first, buckets), unit, first, buckets)
    served = traffic.served[begin:]
    tiers = [code for code in range(len(cells.tiers) - 1) if served[:, code].sum() > 0]
    codes = [code for code in watched_segments(cells) if code != 0]
    error = (1.0 - settings.level) / 2.0 / max(len(tiers), 1)
    return tuple(
        _tier(log, state, tier, codes, 1.0 - error, 1.0 - error / max(len(codes), 1), margin) for tier in tiers
    )


def _reference(cells: AuditCells, unit: SignalUnit, periods: Periods, first: int, buckets: int) -> ReferenceKind:
    """What the rollout is decided by. Each look finds the same, since it counts what had come by the moment of the choice only."""
    begin = periods.routing_start
    settled = begin + math.ceil(SETTLED_DAYS * 86_400 / cells.bucket_s)

    if unit.shows_level and unit.basis in {"human", "exact"}:
        came = _since(cells, unit, first + begin, first, buckets).pairs.sum((1, 2, 3, 4)).cumsum()
        enough = np.flatnonzero(came >= MIN_REFERENCE_LABELS)
        if len(enough) and enough[0] < settled:
            return "pairs"
    for until in range(settled, buckets + 1):
        seen = label_grid(
            cells, unit, 0, by="decided", first_bucket=first, buckets=buckets, until_available=first + until
        )
        found = reference_kind(unit, seen, periods)
        if found in LEVELS:
            return found
    return "none"


def _since(cells: AuditCells, unit: SignalUnit, decided: int, first: int, buckets: int, segment: int = 0) -> LabelGrid:
    """Labels of requests from a bucket on, in the order in which the labels came."""
    labels = cells.labels.take(cells.labels.decided >= decided)
    return label_grid(replace(cells, labels=labels), unit, segment, by="available", first_bucket=first, buckets=buckets)


def _tier(
    log: _Log,
    state: RolloutState,
    tier: int,
    codes: list[int],
    level: float,
    segment_level: float,
    margin: float | None,
) -> TierEvidence:
    grid, traffic = log.grid(0), log.traffic(0)
    begin = log.periods.routing_start
    served = float(traffic.served[begin:, tier].sum())

    def fresh_of_tier(since: str) -> int:
        return _labels(log, grid, tier, since)

    whole = _place(log, state, tier, "", 1.0, grid, traffic, level, None, fresh_of_tier)
    if margin is not None and log.kind == "pairs" and whole.loss is not None:
        whole = _bet_on(log, whole, grid, traffic, tier, level, margin)
    quality = _estimate(log, grid, traffic, tier, level, begin).reference_quality
    segments = []
    for code in codes:
        mine = log.traffic(code)
        here = float(mine.served[begin:, tier].sum())
        if here > 0.0 and served > 0.0:
            name = str(log.cells.segments[code])
            segments.append(
                _place(
                    log, state, tier, name, here / served, log.grid(code), mine, segment_level, quality, fresh_of_tier
                )
            )
    days = max(1, round(LATELY_DAYS * 86_400 / log.cells.bucket_s))
    lately = max(begin, log.buckets - days)
    span = max((log.buckets - lately) * log.cells.bucket_s / 86_400, log.cells.bucket_s / 86_400)
    return TierEvidence(
        tier=log.cells.tiers[tier],
        whole=whole,
        segments=tuple(segments),
        shows_level=log.kind in LEVELS,
        level=level,
        segment_level=segment_level,
        labels_per_day=float(grid.window(lately, log.buckets).n[:, tier].sum()) / span,
    )


def _place(
    log: _Log,
    state: RolloutState,
    tier: int,
    name: str,
    share: float,
    grid: LabelGrid,
    traffic: TrafficGrid,
    level: float,
    reference_quality: float | None,
    fresh_of_tier: Callable[[str], int],
) -> PlaceEvidence:
    since = since_of(state, name)
    found = _estimate(log, grid, traffic, tier, level, log.periods.routing_start)
    is_broken = bool(name) and is_suspect(found, reference_quality)
    begin = log.bucket(moment_of(since))
    fresh = _estimate(log, grid, traffic, tier, level, begin) if begin < log.buckets else None
    is_known = log.kind in LEVELS and not is_broken
    return PlaceEvidence(
        segment=name,
        share=share,
        n=found.n,
        loss=found.loss if is_known else None,
        low=found.low if is_known and found.low is not None else -1.0,
        high=found.high if is_known and found.high is not None else 1.0,
        stage_since=since,
        fresh=_labels(log, grid, tier, since),
        tier_fresh=fresh_of_tier(since),
        fresh_loss=fresh.loss if is_known and fresh is not None else None,
        fresh_low=fresh.low if is_known and fresh is not None and fresh.low is not None else -1.0,
    )


def _bet_on(
    log: _Log, whole: PlaceEvidence, grid: LabelGrid, traffic: TrafficGrid, tier: int, level: float, margin: float
) -> PlaceEvidence:
    """The whole tier with its upper end from the tuned bet or, at what is left of the error above, from the interval.

    Pairs of unequal weight count as effective ones, sums over the largest weight: the bet's logarithm is concave in the weight and 0 at 0, so
    that lies below what each pair's own factor would give (as in `stats.betting.log_ratio_bets`).
    """
    error = 1.0 - level
    narrower = _estimate(log, grid, traffic, tier, 1.0 - (1.0 - BET_SHARE) * error, log.periods.routing_start)
    high = 1.0 if narrower.high is None else narrower.high
    came = _since(log.cells, log.unit, log.first + log.periods.routing_start, log.first, log.buckets)
    weight, up, net = (
        values[:, tier].reshape(len(values), -1).sum(axis=1)
        for values in (came.pair_weight, came.weighted_loss_up, came.weighted_loss)
    )
    # The largest weight so far: known before the day's pairs are.
    top = np.maximum.accumulate(came.pair_weight_max[:, tier].reshape(len(weight), -1).max(axis=1))
    top = np.where(top > 0.0, top, 1.0)
    shown = log_shown_below(weight / top, up / top, np.maximum(up - net, 0.0) / top, margin)
    if shown.max() >= -math.log(BET_SHARE * error / 2.0):
        high = min(high, math.nextafter(margin, 0.0))
    return replace(whole, high=max(high, whole.low))


def _estimate(log: _Log, grid: LabelGrid, traffic: TrafficGrid, tier: int, level: float, begin: int) -> LossEstimate:
    return loss_estimate(
        log.kind, grid, traffic, tier, log.periods, level, bucket_s=log.cells.bucket_s, start=max(begin, 0)
    )


def _labels(log: _Log, grid: LabelGrid, tier: int, since: str) -> int:
    """Labels of requests since a moment: of pairs, where pairs are compared."""
    begin = min(max(log.bucket(moment_of(since)), log.periods.routing_start), log.buckets)
    window = grid.window(begin, log.buckets)
    counted = window.pairs if log.kind == "pairs" else window.n
    return round(float(counted[:, tier].sum()))
