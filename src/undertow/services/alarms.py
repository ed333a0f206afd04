"""From evidence to alarms: when it first sufficed, where, since when, how much, and why.

An alarm is told with what was known at `detected_at`, so a log that ends there tells it in the same words; the `latest_*`
fields and the segment tables use all data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
import numpy.typing as npt

from undertow.attribution.cause import MIX_SHARE, Attribution, MeanWithError, attribute, mix_part
from undertow.attribution.matching import effective_rates, is_beyond, matched_loss, rise_without, shared_shock_days
from undertow.detectors.locating import Rest, segment_of_rise
from undertow.detectors.multiplicity import locate
from undertow.detectors.onset import Onset, estimate_common_onset
from undertow.detectors.quality_gap import SETTLING_S, STAYS_S
from undertow.estimators.by_stratum import StratumCounts, StratumSums, design_scale, stratum_sums
from undertow.estimators.loss import LossEstimate, loss_estimate, own_change
from undertow.estimators.periods import Periods, ReferenceKind, reference_kind
from undertow.estimators.sums import weighted_sums
from undertow.records.cells import AuditCells
from undertow.records.label_grid import (
    ALL_ARMS,
    ELIGIBLE,
    HOLDOUT_ARM,
    ROUTED_ARMS,
    LabelGrid,
    SignalUnit,
    label_grid,
    signal_units,
)
from undertow.records.report import Alarm, AuditSettings
from undertow.records.stream import MonitoredStream
from undertow.records.traffic_grid import TrafficGrid, bucket_range, traffic_grid
from undertow.services import what_changed
from undertow.services.evidence import Evidence, watched_segments
from undertow.stats.confidence import WeightedSums, hajek_mean_variance

FloatArray = npt.NDArray[np.float64]

MIN_SUITE_LABELS = 100
"""Suite results of the capable tier on each side of the onset that make it a reference."""

MATCHED_ERRORS = 4.0
"""Where all tiers failed alike on some days: standard errors by which a loss must stand out without them, to be laid to routing. As many as
an alarm by itself needs, for it was those days that raised this one."""

PAIRED = 0.9
"""Share of a stratum's labels, before and after, that must be pairs for the other answers to be a reference."""

_ASK_LABELLERS = "look at who or what gave them"

_WEIGHTED = ("weight", "weight_sq", "weighted_failures")

MIN_CELL_LABELS = 5
"""Reference labels in a segment on each side of the onset; segments with fewer are left out of the standardised rate."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A stream that was named, and when.

    Attributes:
        bucket: Bucket at whose end the evidence sufficed.
        stream: What was named.
        log10_evidence: Summed evidence then.
        is_first: Whether this was the first bucket over the line: only then is the place looked for anew.
        passes_alone: Whether the stream's own weighted evidence reached the line.
    """

    bucket: int
    stream: MonitoredStream
    log10_evidence: float
    is_first: bool
    passes_alone: bool


def crossings(evidence: Evidence) -> list[Crossing]:
    """Streams in the order in which the evidence named them, largest contribution first; each (tier, segment) once a kind.

    In the first bucket over the line the streams that carry the sum are located (and always the largest contributor). Later
    buckets may add others that pass by themselves.
    """
    armed = np.arange(len(evidence.summed)) >= evidence.armed_from
    over = np.flatnonzero((evidence.summed >= evidence.line) & armed)
    found: list[Crossing] = []
    seen: set[tuple[int, int, str]] = set()
    for order, bucket in enumerate(over):
        values = evidence.at(int(bucket))
        weighted = values * evidence.weights
        named = np.asarray(locate(evidence.weights, values, evidence.line))
        if order > 0:
            # The largest contributor need not pass alone to explain the first alarm; afterwards it must.
            named &= weighted >= evidence.line / max(int(named.sum()), 1)
        for i in np.argsort(-weighted, kind="stable"):
            stream = evidence.streams[i]
            if named[i] and (stream.tier, stream.segment, stream.kind) not in seen:
                seen.add((stream.tier, stream.segment, stream.kind))
                level = float(np.log10(evidence.summed[bucket]))
                found.append(Crossing(int(bucket), stream, level, order == 0, bool(weighted[i] >= evidence.line)))
    return found


