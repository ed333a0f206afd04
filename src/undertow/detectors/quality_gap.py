"""Streams of a log and their evidence: which signal, in which tier and segment, has something to say.

Everything here depends on labels in the order in which they became available. Which streams exist, and from when on they
count, depends on numbers of labels only; so cutting the log after an alarm changes nothing before the cut.

Change streams: each cheaper tier as a whole, its most heavily sampled stratum (the long tail), its segments; and the capable
tier where the policy did not choose its traffic (before routing, and in the holdout). Level streams: each cheaper tier and
its segments against the holdout, the period before routing, or pairs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.day_noise import correlation_known, design_effect
from undertow.detectors.level import Group, contrast_evidence, pairs_evidence
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.records.label_grid import (
    ALL_ARMS,
    ARM_AXIS,
    ELIGIBLE,
    HOLDOUT_ARM,
    ROUTED_ARMS,
    LabelGrid,
    SignalUnit,
    daily_effective,
    effective_by_stratum,
    largest_weights,
)
from undertow.records.stream import MonitoredStream, Role
from undertow.records.traffic_grid import TrafficGrid
from undertow.stats.confidence import upper_rate_bound

FloatArray = npt.NDArray[np.float64]

WARMUP_S = 3 * 86_400
"""A stream's first three days only train its change detector."""

EARLIEST_S = 7 * 86_400
"""A change may begin from a stream's second week on: a baseline of less than a week has no weekend."""

MIN_SEGMENT_SHARE = 0.01
"""A segment is monitored from the bucket in which it has at least this share of its tier's labels so far ..."""

MIN_SEGMENT_LABELS = 10.0
"""... and at least this many. Rarer ones would only dilute the budget; they are still in the tables."""

SETTLING_S = 7 * 86_400
"""A week after routing began it is settled which reference the level monitors use; no alarm is raised before."""

STAYS_S = 28 * 86_400
"""A stratum counts as in use for so long after its last label."""

MIN_HOLDOUT_LABELS = 20.0
MIN_REFERENCE_LABELS = 50.0
MIN_SHARE_SERVED = 1e-3


