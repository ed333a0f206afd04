"""A design read off a log: how many labels there are, where they go, and how often they say that an answer failed."""

from dataclasses import replace

import numpy as np

from undertow.detectors.quality_gap import MIN_SEGMENT_SHARE
from undertow.estimators.periods import MIN_REFERENCE_LABELS, Periods, find_periods, reference_kind
from undertow.planning.options import share_text
from undertow.records.cells import AuditCells
from undertow.records.label_grid import SignalUnit, label_grid, signal_units
from undertow.records.power import Assumption, Design
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.evidence import alarms_armed_from, gather, topics_announced, unit_name
from undertow.services.power import watched_weights, watching

RECENT_DAYS = 28
BLIND_SENSITIVITY = 0.5
"""Share of confident failures that reviewers see who are shown one answer: the reference incident's."""

SECONDS_PER_DAY = 86_400


def measured_design(cells: AuditCells, assumed: Design) -> tuple[Design, tuple[Assumption, ...], bool]:
    """What a log says of the design, the rest as assumed.

    Args:
        cells: The log's sufficient statistics.
        assumed: Used for whatever the log does not show: sensitivity, how the judge sees, and all that it has no labels for.

    Returns:
        The design, where its measured numbers come from, and whether there is something to compare levels with.
    """
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    periods = find_periods(traffic, cells.bucket_s, None)
    days = buckets * cells.bucket_s / SECONDS_PER_DAY
    recent = slice(max(0, buckets - RECENT_DAYS * SECONDS_PER_DAY // cells.bucket_s), buckets)
    window_days = (recent.stop - recent.start) * cells.bucket_s / SECONDS_PER_DAY
    cheap = traffic.served[recent, :-1].sum() / window_days
    design = replace(assumed, cheap_per_day=float(cheap), baseline_days=int(np.clip(days, 7, RECENT_DAYS)))
    said = [Assumption("answers of the cheaper tiers", f"{cheap:,.0f} a day", "log")]
    human = _most(cells, {"human", "exact"})
    has_reference = False
    if human is not None:
        grid = label_grid(cells, human, 0, by="decided", first_bucket=first, buckets=buckets)
        # Labels arrive late: the last days are not full yet, which errs towards fewer.
        n, k = (array[recent, :-1].sum((0, 1, 2, 3)) for array in (grid.n, grid.failures))
        weight, weighted = (array[recent, :-1].sum() for array in (grid.weight, grid.weighted_failures))
        if n.sum() > 0:
            tail = float(n[0] / n.sum()) if len(n) > 1 else 0.0
            design = replace(
                design,
                reviews_per_day=float(n.sum() / window_days),
                tail_share=tail,
                failure_rate=float(np.clip(weighted / weight, 0.005, 0.5)),
            )
            sees_both = human.pairs > 0.5 * human.labels
            said += [
                Assumption("reviews of the cheaper tiers", _reviews(design, human.name, tail), "log"),
                Assumption("share of them that say failed", share_text(round(design.failure_rate, 4)), "log"),
            ]
            if not sees_both:
                design = replace(design, sensitivity=min(assumed.sensitivity, BLIND_SENSITIVITY))
                said.append(
                    Assumption(
                        "failures to come that reviewers see",
                        f"{share_text(design.sensitivity)}: they were shown one answer",
                        "assumed",
                    )
                )
        kind = reference_kind(human, grid, periods)
        has_reference = kind in {"holdout", "pairs", "pre_routing"}
    judge = _most(cells, {"judge"})
    if judge is not None:
        grid = label_grid(cells, judge, 0, by="decided", first_bucket=first, buckets=buckets)
        n, k = (float(array[recent, :-1].sum()) for array in (grid.n, grid.failures))
        if n >= MIN_REFERENCE_LABELS:
            steers = assumed.shadow_per_day > 0.0
            design = replace(
                design,
                shadow_per_day=n / window_days if steers else 0.0,
                judge_false_rate=float(np.clip(k / n, 0.005, 0.5)),
            )
            said.append(
                Assumption(
                    "judge",
                    f"{n / window_days:,.0f} verdicts a day ({judge.name})"
                    + ("" if steers else ", which steer no reviews"),
                    "log",
                )
            )
    shares = _segment_shares(cells)
    if shares:
        design = replace(design, segment_shares=shares, steer_cells=2 * _most_of_a_key(cells))
        said.append(Assumption("watched segments", f"{len(shares)}", "log"))
    if human is not None:
        design = _as_watched(cells, design, human, periods, first)
    said += watching(design, "log")
    return design, tuple(said), has_reference


def _as_watched(cells: AuditCells, design: Design, unit: SignalUnit, periods: Periods, first: int) -> Design:
    """The design with the streams among which an audit of this very log divides the false-alarm budget."""
    settings = AuditSettings(margin=design.margin, alpha=design.alpha, horizon_days=design.horizon_days)
    evidence = gather(cells, settings, periods, alarms=True)
    own = [
        (stream, float(weight))
        for stream, weight in zip(evidence.streams, evidence.weights, strict=True)
        if unit_name(stream.unit) == unit_name(unit)
    ]
    roles = {str(stream.role) for stream, _ in own} - {"tier", "tail", "segment"}
    # Which topics there are changes no other weight: a share is put by for them as soon as there are texts enough.
    if topics_announced(cells, [unit], first + alarms_armed_from(cells, periods)):
        roles.add("topic")
    alone = replace(design, other_roles=tuple(sorted(roles)), budget_share=1.0)
    tier = max((weight for stream, weight in own if stream.role == "tier"), default=0.0)
    return replace(alone, budget_share=tier / watched_weights(alone)["tier"]) if tier > 0.0 else design


def _reviews(design: Design, name: str, tail: float) -> str:
    return f"{design.reviews_per_day:,.1f} a day ({name}), {share_text(round(tail, 2))} of the long tail"


def _most(cells: AuditCells, bases: set[str]) -> SignalUnit | None:
    """The signal of such a basis with most labels, or None."""
    return next((u for u in signal_units(cells) if u.basis in bases and u.selection != "volunteered"), None)


def _most_of_a_key(cells: AuditCells) -> int:
    """Watched segments of the key that has most of them: suspicion is divided among the segments of one key."""
    traffic = cells.traffic
    by_segment = np.bincount(traffic.segment, weights=traffic.decisions.astype(np.float64))
    is_watched = by_segment >= MIN_SEGMENT_SHARE * by_segment[0]
    keys = [cells.segments[code].key for code in np.flatnonzero(is_watched).tolist() if code != 0]
    return max((keys.count(key) for key in set(keys)), default=1)


def _segment_shares(cells: AuditCells) -> tuple[float, ...]:
    """Shares of the cheaper tiers' traffic in each segment that is watched, all keys together, largest first."""
    traffic = cells.traffic
    is_cheap = (traffic.tier >= 0) & (traffic.tier < len(cells.tiers) - 1)
    total = traffic.decisions[is_cheap & (traffic.segment == 0)].sum()
    if total <= 0:
        return ()
    by_segment = np.bincount(traffic.segment[is_cheap], weights=traffic.decisions[is_cheap].astype(np.float64))
    shares = by_segment[1:] / total
    return tuple(float(x) for x in np.sort(shares[shares >= MIN_SEGMENT_SHARE])[::-1])
