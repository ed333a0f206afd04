"""Loss of a tier in a segment against its reference: how much worse its answers are than the capable tier's on like requests.

Against a holdout the comparison is by intention to treat. Among eligible requests let a be the share that the tier served
in the treatment arm. If the other requests of the treatment arm lost nothing, then

    loss = f_tier + ((1 - a) f_rest - f_holdout) / a

which stays right when a cascade keeps the easy requests on the cheap tier: comparing f_tier with f_holdout directly would
compare easy requests with all requests. The same formula with the period before routing in the holdout's place gives the
observational comparison. With three tiers or more, f_tier - f_holdout within the segment is used and said to be weaker.
"""

from dataclasses import dataclass

import numpy as np

from undertow.estimators.combination import NOTHING, Combination, combine_rates
from undertow.estimators.periods import Periods, ReferenceKind
from undertow.estimators.sums import weighted_sums
from undertow.records.label_grid import ALL_ARMS, ELIGIBLE, HOLDOUT_ARM, ROUTED_ARMS, LabelGrid
from undertow.records.traffic_grid import TrafficGrid
from undertow.stats.confidence import (
    MIN_EFFECTIVE_EVENTS,
    MIN_EFFECTIVE_N,
    bounded_mean_interval,
    gaussian_mixture_radius,
    hajek_mean_variance,
    mean_interval,
)

MIN_REST = 0.02
"""A share of other tiers below this is left out of the contrast: its labels are too few to matter."""

FIRST_PERIOD_BUCKETS_S = 14 * 86_400
"""Length of a tier's own first period where nothing better is there to compare with."""


@dataclass(frozen=True, slots=True)
class LossEstimate:
    """Loss with what it was made of.

    Attributes:
        loss: Reference quality minus tier quality, in [-1, 1], positive is bad, or None.
        low: Lower end of its anytime-valid interval, or None.
        high: Upper end, or None.
        variance: Of the loss.
        n: Labels of the tier itself.
        quality: Mean quality of the tier, or None.
        reference_quality: Quality that the reference implies for the same requests, or None.
        reference_n: Labels of the reference.
    """

    loss: float | None
    low: float | None
    high: float | None
    variance: float
    n: int
    quality: float | None
    reference_quality: float | None
    reference_n: int


def served_share(traffic: TrafficGrid, tier: int, start: int, stop: int) -> float:
    """Share of the eligible, routed requests that a tier served in buckets start to stop (excluded)."""
    window = traffic.decisions[start:stop, :-1][:, :, list(ROUTED_ARMS), :][:, :, :, list(ELIGIBLE)]
    total = window.sum()
    return float(window[:, tier].sum() / total) if total > 0 else 0.0


