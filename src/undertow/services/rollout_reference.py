"""What a rollout is decided by: one signal and one reference, chosen once. Pure.

**Once.** Which signal counts, and what the tier is compared with, is chosen by how many labels there were when, never by how they came out: pairs as
soon as a signal has enough of them; else, `SETTLED_DAYS` after the rollout began, the best there is of the signal with most labels. A signal or a
reference that could change at a later look would spend the error a second time. Each look finds the same, since it counts what had come by the
moment of the choice only.

**Like for like.** A holdout, or the time before routing, says what a tier loses only by intention to treat: among all eligible requests, those that
went up to the capable tier counted with their labels. With three tiers or more, or without labels of those that went up, the tier's own requests
would be compared with all, and a policy that picks the easy ones would look good however much it loses on them. Then only pairs will do.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from undertow.estimators.loss import contrast_parts, served_share
from undertow.estimators.periods import MIN_REFERENCE_LABELS, Periods, ReferenceKind, reference_kind
from undertow.records.cells import AuditCells
from undertow.records.label_grid import ALL_ARMS, ROUTED_ARMS, LabelGrid, SignalUnit, label_grid
from undertow.records.traffic_grid import TrafficGrid

LEVELS: frozenset[ReferenceKind] = frozenset({"holdout", "pairs", "pre_routing"})
"""References from elsewhere: by these a tier can be shown to be good, not only unchanged."""

SETTLED_DAYS = 7.0
"""Days after a rollout began for which pairs are waited for before another reference is taken."""

ALL_SERVED = 0.98
"""Share of the eligible requests from which on those that other tiers served are too few to matter."""


def choose_reference(
    cells: AuditCells, units: Sequence[SignalUnit], periods: Periods, first: int, buckets: int
) -> tuple[SignalUnit, ReferenceKind] | None:
    """The signal and the reference of a rollout, or None: not chosen yet, or there is none.

    Args:
        cells: The log's sufficient statistics.
        units: Signals that may decide.
        periods: Where the log divides; routing starts where the rollout does.
        first: First bucket of the log.
        buckets: Its length.
    """
    begin = periods.routing_start
    settled = begin + math.ceil(SETTLED_DAYS * 86_400 / cells.bucket_s)
    soonest = []
    for unit in units:
        if may_pair(unit):
            came = labels_since(cells, unit, first + begin, first, buckets).pairs.sum((1, 2, 3, 4)).cumsum()
            enough = np.flatnonzero(came >= MIN_REFERENCE_LABELS)
            if len(enough) and enough[0] < settled:
                soonest.append((int(enough[0]), -float(came[enough[0]]), unit.name, unit.selection, unit.basis, unit))
    if soonest:
        return min(soonest, key=lambda each: each[:-1])[-1], "pairs"
    for until in range(settled, buckets + 1):
        seen = {unit: _seen(cells, unit, first, buckets, until) for unit in units}
        for unit in sorted(units, key=lambda u: (-float(seen[u].n.sum()), u.name, u.selection, u.basis)):
            found = _kind(cells, unit, seen[unit], periods)
            if found in LEVELS:
                return unit, found
    return None


def may_pair(unit: SignalUnit) -> bool:
    """Whether a signal's pairs may decide: drawn with known probabilities, and no judge's."""
    return unit.shows_level and unit.basis in {"human", "exact"}


def labels_since(
    cells: AuditCells, unit: SignalUnit, decided: int, first: int, buckets: int, segment: int = 0
) -> LabelGrid:
    """Labels of requests from a bucket on, in the order in which the labels came."""
    labels = cells.labels.take(cells.labels.decided >= decided)
    return label_grid(replace(cells, labels=labels), unit, segment, by="available", first_bucket=first, buckets=buckets)


def is_like_for_like(kind: ReferenceKind, grid: LabelGrid, traffic: TrafficGrid, tier: int, begin: int) -> bool:
    """Whether a tier's labels can be compared with the reference's at all, at one place.

    Args:
        kind: What it is compared with.
        grid: Labels by decision time, from the log's first bucket on.
        traffic: Traffic of the same segment.
        tier: Tier code, not the capable tier.
        begin: First bucket that counts.
    """
    if kind == "pairs":
        return True
    share = served_share(traffic, tier, begin, grid.buckets)
    arms = ROUTED_ARMS if kind == "holdout" else ALL_ARMS
    return share >= ALL_SERVED or len(contrast_parts(grid.window(begin, grid.buckets), tier, share, arms)) > 1


def _seen(cells: AuditCells, unit: SignalUnit, first: int, buckets: int, until: int) -> LabelGrid:
    return label_grid(cells, unit, 0, by="decided", first_bucket=first, buckets=buckets, until_available=first + until)


def _kind(cells: AuditCells, unit: SignalUnit, seen: LabelGrid, periods: Periods) -> ReferenceKind:
    found = reference_kind(unit, seen, periods)
    if len(cells.tiers) == 2 or found == "pairs":
        return found
    return "pairs" if may_pair(unit) and seen.pairs.sum() >= MIN_REFERENCE_LABELS else "none"
