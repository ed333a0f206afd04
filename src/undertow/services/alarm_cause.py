"""Why: what the reference did on like requests while the tier got worse."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from undertow.attribution.cause import MIX_SHARE, Attribution, attribute, mix_part
from undertow.attribution.matching import effective_rates, is_beyond, matched_loss, rise_without, shared_shock_days
from undertow.detectors.onset import Onset
from undertow.detectors.quality_gap import SETTLING_S
from undertow.estimators.periods import reference_kind
from undertow.estimators.sums import weighted_sums
from undertow.records.label_grid import ALL_ARMS, ELIGIBLE, HOLDOUT_ARM, ROUTED_ARMS, LabelGrid
from undertow.records.stream import MonitoredStream
from undertow.services.alarm_scene import Scene
from undertow.services.cause_references import (
    compare_with_pairs,
    like_for_like,
    main_key,
    mean_with_error,
    reference_before,
    suite_reference,
)
from undertow.services.evidence import watched_segments
from undertow.stats.confidence import hajek_mean_variance

FloatArray = npt.NDArray[np.float64]

MATCHED_ERRORS = 4.0
"""Where all tiers failed alike on some days: standard errors by which a loss must stand out without them, to be laid to routing. As many as
an alarm by itself needs, for it was those days that raised this one."""

_ASK_LABELLERS = "look at who or what gave them"

_WEIGHTED = ("weight", "weight_sq", "weighted_failures")


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
    key = main_key(scene.cells)
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
    paired = compare_with_pairs(scene, stream, known_before, split)
    if paired is not None and paired.cause == "routing":
        return paired
    if has_holdout:
        name, pick, arms, eligible = "the holdout", list(tiers), HOLDOUT_ARM, ELIGIBLE
    else:
        suite = suite_reference(scene, known_before, split)
        if suite is not None:
            return attribute(
                mean_with_error(own[0]),
                mean_with_error(own[1]),
                *suite,
                reference_name="the capable tier on the fixed suite",
            )
        name, pick, arms, eligible = f"the {scene.cells.tiers[-1]} tier", [len(scene.cells.tiers) - 1], ALL_ARMS, (0, 1)
    if stream.segment == 0:
        standard = like_for_like(scene, stream, known_before, split, pick, arms, eligible)
        if standard is not None:
            before, after, mix = standard
            return attribute(
                mean_with_error(own[0]),
                mean_with_error(own[1]),
                before,
                after,
                reference_name=f"{name} on the same mix of segments",
                reference_mix_part=mix,
            )
    other = [
        weighted_sums(w, pick, arms=arms, eligible=eligible)
        for w in (reference_before(scene, grid, split, has_holdout=has_holdout), grid.window(split, stop))
    ]
    return attribute(
        mean_with_error(own[0]),
        mean_with_error(own[1]),
        mean_with_error(other[0]),
        mean_with_error(other[1]),
        reference_name=name,
    )