@dataclass(frozen=True, slots=True)
class Scene:
    """What the alarms of one log are told from."""

    cells: AuditCells
    settings: AuditSettings
    periods: Periods
    first: int
    buckets: int
    level: float

    def at(self, bucket: int) -> datetime:
        """Start of a bucket (counted from the log's first) as a time."""
        return datetime.fromtimestamp((self.first + bucket) * self.cells.bucket_s, UTC)

    def labels(self, unit: SignalUnit, segment: int, known_before: int | None, *, plain: bool = False) -> LabelGrid:
        """Labels by decision time, as known before a bucket (None: all); `plain` as in `label_grid`."""
        until = None if known_before is None else self.first + known_before
        return label_grid(
            self.cells,
            unit,
            segment,
            by="decided",
            first_bucket=self.first,
            buckets=self.buckets,
            until_available=until,
            plain=plain,
        )

    def traffic(self, segment: int) -> TrafficGrid:
        """Traffic of a segment."""
        return traffic_grid(self.cells, segment, first_bucket=self.first, buckets=self.buckets)


def tell_alarms(
    cells: AuditCells, settings: AuditSettings, periods: Periods, evidence: Evidence, level: float
) -> list[Alarm]:
    """All alarms of one sum of evidence, in order of detection.

    Args:
        cells: The log's sufficient statistics.
        settings: The audit's settings.
        periods: Where the log divides.
        evidence: Summed evidence.
        level: Level of each alarm's interval, already adjusted for how many are shown.
    """
    first, buckets = bucket_range(cells)
    scene = Scene(cells, settings, periods, first, buckets, level)
    found: list[Alarm] = []
    told: dict[tuple[int, int], Alarm] = {}
    crossed = crossings(evidence)
    for crossing in crossed:
        stream = crossing.stream
        place = _place(scene, evidence, crossing) if crossing.is_first else stream
        earlier = [
            alarm for (tier, segment), alarm in told.items() if tier == place.tier and place.segment in {0, segment}
        ]
        # A tier and its segments are one episode, told once, unless the first telling did not lay it to routing.
        if any(alarm.cause == "routing" or alarm.kind == place.kind for alarm in earlier):
            continue
        # Topics overlap each other and the segments: one of a tier is told, where nothing was; the search tells the others.
        if place.role == "topic" and any(tier == place.tier for tier, _ in told):
            continue
        alarm = _tell(scene, crossing, place)
        told[place.tier, place.segment] = alarm
        found.append(alarm)
        later = _located_later(scene, evidence, crossing) if place.segment == 0 and crossing.is_first else None
        # A segment that passes by itself before it is located is told then, in its turn.
        if later is not None and not any(_precedes(c, later) for c in crossed):
            told[later.stream.tier, later.stream.segment] = _tell(scene, later, later.stream)
            found.append(told[later.stream.tier, later.stream.segment])
    return sorted(found, key=lambda alarm: alarm.detected_at)


def _precedes(crossing: Crossing, later: Crossing) -> bool:
    """Whether a crossing names the place of another one at least as early."""
    place, other = crossing.stream, later.stream
    return (place.tier, place.segment) == (other.tier, other.segment) and crossing.bucket <= later.bucket


def _siblings(evidence: Evidence, stream: MonitoredStream, bucket: int) -> dict[int, MonitoredStream]:
    """Streams of the same signal and tier: the whole tier's under 0, segments under their codes."""
    return {
        s.segment: s
        for s in evidence.streams
        if s.unit == stream.unit
        and s.tier == stream.tier
        and s.role not in {"tail", "capable", "topic"}
        and s.kind == stream.kind
        and s.monitor == stream.monitor
        and s.anchored_by == stream.anchored_by
        and bucket >= s.first_seen
    }


