"""When routing began, and what a tier can be compared with.

The reference of a comparison is chosen in the order of docs/concepts/verdicts.md: the concurrent holdout; pairs judged by
people or by a check with a right answer; the period before routing, same segment; the tier's own first period, which
shows change only. The capable tier's *served* traffic is never a reference: the policy chose it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertow.records.label_grid import ELIGIBLE, HOLDOUT_ARM, LabelGrid, SignalUnit
from undertow.records.traffic_grid import TrafficGrid

ROUTED_SHARE = 0.005
"""A bucket counts as routed once the cheaper tiers serve at least this share of it: stray test calls are no roll-out."""

MIN_REFERENCE_LABELS = 50
"""Fewer labels than this on the reference side settle nothing; the next reference in order is used."""

ReferenceKind = Literal["holdout", "pairs", "pre_routing", "own_first_period", "none"]


@dataclass(frozen=True, slots=True)
class Periods:
    """Where a log divides, in buckets counted from its first.

    Attributes:
        buckets: Length of the log.
        routing_start: First bucket in which a cheaper tier serves; equal to `buckets` when none ever does.
        reference_end: End (excluded) of the period before routing, or of the one named with `--baseline-until`.
        reference_is_routed: Whether cheaper tiers served inside the reference period.
    """

    buckets: int
    routing_start: int
    reference_end: int
    reference_is_routed: bool


def find_periods(traffic: TrafficGrid, bucket_s: int, baseline_until_s: float | None) -> Periods:
    """Divide a log into reference and routed periods.

    Uses only which tier served how much in each bucket, so cutting the log later never moves the start.

    Args:
        traffic: Whole-log traffic.
        bucket_s: Seconds in a bucket.
        baseline_until_s: End of the reference period as UTC seconds, or None to take the start of routing.
    """
    served = traffic.served
    total = served.sum(1)
    cheap = served[:, :-1].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        routed = np.where(total > 0, cheap / total, 0.0) >= ROUTED_SHARE
    start = int(routed.argmax()) if routed.any() else len(total)
    end = start
    if baseline_until_s is not None:
        end = int(np.clip(baseline_until_s // bucket_s - traffic.first_bucket, 0, len(total)))
    return Periods(buckets=len(total), routing_start=start, reference_end=end, reference_is_routed=start < end)


def holdout_labels(grid: LabelGrid, periods: Periods) -> float:
    """Labels of eligible decisions in the holdout arm since routing began."""
    held = grid.window(periods.routing_start, grid.buckets).n[:, :, list(HOLDOUT_ARM)][..., list(ELIGIBLE), :]
    return float(held.sum())


def reference_kind(unit: SignalUnit, grid: LabelGrid, periods: Periods) -> ReferenceKind:
    """The best reference that the labels of one signal in one segment offer.

    Args:
        unit: The signal.
        grid: Its labels by decision time, from the log's first bucket on.
        periods: Where the log divides.
    """
    if unit.shows_level:
        if holdout_labels(grid, periods) >= MIN_REFERENCE_LABELS:
            return "holdout"
        if grid.pairs.sum() >= MIN_REFERENCE_LABELS and unit.basis in {"human", "exact"}:
            return "pairs"
        before = grid.window(0, periods.reference_end).n
        if not periods.reference_is_routed and before.sum() >= MIN_REFERENCE_LABELS:
            return "pre_routing"
    return "own_first_period" if grid.n.sum() > 0 else "none"