@dataclass(frozen=True, slots=True)
class SegmentData:
    """What the streams of one segment are made from.

    Attributes:
        segment: Segment code.
        grid: Labels by availability.
        plain: The same without those that steering drew for other segments, and those of strata that are not kept apart: what is
            counted without weights.
        before: Labels of the period before routing by decision time (for the fixed reference).
        traffic: Traffic of the segment.
        steered: How many of `plain` steering drew for this very segment; None: none. Shape (T, tiers, strata).
    """

    segment: int
    grid: LabelGrid
    plain: LabelGrid
    before: LabelGrid
    traffic: TrafficGrid
    steered: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Options of `unit_streams`.

    Attributes:
        bucket_s: Seconds in a bucket.
        routing_start: First routed bucket.
        baseline_until: First bucket at which a change may begin, or None for each stream's own second week.
        margin: Largest accepted loss per cheap-served decision.
        bound_alpha: Error that all upper bounds of references may take together.
    """

    bucket_s: int
    routing_start: int
    baseline_until: int | None
    margin: float
    bound_alpha: float

    @property
    def stays(self) -> int:
        """Buckets for which a stratum counts as in use after its last label (`largest_weights`)."""
        return max(1, STAYS_S // self.bucket_s)


def unit_streams(unit: SignalUnit, segments: list[SegmentData], options: StreamOptions) -> list[MonitoredStream]:
    """All streams of one signal.

    Args:
        unit: The signal.
        segments: Data per segment, the whole tier (code 0) first.
        options: See `StreamOptions`.
    """
    whole = segments[0]
    tiers = whole.grid.n.shape[1]
    found: list[MonitoredStream] = []
    tier_labels = {t: np.cumsum(whole.plain.n[:, t].sum((1, 2, 3))) for t in range(tiers)}
    # Bounds of fixed references share an error budget; how many there are is settled before any alarm may be raised.
    bounded = sum(float(d.before.n[..., list(ELIGIBLE), :].sum()) > 0 for d in segments[1:])
    designs = _designs(unit, whole.plain, options)
    for data in segments:
        for tier in range(tiers):
            since = _counts_from(data, tier, tier_labels[tier])
            if since is None:
                continue
            # Without segments nothing moves inside a stratum, and what steering draws is drawn from all of it.
            effective = _effective(unit, data, tier, options, tiers - 1) if unit.strata and len(segments) > 1 else None
            found += _change_streams(unit, data, tier, since, options, designs[tier], effective, capable=tiers - 1)
            if tier < tiers - 1 and unit.shows_level:
                found += _level_streams(unit, data, tier, since, options, bounded)
            if tier < tiers - 1 and unit.pairs > 0 and unit.shows_level:
                found += _pairs_stream(unit, data, tier, since, options)
    return found


def _counts_from(data: SegmentData, tier: int, tier_labels: FloatArray) -> int | None:
    """First bucket at which the segment has labels enough to be watched, or None."""
    seen = np.cumsum(data.plain.n[:, tier].sum((1, 2, 3)))
    enough = seen > 0 if data.segment == 0 else (seen >= MIN_SEGMENT_LABELS) & (seen >= MIN_SEGMENT_SHARE * tier_labels)
    return int(enough.argmax()) if enough.any() else None


@dataclass(frozen=True, slots=True)
class _Design:
    """How a tier's labels were drawn, by what its counts show.

    Attributes:
        split: Buckets in which labels of more than one stratum came. Shape (T,).
        unsplit: Buckets in which labels came, of one stratum only; none where strata have names, for then labels of an undivided tier
            are a stratum of their own. Shape (T,).
        strata: Strata of the tier as a whole.
        correlation: How much labels of one day are known to move together. Shape (T,).
    """

    split: npt.NDArray[np.bool_]
    unsplit: npt.NDArray[np.bool_]
    strata: int
    correlation: FloatArray

    def set_apart(self, values: FloatArray) -> FloatArray:
        """Strata (T, H), and one more for buckets without strata, where a log has both sorts.

        In the first days of a roll-out all answers of the cheap tier are reviewed, or all alike: what then is the most heavily
        sampled stratum is the whole tier, later it is the long tail, which fails more often. Taken as one stream, that
        looks like a change.
        """
        if not self.split.any() or not self.unsplit.any():
            return values
        padded = np.pad(values, ((0, 0), (0, self.strata - values.shape[1])))
        kept = np.where(self.unsplit[:, None], 0.0, padded)
        return np.concatenate([kept, np.where(self.unsplit, values.sum(1), 0.0)[:, None]], axis=1)


def _designs(unit: SignalUnit, grid: LabelGrid, options: StreamOptions) -> list[_Design]:
    """The design of each tier, from the labels of the whole tier."""
    tiers = range(grid.n.shape[1])
    counts = [_unselected(grid, tier, options, capable=len(tiers) - 1) for tier in tiers]
    failures, n = (np.stack([x[i].sum((1, 2)) for x in counts], axis=1) for i in (0, 1))
    correlation = correlation_known(failures, n, options.bucket_s)
    by_stratum = [x[1].sum(1) for x in counts]
    split = [labels[:, 1:].sum(1) > 0 for labels in by_stratum]
    unsplit = [(by_stratum[t].sum(1) > 0) & ~split[t] & (not unit.strata) for t in tiers]
    return [_Design(split[t], unsplit[t], grid.strata, correlation[:, t]) for t in tiers]


def _unselected(grid: LabelGrid, tier: int, options: StreamOptions, capable: int) -> tuple[FloatArray, FloatArray]:
    """Failures and labels of a tier where the policy did not choose what it serves. Shapes (T, arms, strata).

    Served traffic of the capable tier is what the policy left it: only the holdout shows the tier itself.
    """
    k, n = grid.failures[:, tier].sum(2).copy(), grid.n[:, tier].sum(2).copy()
    if tier == capable:
        chosen = [a for name, a in ARM_AXIS.items() if name != "holdout"]
        n[options.routing_start :, chosen] = 0.0
        k[options.routing_start :, chosen] = 0.0
    return k, n


def _effective(
    unit: SignalUnit, data: SegmentData, tier: int, options: StreamOptions, capable: int
) -> tuple[FloatArray, FloatArray]:
    """What change detectors count where strata have names. Shapes (T, strata).

    A stratum that has a name goes on while the rates inside it move: when steering takes its reviews from everywhere but leaves each segment its
    least number, small segments become a larger part of the plain sample. So labels are weighted, all of them, inside their stratum. Only
    a segment to which steering sends labels counts its own plainly in those buckets: there they are drawn alike, and many.
    """
    k, n = effective_by_stratum(data.grid, tier, options.stays)
    if tier == capable:
        chosen = [a for name, a in ARM_AXIS.items() if name != "holdout"]
        n[options.routing_start :, chosen] = 0.0
        k[options.routing_start :, chosen] = 0.0
    k, n = k.sum(1), n.sum(1)
    if unit.merged is not None:
        # Strata that are not kept apart are no stream of constant rate, whatever their weights: their parts of it move.
        k[:, unit.merged : unit.merged + 1] = n[:, unit.merged : unit.merged + 1] = 0.0
    strata = data.plain.strata
    if data.steered is not None:
        # Labels that steering drew for other segments may lie in strata that the plain ones have not, never the other way round.
        own = data.steered[:, tier] > 0
        plain_k, plain_n = (x[:, tier].sum((1, 2)) for x in (data.plain.failures, data.plain.n))
        k[:, :strata], n[:, :strata] = (
            np.where(own, plain, weighted) for plain, weighted in ((plain_k, k[:, :strata]), (plain_n, n[:, :strata]))
        )
    return k, n


def _change_streams(
    unit: SignalUnit,
    data: SegmentData,
    tier: int,
    since: int,
    options: StreamOptions,
    design: _Design,
    effective: tuple[FloatArray, FloatArray] | None,
    capable: int,
) -> list[MonitoredStream]:
    k, n = _unselected(data.plain, tier, options, capable)
    role: Role = "tier" if data.segment == 0 else "segment"
    if tier == capable:
        if data.segment != 0:
            return []
        role = "capable"
        if n[:, ARM_AXIS["holdout"]].sum() <= 0 and options.routing_start >= len(n):
            return []
        counted = n.sum((1, 2)) > 0
        since = max(since, int(counted.argmax())) if counted.any() else since
    k, n = (design.set_apart(x.sum(1)) for x in (k, n))
    counted = (k, n) if effective is None else effective
    streams = [_change_stream(unit, data.segment, tier, role, since, k, n, counted, options, design.correlation)]
    tails = unit.tails
    has_tail = np.cumsum(n[:, :tails].sum(1)) > 0
    if role == "tier" and design.split.any() and has_tail.any():
        tail = max(since, int(has_tail.argmax()))
        k, n, *counted = (x[:, :tails] for x in (k, n, *counted))
        streams.append(
            _change_stream(unit, 0, tier, "tail", tail, k, n, (counted[0], counted[1]), options, design.correlation)
        )
    return [s for s in streams if s.n.sum() > 0]


def _change_stream(
    unit: SignalUnit,
    segment: int,
    tier: int,
    role: Role,
    since: int,
    k: FloatArray,
    n: FloatArray,
    counted: tuple[FloatArray, FloatArray],
    options: StreamOptions,
    correlation: FloatArray,
) -> MonitoredStream:
    warmup = max(1, WARMUP_S // options.bucket_s)
    labelled = n.sum(1) > 0
    first = int(labelled.argmax()) if labelled.any() else len(n)
    earliest = first + max(2, EARLIEST_S // options.bucket_s)
    if options.baseline_until is not None:
        earliest = max(options.baseline_until, first + warmup)
    effect = design_effect(counted[1].sum(1), correlation, options.bucket_s)[:, None]
    evidence = run_self_calibrating(counted[0] / effect, counted[1] / effect, warmup, earliest)
    return MonitoredStream(unit, tier, segment, role, "change", "quality", evidence, since, k, n, warmup, earliest)


def _level_streams(
    unit: SignalUnit, data: SegmentData, tier: int, since: int, options: StreamOptions, bounded: int
) -> list[MonitoredStream]:
    grid, start, stays = data.grid, options.routing_start, options.stays
    tiers = list(range(grid.n.shape[1]))
    others = [t for t in tiers if t != tier]
    held_k, held_n = daily_effective(grid, tiers, arms=HOLDOUT_ARM, eligible=ELIGIBLE, stays=stays)
    held_n[:start], held_k[:start] = 0.0, 0.0
    settled = min(start + max(1, SETTLING_S // options.bucket_s), len(held_n)) - 1
    enough = np.cumsum(held_n) >= MIN_HOLDOUT_LABELS
    before_k, before_n = daily_effective(data.before, tiers, eligible=ELIGIBLE, stays=stays)
    has_before = before_n.sum() >= MIN_REFERENCE_LABELS
    use_holdout = bool(enough[settled]) or not has_before
    arms = ROUTED_ARMS if use_holdout else ALL_ARMS
    share = _share_served(data.traffic, tier, arms)
    own_k, own_n = daily_effective(grid, [tier], arms=arms, eligible=ELIGIBLE, stays=stays)
    rest_k, rest_n = daily_effective(grid, others, arms=arms, eligible=ELIGIBLE, stays=stays)
    for array in (own_k, own_n, rest_k, rest_n):
        array[:start] = 0.0
    # Without labels of the rest (or with three tiers) the tier is compared directly.
    itt = len(tiers) == 2 and rest_n[: settled + 1].sum() > 0
    lead = share if itt else np.ones_like(share)
    groups = [Group(own_k, own_n, lead)]
    if itt:
        groups.append(Group(rest_k, rest_n, 1.0 - share))
    role: Role = "level" if data.segment == 0 else "level_segment"
    if use_holdout:
        if not enough.any():
            return []
        groups.append(Group(held_k, held_n, -np.ones_like(share)))
        bound, first_seen = options.margin * lead, max(since, int(enough.argmax()))
    else:
        error = options.bound_alpha / 2 if data.segment == 0 else options.bound_alpha / 2 / max(bounded, 1)
        upper = float(upper_rate_bound(before_k.sum(), before_n.sum(), error))
        bound, first_seen = upper + options.margin * lead, since
    evidence = contrast_evidence(groups, bound)
    k = grid.failures[:, tier].sum((1, 2))
    n = grid.n[:, tier].sum((1, 2))
    return [MonitoredStream(unit, tier, data.segment, role, "level", "quality", evidence, first_seen, k, n)]


def _share_served(traffic: TrafficGrid, tier: int, arms: tuple[int, ...]) -> FloatArray:
    """Share of eligible, routed requests that the tier served, per bucket; carried on over empty buckets. Shape (T,)."""
    window = traffic.decisions[:, :-1][:, :, list(arms), :][:, :, :, list(ELIGIBLE)].sum((2, 3))
    total = window.sum(1)
    share = np.where(total > 0, window[:, tier] / np.maximum(total, 1.0), np.nan)
    last = MIN_SHARE_SERVED
    for t, value in enumerate(share):
        last = last if np.isnan(value) else float(value)
        share[t] = last
    return share


def _pairs_stream(
    unit: SignalUnit, data: SegmentData, tier: int, since: int, options: StreamOptions
) -> list[MonitoredStream]:
    grid = data.grid
    pairs = grid.pairs[:, tier].sum((1, 2))  # (T, strata)
    if pairs.sum() <= 0:
        return []
    # Unpaired labels of the same signal are no reason to count from earlier on.
    since = max(since, int((pairs.sum(1) > 0).argmax()))
    # Weighted label by label: inside a stratum segments are drawn at rates of their own, above all where steering is at work.
    # Pairs have weights of their own: what is reviewed has a second answer only where that was drawn too.
    top = largest_weights(grid.pair_weight_max[:, tier].max(axis=(1, 2)), pairs, options.stays).max(-1)
    paired, up, lost = (
        values[:, tier].sum((1, 2, 3)) / np.where(top > 0, top, 1.0)
        for values in (grid.pair_weight, grid.weighted_loss_up, grid.weighted_loss)
    )
    evidence = pairs_evidence(paired, up, np.maximum(up - lost, 0.0), options.margin)
    role: Role = "level" if data.segment == 0 else "level_segment"
    return [
        MonitoredStream(
            unit,
            tier,
            data.segment,
            role,
            "level",
            "shadow",
            evidence,
            since,
            grid.failures[:, tier].sum((1, 2)),
            grid.n[:, tier].sum((1, 2)),
        )
    ]