def _place(scene: Scene, evidence: Evidence, crossing: Crossing) -> MonitoredStream:
    """The stream to tell the first alarm about: the most specific segment that explains it, else the tier as a whole.

    Later alarms passed by themselves and are told where they are.
    """
    family = _siblings(evidence, crossing.stream, crossing.bucket)
    whole = family.get(0, crossing.stream)
    if crossing.stream.role == "capable" or (crossing.stream.segment != 0 and crossing.passes_alone):
        return crossing.stream
    if crossing.stream.role == "topic":
        return crossing.stream if _bears_most(evidence, crossing) else whole
    if len(family) < 2:
        return whole
    onset = int(_onset(scene, whole, crossing.bucket + 1).day)
    return _named(scene, family, onset, crossing.bucket) or whole


def _bears_most(evidence: Evidence, crossing: Crossing) -> bool:
    """Whether a stream makes up more than half of the summed evidence."""
    weighted = evidence.at(crossing.bucket) * evidence.weights
    own = next(i for i, stream in enumerate(evidence.streams) if stream is crossing.stream)
    return bool(2.0 * weighted[own] > weighted.sum())


def _located_later(scene: Scene, evidence: Evidence, crossing: Crossing) -> Crossing | None:
    """The bucket, if any, at which labels since the alarm tell which segment bears it."""
    family = _siblings(evidence, crossing.stream, crossing.bucket)
    if 0 not in family or len(family) < 2:
        return None
    onset = int(_onset(scene, family[0], crossing.bucket + 1).day)
    rises = _Rises.of(scene, family)
    for bucket in range(crossing.bucket + 1, scene.buckets):
        named = rises.named(onset, bucket)
        if named is not None:
            return Crossing(bucket, named, float(np.log10(evidence.summed[bucket])), is_first=False, passes_alone=False)
    return None


def _named(scene: Scene, family: dict[int, MonitoredStream], onset: int, bucket: int) -> MonitoredStream | None:
    """The segment that bears a change since `onset`, by labels available at the end of `bucket`; None: the whole tier."""
    return _Rises.of(scene, family).named(onset, bucket)


