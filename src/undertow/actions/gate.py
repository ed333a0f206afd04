"""Whether a candidate may take the place of what is live, from what it adds to the losses in each tier and segment.

**Loss.** Some place whose added loss is shown above the margin. Half of alpha is for whole tiers, half for the segments that are large
enough to decide, in equal parts; what is large enough is settled by how much the candidate serves there, never by a label.

**Pass.** Every whole tier is shown below the margin and every watched segment below the segment margin. Each upper end has alpha for
itself: to pass, all must hold, so a candidate that loses too much in one place passes with at most the error of that place
(intersection-union: Berger 1982).

**Hole.** Anything else: too little evidence somewhere. It is no pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from undertow.actions.added_loss import added_loss, effective_labels, labels_missing
from undertow.records.gate import ComparedRows, GatePlace, GateVerdict, PlaceState
from undertow.records.segment import Segment

EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class GateRules:
    """What is asked of a candidate.

    Attributes:
        alpha: Probability that a candidate which adds no loss beyond the margin anywhere is failed, in (0, 1).
        margin: Largest accepted added loss per request that the candidate serves by the tier, in (0, 1).
        segment_margin: What a watched segment must be shown below, in (0, 1).
        min_share: Segments with at least this share of what the candidate serves by the tier are watched, in [0, 1].
        min_labels: Labels that a watched place with changed requests needs at least, whatever the interval says.
    """

    alpha: float = 0.05
    margin: float = 0.02
    segment_margin: float = 0.10
    min_share: float = 0.05
    min_labels: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PlaceInput:
    """What there is of one place.

    Attributes:
        tier, segment: Which.
        rows: Its labelled requests under both policies.
        share: Of what the candidate serves by the tier, the share that is here.
        cheap_before, cheap_after: Of the requests here, the shares that the two policies serve by the tier.
        changed_share: Of the requests here, the share that the two policies serve differently.
        new_share: Of the requests here, the share that the candidate serves by the tier and the live policy does not, or less often; 0: nothing
            can be lost here.
        blocked: Why nothing can be said here whatever the labels, or empty.
    """

    tier: str
    segment: Segment
    rows: ComparedRows
    share: float
    cheap_before: float
    cheap_after: float
    changed_share: float
    new_share: float
    blocked: str = ""


def judge_places(places: Sequence[PlaceInput], rules: GateRules) -> tuple[GatePlace, ...]:
    """What is known of each place, whole tiers first, then segments, the worst first.

    Args:
        places: Whole tiers and segments, in any order.
        rules: What is asked.
    """
    tiers = sum(place.segment.is_whole for place in places)
    watched = sum(_is_watched(place, rules) for place in places if not place.segment.is_whole)
    found = []
    for place in places:
        is_watched = _is_watched(place, rules)
        error = rules.alpha / 2.0 / max(tiers if place.segment.is_whole else watched, 1)
        found.append(_judge(place, rules, error, is_watched=is_watched))
    order: dict[PlaceState, int] = {"loss": 0, "hole": 1, "pass": 2}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                not one.segment.is_whole,
                not one.is_watched,
                order[one.state],
                -(one.interval[1] if one.interval else 0.0),
                one.tier,
                one.segment,
            ),
        )
    )


def verdict_of(places: Sequence[GatePlace], states: Sequence[PlaceState] = ()) -> GateVerdict:
    """The verdict: a loss anywhere that is watched fails, else a hole is one, else it passes.

    Args:
        places: Judged.
        states: What else was looked at, such as a suite.

    Examples:
        >>> verdict_of((), ["pass", "hole"]), verdict_of((), ["hole", "loss"]), verdict_of(())
        ('hole', 'loss', 'pass')
    """
    found = {place.state for place in places if place.is_watched} | set(states)
    return "loss" if "loss" in found else "hole" if "hole" in found else "pass"


def without_loss_by_judge(places: Sequence[GatePlace]) -> tuple[GatePlace, ...]:
    """The places where labels are a judge's alone: they show no loss that acts, and rule none out."""
    return tuple(
        replace(place, state="hole", labels_missing=None, why=f"{place.why}, by a judge's word alone")
        if place.state == "loss" or (place.state == "pass" and place.changed)
        else place
        for place in places
    )


def _is_watched(place: PlaceInput, rules: GateRules) -> bool:
    return place.segment.is_whole or place.share >= rules.min_share


def _judge(place: PlaceInput, rules: GateRules, error: float, *, is_watched: bool) -> GatePlace:
    rows, bar = place.rows, rules.margin if place.segment.is_whole else rules.segment_margin
    moved = (rows.most > EXACT) | (rows.least < -EXACT)
    new = rows.most > EXACT
    newly = float(rows.weight[new].sum())
    blind = float(rows.weight[new & ~rows.labelled].sum()) / newly if newly else 0.0
    judged = GatePlace(
        tier=place.tier,
        segment=place.segment,
        share=place.share,
        cheap_before=place.cheap_before,
        cheap_after=place.cheap_after,
        labels=int(rows.labelled.sum()),
        changed=int((moved & rows.labelled).sum()),
        unlabelled=blind,
        loss=None,
        interval=None,
        margin=rules.margin,
        bar=bar,
        state="hole",
        is_watched=is_watched,
        effective=effective_labels(rows),
    )
    if place.changed_share <= EXACT:
        return replace(judged, loss=0.0, interval=(0.0, 0.0), state="pass", why="served as before")
    if place.new_share <= EXACT:
        # A failure counts where the capable tier would not have failed, so fewer requests below it can lose nothing.
        taken_off = replace(judged, state="pass", why="requests are only taken off the tier")
        if place.cheap_after <= EXACT or not len(rows):
            return taken_off
        found = added_loss(rows, error, rules.alpha)
        return replace(taken_off, loss=found.loss, interval=(min(found.low, 0.0), min(found.high, 0.0)))
    if place.blocked:
        return replace(judged, why=place.blocked)
    found = added_loss(rows, error, rules.alpha)
    known = replace(judged, loss=found.loss, interval=(found.low, found.high))
    if found.low > rules.margin:
        return replace(known, state="loss", why=f"loses at least {found.low:.1%} more")
    missing = labels_missing(rows, bar, rules.alpha)
    if found.high <= bar and judged.labels >= rules.min_labels:
        return replace(known, state="pass", why=f"loses at most {max(found.high, 0.0):.1%} more")
    if found.high <= bar:
        return replace(
            known,
            labels_missing=rules.min_labels - judged.labels,
            why=f"{judged.labels} labels of {rules.min_labels} asked for",
        )
    return replace(known, labels_missing=missing, why=f"may lose {found.high:.1%} more")


def no_rows() -> ComparedRows:
    """Rows of a place without any."""
    empty = np.zeros(0)
    return ComparedRows(empty, empty, empty, empty, empty, empty, np.zeros(0, dtype=np.bool_))