def loss_estimate(
    kind: ReferenceKind,
    grid: LabelGrid,
    traffic: TrafficGrid,
    tier: int,
    periods: Periods,
    level: float,
    *,
    bucket_s: int,
    start: int | None = None,
    stop: int | None = None,
) -> LossEstimate:
    """Loss of one tier in the segment of `grid`.

    Args:
        kind: What to compare with.
        grid: Labels by decision time, from the log's first bucket on.
        traffic: Traffic of the same segment.
        tier: Tier code, not the capable tier.
        periods: Where the log divides.
        level: Level of the interval.
        bucket_s: Seconds in a bucket.
        start: First bucket of the tier's side; default: the start of routing.
        stop: End (excluded) of the traffic that counts; default: the end of the log.
    """
    begin = periods.routing_start if start is None else max(start, periods.routing_start)
    routed = grid.window(begin, grid.buckets)
    arms = ROUTED_ARMS if kind == "holdout" else ALL_ARMS
    mine = weighted_sums(routed, [tier], arms=arms, eligible=ELIGIBLE)
    n = round(float(mine.n))
    quality = 1.0 - float(hajek_mean_variance(mine)[0]) if n else None
    if kind == "pairs":
        return _from_pairs(routed, tier, level)
    if kind == "holdout":
        reference = weighted_sums(routed, range(grid.n.shape[1]), arms=HOLDOUT_ARM, eligible=ELIGIBLE)
    elif kind == "pre_routing":
        reference = weighted_sums(grid.window(0, periods.reference_end), range(grid.n.shape[1]), eligible=ELIGIBLE)
    elif kind == "own_first_period":
        length = max(1, FIRST_PERIOD_BUCKETS_S // bucket_s)
        end = periods.reference_end if periods.reference_is_routed else periods.routing_start + length
        reference = weighted_sums(grid.window(periods.routing_start, end), [tier])
        after = weighted_sums(grid.window(max(end, begin), grid.buckets), [tier])
        found = combine_rates([(1.0, after), (-1.0, reference)], level)
        return _estimate(found, round(float(after.n)), quality, round(float(reference.n)))
    else:
        return _estimate(NOTHING, n, quality, 0)
    share = served_share(traffic, tier, begin, grid.buckets if stop is None else stop)
    parts = contrast_parts(routed, tier, share, arms)
    scale = 1.0 if len(parts) == 1 else share
    found = combine_rates([*[(c / scale, s) for c, s in parts], (-1.0 / scale, reference)], level)
    return _estimate(found, n, quality, round(float(reference.n)))


def contrast_parts(routed: LabelGrid, tier: int, share: float, arms: tuple[int, ...]) -> list:
    """Groups on the routed side with their coefficients: the tier, and the rest of the eligible requests where it counts.

    One entry (coefficient 1) means that the tier is compared directly.
    """
    tiers = routed.n.shape[1]
    mine = weighted_sums(routed, [tier], arms=arms, eligible=ELIGIBLE)
    others = [t for t in range(tiers) if t != tier]
    rest = weighted_sums(routed, others, arms=arms, eligible=ELIGIBLE)
    if tiers != 2 or share >= 1.0 - MIN_REST or share <= 0.0 or float(rest.weight) <= 0.0:
        return [(1.0, mine)]
    return [(share, mine), (1.0 - share, rest)]


def own_change(grid: LabelGrid, tier: int, onset: int, arms: tuple[int, ...], level: float) -> LossEstimate:
    """Loss of a tier against its own past: failures since the onset minus failures before it.

    Args:
        grid: Labels by decision time.
        tier: Tier code.
        onset: First bucket of the change.
        arms: Arms to count (the holdout alone for the capable tier).
        level: Level of the interval. The onset was chosen from the same data, so the interval describes more than it proves.
    """
    before = weighted_sums(grid.window(0, onset), [tier], arms=arms)
    after = weighted_sums(grid.window(onset, grid.buckets), [tier], arms=arms)
    n = round(float(after.n))
    quality = 1.0 - float(hajek_mean_variance(after)[0]) if n else None
    found = combine_rates([(1.0, after), (-1.0, before)], level)
    return _estimate(found, n, quality, round(float(before.n)))


def _from_pairs(routed: LabelGrid, tier: int, level: float) -> LossEstimate:
    """Mean paired loss of a tier: reference_value minus value, weighted by inclusion probability."""
    pick = routed.n[:, tier] > 0
    pairs = routed.pairs[:, tier][pick].sum()
    labels = routed.n[:, tier][pick].sum()
    mine = weighted_sums(routed, [tier])
    quality = 1.0 - float(hajek_mean_variance(mine)[0]) if labels > 0 else None
    if pairs <= 0:
        return _estimate(NOTHING, 0, quality, 0)
    weight, top = routed.pair_weight[:, tier].sum(), routed.pair_weight_max[:, tier].max()
    lost, lost_sq = routed.weighted_loss[:, tier].sum(), routed.weighted_loss_sq[:, tier].sum()
    mean = float(lost / weight)
    if top * pairs <= weight * (1 + 1e-9):
        interval = mean_interval(lost / top, lost_sq / top**2, pairs, level, (-1.0, 1.0))
        low, high = float(interval.low), float(interval.high)
        variance = float(max(lost_sq / top**2 / pairs - mean**2, 0.0) / pairs)
    elif pairs >= MIN_EFFECTIVE_N and lost_sq >= MIN_EFFECTIVE_EVENTS * top**2:
        # Not centred, hence no smaller than the linearised variance as long as the mean loss is small.
        variance = float(lost_sq / weight**2)
        half = float(gaussian_mixture_radius(pairs, level)) * np.sqrt(variance)
        low, high = max(mean - half, -1.0), min(mean + half, 1.0)
    else:
        # Exact, on effective counts: few heavy losses, or none at all, do not show how much there may be.
        moved = 2.0 * routed.weighted_loss_up[:, tier].sum() - lost
        interval = bounded_mean_interval(lost / top, moved / top, weight / top, level, (-1.0, 1.0))
        low, high = float(interval.low), float(interval.high)
        variance = float(max(moved / weight - mean**2, 0.0) / (weight / top))
    return LossEstimate(
        mean, low, high, variance, int(pairs), quality, None if quality is None else quality + mean, int(pairs)
    )


def _estimate(found: Combination, n: int, quality: float | None, reference_n: int) -> LossEstimate:
    if found.value is None or found.low is None or found.high is None:
        return LossEstimate(None, None, None, 0.0, n, quality, None, reference_n)
    return LossEstimate(
        float(np.clip(found.value, -1.0, 1.0)),
        float(np.clip(found.low, -1.0, 1.0)),
        float(np.clip(found.high, -1.0, 1.0)),
        found.variance,
        n,
        quality,
        None if quality is None else float(np.clip(quality + found.value, 0.0, 1.0)),
        reference_n,
    )