@dataclass(frozen=True, slots=True)
class _Rises:
    """Weighted labels of a tier, of each of its segments and of the rest, by availability: rises are told from these.

    Labels of one stratum are drawn at different rates (least numbers, stakes, steering). Counted plainly, a segment whose hard requests are
    drawn more often would look worse than it is.

    Attributes:
        family: Streams by segment code, 0 for the whole tier.
        start: First bucket of routing.
        strata: Strata of the tier.
        whole: Labels of the whole tier.
        own: Of each segment, by code.
        rest: Of the tier without the segment.
        keys: A number per segment, the same for segments of one key.
    """

    family: dict[int, MonitoredStream]
    start: int
    strata: int
    whole: StratumSums
    own: dict[int, StratumSums]
    rest: dict[int, StratumSums]
    keys: list[int]

    @classmethod
    def of(cls, scene: Scene, family: dict[int, MonitoredStream]) -> Self:
        """Of a family of streams, the whole tier's among them."""
        stream = family[0]
        codes = [code for code in family if code != 0]
        stays = max(1, STAYS_S // scene.cells.bucket_s)

        def grid(code: int) -> LabelGrid:
            return label_grid(scene.cells, stream.unit, code, first_bucket=scene.first, buckets=scene.buckets)

        everything = grid(0)
        scale = design_scale(everything, stream.tier, stays)
        whole = stratum_sums(everything, stream.tier, scale)
        own, rest = {}, {}
        for code in codes:
            part = grid(code)
            own[code] = stratum_sums(part, stream.tier, design_scale(part, stream.tier, stays))
            rest[code] = whole.minus(stratum_sums(part, stream.tier, scale))
        names = [scene.cells.segments[code].key for code in codes]
        return cls(
            family,
            scene.periods.routing_start,
            everything.strata,
            whole,
            own,
            rest,
            [names.index(name) for name in names],
        )

    def named(self, onset: int, bucket: int) -> MonitoredStream | None:
        """The segment that bears a change since `onset`, by labels available at the end of `bucket`; None: the whole tier."""
        split = int(np.clip(onset, self.start + 1, max(bucket, self.start + 1)))
        before, after = (
            [each.counts(*window, self.strata) for each in (self.whole, *self.own.values())]
            for window in ((self.start, split), (split, bucket + 1))
        )
        rest_before, rest_after = (
            [each.counts(*window, self.strata) for each in self.rest.values()]
            for window in ((self.start, split), (split, bucket + 1))
        )
        named = segment_of_rise(
            *_stacked(before),
            *_stacked(after),
            self.keys,
            np.array([each.requests for each in after]),
            Rest(*_stacked(rest_before), *_stacked(rest_after)),
        )
        return None if named is None else self.family[list(self.own)[named]]


def _stacked(counts: Sequence[StratumCounts]) -> tuple[FloatArray, FloatArray]:
    return np.array([each.failures for each in counts]), np.array([each.n for each in counts])


def _smoothed(failures: FloatArray, n: FloatArray, prior_rate: FloatArray, prior_n: float = 20.0) -> FloatArray:
    """Rates shrunk towards a prior worth some labels, so that a thin baseline is no certainty."""
    return np.clip((failures + prior_rate * prior_n) / (n + prior_n), 1e-4, 0.9)


def _tell(scene: Scene, crossing: Crossing, stream: MonitoredStream) -> Alarm:
    known_before = crossing.bucket + 1
    onset = _onset(scene, stream, known_before)
    # What a change detector saw is a change; against the reference a young rollout's share makes the first figure useless.
    then = (_own_change if stream.kind == "change" else _loss)(scene, stream, onset, known_before)
    now = _loss(scene, stream, onset, None)
    # Detection is told as it was; the cause may be settled, or set right, by labels that came later.
    why = explain(scene, stream, onset, None)
    if why.cause == "unknown":
        why = explain(scene, stream, onset, known_before)
    tier = scene.cells.tiers[stream.tier]
    alarm = Alarm(
        monitor=stream.monitor,
        signal=stream.unit.name,
        tier=tier,
        segment=scene.cells.segments[stream.segment],
        cause=why.cause,
        basis="anchored" if stream.anchored_by is not None else stream.unit.basis,
        detected_at=scene.at(crossing.bucket + 1),
        onset=scene.at(int(onset.day)),
        onset_interval=(scene.at(int(onset.low)), scene.at(int(onset.high))),
        loss=then.loss,
        interval=None if then.low is None or then.high is None else (then.low, then.high),
        evidence=crossing.log10_evidence,
        kind=stream.kind,
        beyond_margin=None if then.low is None or tier == scene.cells.tiers[-1] else then.low > scene.settings.margin,
        latest_loss=now.loss,
        latest_interval=None if now.low is None or now.high is None else (now.low, now.high),
        note=why.note,
    )
    began = what_changed.Onset(scene.periods.routing_start, int(onset.day), int(onset.low), int(onset.high))
    return what_changed.with_what_changed(
        scene.cells, alarm, stream.unit, stream.tier, began, scene.first, scene.buckets, scene.level
    )


def _onset(scene: Scene, stream: MonitoredStream, known_before: int) -> Onset:
    """When the change began, from labels by decision day; a level that was there from the start began with routing.

    A change is set against the stream's own first days, a level against what the reference says of the same requests.
    """
    grid = scene.labels(stream.unit, stream.segment, known_before, plain=True)
    start = 0 if stream.role == "capable" else scene.periods.routing_start
    stop = min(known_before, scene.buckets)
    k = grid.failures[:, stream.tier].sum((1, 2))
    n = grid.n[:, stream.tier].sum((1, 2))
    if stream.kind == "level" or not stream.unit.strata:
        k, n = k.sum(1, keepdims=True), n.sum(1, keepdims=True)
    baseline_end = int(np.clip(stream.earliest, start + 1, stop))
    rate = _smoothed(k[start:baseline_end].sum(0), n[start:baseline_end].sum(0), np.asarray(0.1))
    size = n[start:baseline_end].sum(0)
    if stream.kind == "level":
        everything = Onset(*(np.asarray(start),) * 3)
        found = _loss(scene, stream, everything, known_before)
        if found.reference_quality is not None:
            rate, size = np.clip([1.0 - found.reference_quality], 1e-3, 0.9), np.array([found.reference_n])
    # By stratum: how labels divide over them moves with the sampling rates, above all where steering set in after the onset.
    found_onset = estimate_common_onset(k[start:stop], n[start:stop], rate, np.maximum(size, 1.0))
    return Onset(found_onset.day + start, found_onset.low + start, found_onset.high + start)


def _loss(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> LossEstimate:
    """Loss since the onset, against the best reference known then; else against the tier's own past."""
    grid = scene.labels(stream.unit, stream.segment, known_before)
    traffic = scene.traffic(stream.segment)
    kind: ReferenceKind = reference_kind(stream.unit, grid, scene.periods)
    if stream.monitor == "shadow":
        kind = "pairs"
    if stream.tier == len(scene.cells.tiers) - 1 or stream.role == "topic" or kind in {"own_first_period", "none"}:
        return _own_change(scene, stream, onset, known_before)
    return loss_estimate(
        kind,
        grid,
        traffic,
        stream.tier,
        scene.periods,
        scene.level,
        bucket_s=scene.cells.bucket_s,
        start=int(onset.day),
        stop=known_before,
    )


def _own_change(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> LossEstimate:
    """Loss since the onset against the stream's own past; the capable tier's only where the policy does not choose."""
    grid = scene.labels(stream.unit, stream.segment, known_before)
    if stream.role == "capable":
        grid, arms = grid.as_holdout(scene.periods.routing_start), HOLDOUT_ARM
    else:
        arms = ALL_ARMS
    return own_change(grid, stream.tier, int(onset.day), arms, scene.level)


def explain(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> Attribution:
    """Why: what the reference did on like requests while the tier got worse."""
    if stream.tier == len(scene.cells.tiers) - 1:
        return _explain_capable(scene, stream, onset, known_before)
    grid = scene.labels(stream.unit, stream.segment, known_before)
    kind = reference_kind(stream.unit, grid, scene.periods)
    if stream.kind == "level" and (stream.monitor == "shadow" or kind == "holdout"):
        if stream.monitor != "shadow" and _is_shared_by_days(scene, stream, grid, onset, known_before):
            return Attribution(
                "unknown",
                f"compared day by day, the holdout failed as often: on some days all tiers' labels failed alike; {_ASK_LABELLERS}",
            )
        return Attribution("routing", "shown against the other tier's answers to like requests at the same time")
    settled = scene.periods.routing_start + max(1, SETTLING_S // scene.cells.bucket_s)
    if stream.kind == "level" and kind == "pre_routing" and onset.low <= settled:
        return Attribution("routing", "quality was lower from the first days of routing on than before it")
    found = _compare_with_reference(scene, stream, grid, onset, known_before, has_holdout=kind == "holdout")
    if found.cause == "routing" and _is_shared_by_days(scene, stream, grid, onset, known_before):
        return Attribution(
            "unknown",
            f"on some days all tiers' labels failed alike, and without them the rise is gone; {_ASK_LABELLERS}",
        )
    return found


def _is_shared_by_days(
    scene: Scene, stream: MonitoredStream, grid: LabelGrid, onset: Onset, known_before: int | None
) -> bool:
    """Whether all tiers failed alike on some days, and no loss is left where that is taken into account.

    A level is compared with the holdout within days; a change must be there without those days.
    """
    start, per_day = scene.periods.routing_start, max(1, 86_400 // scene.cells.bucket_s)
    window = grid.window(start, scene.buckets)
    sides = _sides_by_day(window, per_day)
    # In a segment few labels of the holdout fall on one day; what befell the whole tier befell its segments.
    whole = _sides_by_day(scene.labels(stream.unit, 0, known_before).window(start, scene.buckets), per_day)
    shocked = shared_shock_days(*sides) | shared_shock_days(*whole)
    if not shocked.any():
        return False
    since = max(int(onset.day) - start, 0) // per_day
    if stream.kind == "change":
        rise = rise_without(*_by_day(window, ALL_ARMS, [stream.tier], (0, 1), per_day), since, shocked)
        return rise is None or not is_beyond(rise, 0.0, MATCHED_ERRORS)
    loss = matched_loss(*(side[since:] for side in sides))
    served = scene.traffic(stream.segment).decisions[start:]
    routed = served[:, :-1][:, :, list(ROUTED_ARMS)][:, :, :, list(ELIGIBLE)].sum((0, 2, 3))
    share = float(routed[stream.tier] / max(routed.sum(), 1.0))
    return loss is None or not is_beyond(loss, scene.settings.margin * share, MATCHED_ERRORS)


def _sides_by_day(window: LabelGrid, per_day: int) -> list[FloatArray]:
    """Failure rate of the routed traffic and what it is worth, and both of the holdout, day by day."""
    tiers = range(window.n.shape[1])
    return [
        *_by_day(window, ROUTED_ARMS, tiers, ELIGIBLE, per_day), *_by_day(window, HOLDOUT_ARM, tiers, ELIGIBLE, per_day)
    ]  # fmt: skip


def _by_day(
    window: LabelGrid, arms: Sequence[int], tiers: Sequence[int], eligible: Sequence[int], per_day: int
) -> tuple[FloatArray, FloatArray]:
    days = np.arange(0, max(window.buckets, 1), per_day)
    part = [getattr(window, name)[:, list(tiers)][:, :, list(arms)][:, :, :, list(eligible)] for name in _WEIGHTED]
    return effective_rates(*(np.add.reduceat(values.sum((1, 2, 3, 4)), days) for values in part))


def _explain_capable(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> Attribution:
    """The capable tier fell where the policy does not choose its traffic: did it, or did traffic become harder?"""
    capable, day = stream.tier, int(onset.day)
    shares: list[list[float]] = [[], []]
    rates: list[list[float]] = [[], []]
    key = _main_key(scene.cells)
    for code in [c for c in watched_segments(scene.cells) if c and scene.cells.segments[c].key == key]:
        grid = scene.labels(stream.unit, code, known_before).as_holdout(scene.periods.routing_start)
        for side, window in enumerate((grid.window(0, day), grid.window(day, scene.buckets))):
            sums = weighted_sums(window, [capable], arms=HOLDOUT_ARM)
            shares[side].append(float(sums.weight))
            rates[side].append(float(hajek_mean_variance(sums)[0]) if float(sums.weight) > 0 else 0.0)
    totals = [sum(side) for side in shares]
    if min(totals) > 0:
        share = [[w / total for w in side] for side, total in zip(shares, totals, strict=True)]
        rise = sum(s * r for s, r in zip(share[1], rates[1], strict=True)) - sum(
            s * r for s, r in zip(share[0], rates[0], strict=True)
        )
        moved = mix_part(*share, *rates)
        if rise > 0 and moved >= MIX_SHARE * rise:
            return Attribution(
                "mix", f"traffic moved to harder requests, which explains {100 * moved:.1f} of {100 * rise:.1f} points"
            )
    return Attribution("provider", "the capable tier itself fell where the policy does not choose its traffic")


def _compare_with_reference(
    scene: Scene, stream: MonitoredStream, grid: LabelGrid, onset: Onset, known_before: int | None, *, has_holdout: bool
) -> Attribution:
    start, stop = scene.periods.routing_start, scene.buckets
    tiers = range(len(scene.cells.tiers))
    split = int(np.clip(int(onset.day), start + 1, stop - 1)) if stop - start > 1 else start
    own = [weighted_sums(w, [stream.tier]) for w in (grid.window(start, split), grid.window(split, stop))]
    paired = _compare_with_pairs(scene, stream, known_before, split)
    if paired is not None and paired.cause == "routing":
        return paired
    if has_holdout:
        name, pick, arms, eligible = "the holdout", list(tiers), HOLDOUT_ARM, ELIGIBLE
    else:
        suite = _suite_reference(scene, known_before, split)
        if suite is not None:
            return attribute(_mean(own[0]), _mean(own[1]), *suite, reference_name="the capable tier on the fixed suite")
        name, pick, arms, eligible = f"the {scene.cells.tiers[-1]} tier", [len(scene.cells.tiers) - 1], ALL_ARMS, (0, 1)
    if stream.segment == 0:
        standard = _like_for_like(scene, stream, known_before, split, pick, arms, eligible)
        if standard is not None:
            before, after, mix = standard
            return attribute(
                _mean(own[0]),
                _mean(own[1]),
                before,
                after,
                reference_name=f"{name} on the same mix of segments",
                reference_mix_part=mix,
            )
    other = [
        weighted_sums(w, pick, arms=arms, eligible=eligible)
        for w in (_reference_before(scene, grid, split, has_holdout=has_holdout), grid.window(split, stop))
    ]
    return attribute(_mean(own[0]), _mean(own[1]), _mean(other[0]), _mean(other[1]), reference_name=name)


def _compare_with_pairs(
    scene: Scene, stream: MonitoredStream, known_before: int | None, split: int
) -> Attribution | None:
    """The other tier's answers to the very same requests, before and after, where people see both; None where they do not.

    Stratum by stratum, each worth as much as its smaller side has labels, so that what steering drew after the onset is set against the
    same stratum before it. Inside a stratum labels are weighted: more of some requests may be drawn after the onset than before.
    """
    grid = scene.labels(stream.unit, stream.segment, known_before)
    scale = design_scale(grid, stream.tier, max(1, STAYS_S // scene.cells.bucket_s))
    sums = stratum_sums(grid, stream.tier, scale)
    sides = [sums.counts(scene.periods.routing_start, split), sums.counts(split, scene.buckets)]
    both = np.minimum(*(np.where(side.paired >= PAIRED, side.n, 0.0) for side in sides))
    if both.sum() <= 0:
        return None
    worth = both / both.sum()
    means = []
    for side in sides:
        n = np.maximum(side.n, 1.0)
        # The loss of a pair is the failure of the one answer less that of the other.
        for failed in (side.failures, np.clip(side.failures - side.lost, 0.0, side.n)):
            share, rate = failed / np.where(side.n > 0, side.n, 1.0), (failed + 1.0) / (side.n + 2.0)
            variance = float((worth**2 * rate * (1.0 - rate) / n).sum())
            means.append(MeanWithError(float((worth * share).sum()), variance, float(side.n[both > 0].sum())))
    own_before, other_before, own_after, other_after = means
    return attribute(
        own_before, own_after, other_before, other_after, reference_name="the other tier's answers to the same requests"
    )


def _reference_before(scene: Scene, grid: LabelGrid, split: int, *, has_holdout: bool) -> LabelGrid:
    """Labels that show the reference before the onset.

    Before routing began everybody was served as the holdout is now, so all labels of that time count as the holdout's.
    """
    start = scene.periods.routing_start
    if not has_holdout:
        return grid.window(start, split)
    return grid.window(0, split).as_holdout(start)


def _suite_reference(scene: Scene, known_before: int | None, split: int) -> tuple[MeanWithError, MeanWithError] | None:
    """The capable tier on the regression suite before and after; None without enough runs of it."""
    capable = len(scene.cells.tiers) - 1
    for unit in signal_units(scene.cells, ("suite",)):
        grid = scene.labels(unit, 0, known_before)
        parts = [
            weighted_sums(w, [capable])
            for w in (grid.window(scene.periods.routing_start, split), grid.window(split, scene.buckets))
        ]
        if min(float(p.n) for p in parts) >= MIN_SUITE_LABELS:
            return _mean(parts[0]), _mean(parts[1])
    return None


def _like_for_like(
    scene: Scene,
    stream: MonitoredStream,
    known_before: int | None,
    split: int,
    pick: Sequence[int],
    arms: Sequence[int],
    eligible: Sequence[int],
) -> tuple[MeanWithError, MeanWithError, float] | None:
    """The reference's failure rates on the alarmed tier's own mix of segments, before and after, and the part due to mix.

    Uses the segment key that covers most of the tier's labels; None where no key covers most of them.
    """
    key = _main_key(scene.cells)
    if key is None:
        return None
    codes = [code for code in watched_segments(scene.cells) if code and scene.cells.segments[code].key == key]
    start, stop = scene.periods.routing_start, scene.buckets
    shares: list[list[float]] = [[], []]
    means: list[list[MeanWithError]] = [[], []]
    for code in codes:
        grid = scene.labels(stream.unit, code, known_before)
        traffic = scene.traffic(code)
        windows = ((start, split), (split, stop if known_before is None else known_before))
        reference = [
            weighted_sums(
                _reference_before(scene, grid, split, has_holdout=arms == HOLDOUT_ARM),
                pick,
                arms=arms,
                eligible=eligible,
            ),
            weighted_sums(grid.window(split, stop), pick, arms=arms, eligible=eligible),
        ]
        if min(float(r.n) for r in reference) < MIN_CELL_LABELS:
            continue
        for side, (a, b) in enumerate(windows):
            shares[side].append(float(traffic.served[a:b, stream.tier].sum()))
            means[side].append(_mean(reference[side]))
    totals = [sum(s) for s in shares]
    if min(totals, default=0.0) <= 0 or len(shares[0]) < 2:
        return None
    weights = [[s / total for s in side] for side, total in zip(shares, totals, strict=True)]
    pooled = [
        MeanWithError(
            sum(w * m.mean for w, m in zip(ws, ms, strict=True)),
            sum(w**2 * m.variance for w, m in zip(ws, ms, strict=True)),
            sum(m.n for m in ms),
        )
        for ws, ms in zip(weights, means, strict=True)
    ]
    moved = mix_part(weights[0], weights[1], [m.mean for m in means[0]], [m.mean for m in means[1]])
    return pooled[0], pooled[1], moved


def _main_key(cells: AuditCells) -> str | None:
    """The segment key that most labels bear."""
    labels = cells.labels
    counts: dict[str, float] = {}
    for code in watched_segments(cells):
        if code != 0:
            key = cells.segments[code].key
            counts[key] = counts.get(key, 0.0) + float(labels.n[labels.segment == code].sum())
    total = float(labels.n[labels.segment == 0].sum())
    best = max(counts, key=lambda k: (counts[k], k), default=None)
    return best if best is not None and counts[best] >= 0.8 * total else None


def _mean(sums: WeightedSums) -> MeanWithError:
    """Mean failure with a variance that is not 0 where all labels agree (one more failure and one more success)."""
    n = float(sums.n)
    if n <= 0:
        return MeanWithError(0.0, 0.0, 0.0)
    mean, variance = (float(x) for x in hajek_mean_variance(sums))
    smoothed = (mean * n + 1.0) / (n + 2.0)
    return MeanWithError(mean, max(variance, smoothed * (1 - smoothed) / n), n)
