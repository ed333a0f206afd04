"""What a rollout decides by, from the log's sufficient statistics: losses since it began, and since each stage began. Pure.

The intervals are a family of their own, apart from those of the audit's report: they count requests since the rollout began, so that what an
earlier version did counts for nothing. Half of the error is for whole tiers, half for segments, divided alike.

Where pairs are compared, most of a tier's error above goes to one question: is the loss below the rollout's margin? A bet tuned to that answers it
sooner than an interval for all losses that there may be (`undertow.stats.non_inferiority`). Its stakes go by labels in the order in which they came, so
that labels which come late change no stake that was placed.

What the tier is compared with is chosen once: `undertow.services.rollout_reference`.

**Shares at full exposure.** A segment that is held back is served less by the tier than it will be. What it may cost at its next exposure goes by the
share that it would have if all were exposed alike, from what each has had since its stage began.

**Stages.** Lower bounds from a stage's own labels begin anew with each stage, so their error is divided by the number of stages: until something
steps back for the first time no more begin.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from undertow.actions.controls import exposure_at
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.standing import since_of, stage_of
from undertow.estimators.loss import LossEstimate, loss_estimate
from undertow.estimators.periods import Periods, ReferenceKind, find_periods
from undertow.estimators.suspect import is_suspect
from undertow.records.cells import AuditCells
from undertow.records.guard import RolloutState
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid, signal_units
from undertow.records.moment import moment_of
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import TrafficGrid, bucket_range, traffic_grid
from undertow.services.audit import main_unit
from undertow.services.evidence import raises_alarms, watched_segments
from undertow.services.rollout_reference import LEVELS, choose_reference, is_like_for_like, labels_since
from undertow.stats.non_inferiority import log_shown_below

LATELY_DAYS = 7.0
"""Days over which the rate of labels is counted."""

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
    main = main_unit(units, settings)
    if main is None:
        return ()
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = settings.baseline_until.timestamp() if settings.baseline_until else None
    found = find_periods(traffic, cells.bucket_s, until)
    begin = min(max(found.routing_start, math.ceil(began.timestamp() / cells.bucket_s) - first), buckets)
    periods = replace(found, routing_start=begin)
    unit, kind = choose_reference(cells, units, periods, first, buckets) or (main, "none")
    log = _Log(cells, settings, periods, kind, unit, first, buckets)
    served = traffic.served[begin:]
    tiers = [code for code in range(len(cells.tiers) - 1) if served[:, code].sum() > 0]
    codes = [code for code in watched_segments(cells) if code != 0]
    error = (1.0 - settings.level) / 2.0 / max(len(tiers), 1)
    return tuple(
        _tier(log, state, tier, codes, 1.0 - error, 1.0 - error / max(len(codes), 1), margin) for tier in tiers
    )


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
    traffics = {str(log.cells.segments[code]): log.traffic(code) for code in codes}
    at_full = _shares_at_full(log, state, tier, traffic, traffics)
    for code, (name, mine) in zip(codes, traffics.items(), strict=True):
        here = float(mine.served[begin:, tier].sum())
        if here > 0.0 and served > 0.0:
            share = here / served
            found = _place(log, state, tier, name, share, log.grid(code), mine, segment_level, quality, fresh_of_tier)
            segments.append(replace(found, share_at_full=at_full.get(name)))
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


def _shares_at_full(
    log: _Log, state: RolloutState, tier: int, whole: TrafficGrid, segments: dict[str, TrafficGrid]
) -> dict[str, float]:
    """Share of the tier's traffic that each segment would have if all were exposed alike; without those of which it is not known."""

    def beginning(name: str) -> int:
        return max(log.bucket(moment_of(since_of(state, name))), log.periods.routing_start)

    def rate(traffic: TrafficGrid, begin: int, exposure: float) -> float | None:
        if exposure <= 0.0 or begin >= log.buckets:
            return None
        return float(traffic.served[begin:, tier].sum()) / (log.buckets - begin) / exposure

    front = beginning(""), exposure_at(state, stage_of(state, ""))
    everything = rate(whole, *front)
    if not everything:
        return {}
    full = {
        name: rate(mine, beginning(name), exposure_at(state, stage_of(state, name))) for name, mine in segments.items()
    }
    held: dict[str, float] = {}
    for name, mine in segments.items():
        key = name.partition("=")[0]
        held[key] = held.get(key, 0.0) + max((full[name] or 0.0) - (rate(mine, *front) or 0.0), 0.0)
    return {
        name: min(each / (everything + held[name.partition("=")[0]]), 1.0)
        for name, each in full.items()
        if each is not None
    }


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
    of_stage = 1.0 - (1.0 - level) / max(len(state.stages), 1)
    fresh = _estimate(log, grid, traffic, tier, of_stage, begin) if begin < log.buckets else None
    is_known = log.kind in LEVELS and not is_broken and is_like_for_like(log.kind, grid, traffic, tier, log.periods.routing_start)  # fmt: skip
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
    that lies below what each pair's own factor would give (as in `stats.betting.log_ratio_bets`). The largest weight is that of the pairs so far:
    the heaviest must not be so rare that hundreds of others come before the first of them (one in two hundred will do).
    """
    error = 1.0 - level
    narrower = _estimate(log, grid, traffic, tier, 1.0 - (1.0 - BET_SHARE) * error, log.periods.routing_start)
    high = 1.0 if narrower.high is None else narrower.high
    came = labels_since(log.cells, log.unit, log.first + log.periods.routing_start, log.first, log.buckets)
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
