"""Whether a place of a rollout may go a stage further, and what is missing where it may not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undertow.actions.controls import exposure_at
from undertow.actions.entries import place_name
from undertow.actions.evidence import PlaceEvidence, TierEvidence, upper_bounds
from undertow.actions.pooling import Pooled
from undertow.actions.standing import OFF, since_of, stage_of
from undertow.records.guard import RolloutState
from undertow.records.serving import RolloutPlan

LEAST_FRESH = 50
"""Labels at the present exposure without which no stage ends: a stage that nobody looked at has shown nothing."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a place may advance.

    Attributes:
        segment: Place; empty: all requests.
        is_open: It may.
        code: Why not, in one word, the same as long as the reason is: `last`, `off`, `alarm`, `reference`, `labels`, `margin`, `budget`, `worse`.
        why: A sentence.
        tier: Tier that decides it, or empty.
        bound: Where that tier's upper bound must come to, in [-1, 1], or None.
        high: Upper bound that counts now, or None.
        borrowed: What of it was borrowed from the whole tier.
        place: Evidence that it rests on, or None.
    """

    segment: str
    is_open: bool
    code: str
    why: str
    tier: str = ""
    bound: float | None = None
    high: float | None = None
    borrowed: float = 0.0
    place: PlaceEvidence | None = None


def whole_gate(state: RolloutState, tiers: Sequence[TierEvidence], plan: RolloutPlan, alarmed: frozenset[str]) -> Gate:
    """Whether the tiers as a whole are shown to lose less than the margin, by labels that are fresh enough.

    Args:
        state: Where the rollout stands.
        tiers: All tiers below the capable one that serve.
        plan: Margin.
        alarmed: Places with an open alarm.
    """
    if stage_of(state, "") == OFF:
        return Gate("", False, "off", "nobody is exposed; `undertow rollout start --anew` begins at the first stage")
    if "" in alarmed:
        return Gate("", False, "alarm", "an alarm about the whole tier is open")
    if not tiers:
        return Gate("", False, "labels", "no tier below the capable one has served with labels yet")
    found = [_tier_gate(state, tier, plan) for tier in tiers]
    return next((gate for gate in found if not gate.is_open), found[0])


def _tier_gate(state: RolloutState, tier: TierEvidence, plan: RolloutPlan) -> Gate:
    whole = tier.whole

    def gate(code: str, why: str) -> Gate:
        return Gate("", not code, code, why, tier.tier, plan.margin, whole.high, 0.0, whole)

    if not tier.shows_level:
        return gate(
            "reference",
            f"{tier.tier}: the log has no holdout, pairs or period before routing, so nothing can be shown; see `undertow doctor`",
        )
    if whole.high >= plan.margin:
        return gate("margin", f"{tier.tier} may lose {whole.high:.1%}; it must be shown below {plan.margin:.1%}")
    fresh = fresh_labels(state, whole)
    if fresh < LEAST_FRESH:
        return gate("labels", f"{tier.tier} has {fresh} labels at this exposure; it needs {LEAST_FRESH}")
    if whole.fresh_loss is not None and whole.fresh_loss >= plan.margin:
        return gate(
            "worse", f"{tier.tier} loses {whole.fresh_loss:.1%} at this exposure, though less over the whole rollout"
        )
    return gate("", f"{tier.tier} loses at most {whole.high:.1%}, less than {plan.margin:.1%}")


def segment_gates(
    state: RolloutState, tiers: Sequence[TierEvidence], plan: RolloutPlan, alarmed: frozenset[str]
) -> dict[str, Gate]:
    """Whether each watched segment may be exposed at its next stage. It needs the whole tier's gate besides.

    Args:
        state: Where the rollout stands.
        tiers: All tiers below the capable one that serve.
        plan: Risk budget; whether segments borrow.
        alarmed: Places with an open alarm.
    """
    found: dict[str, Gate] = {}
    for tier in tiers:
        bounds = upper_bounds(tier, pools=plan.pool_segments)
        for place in tier.segments:
            gate = _segment_gate(state, tier.tier, place, bounds, plan, alarmed)
            if place.segment not in found or found[place.segment].is_open:
                found[place.segment] = gate
    for segment in sorted({*state.stage, *alarmed} - {"", *found}):
        code, why = "labels", f"{segment} had no traffic below the capable tier since the rollout began"
        if stage_of(state, segment) == OFF:
            code, why = "off", _off(segment)
        elif segment in alarmed:
            code, why = "alarm", f"an alarm about {segment} is open"
        found[segment] = Gate(segment, False, code, why)
    return found


def _segment_gate(
    state: RolloutState,
    tier: str,
    place: PlaceEvidence,
    bounds: Mapping[str, Pooled],
    plan: RolloutPlan,
    alarmed: frozenset[str],
) -> Gate:
    name, stage = place.segment, stage_of(state, place.segment)
    pooled = bounds[name]
    exposure = exposure_at(state, min(max(stage + 1, 0), len(state.stages) - 1))
    weight = place.weight * exposure
    bound = min(plan.risk_budget / weight, 1.0) if weight > 0.0 else 1.0

    def gate(code: str, why: str) -> Gate:
        return Gate(name, not code, code, why, tier, bound, pooled.high, pooled.borrowed, place)

    if stage == OFF:
        return gate("off", _off(name))
    if name in state.accepted:
        return gate("", f"{name}: somebody accepted its risk")
    if name in alarmed:
        return gate("alarm", f"an alarm about {name} is open")
    low = max(place.low, place.fresh_low)
    if low > plan.margin:
        # It steps back for that, so within the budget or not: else it would go to and fro for ever.
        return gate("worse", f"{name} is shown to lose at least {low:.1%}, more than {plan.margin:.1%}")
    if pooled.high * weight > plan.risk_budget:
        return gate(
            "budget",
            f"{name} may lose {pooled.high:.1%}; at {exposure:.0%} exposure and {place.weight:.0%} of the traffic it must be shown "
            f"below {bound:.1%}",
        )
    return gate("", f"{name} loses at most {pooled.high:.1%}, within its share of the risk budget")


def fresh_labels(state: RolloutState, place: PlaceEvidence, *, of_tier: bool = False) -> int:
    """Labels at the present exposure; evidence that counts from another moment is of another stage, and none."""
    if place.stage_since != since_of(state, place.segment):
        return 0
    return place.tier_fresh if of_tier else place.fresh


def _off(segment: str) -> str:
    return f"{place_name(segment)}: harm was shown there; `undertow rollout accept {segment}` brings it back to the first stage"
