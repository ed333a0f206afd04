"""Where a rollout stands and when its next decision comes, for people: what `undertow rollout status` shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from undertow.actions.controls import exposure_at
from undertow.actions.evidence import TierEvidence
from undertow.actions.forecast import date_of, labels_until
from undertow.actions.gates import LEAST_FRESH, Gate, fresh_labels, segment_gates, whole_gate
from undertow.actions.standing import since_of, stage_of
from undertow.records.guard import RolloutState
from undertow.records.serving import RolloutPlan

NOT_BY_LABELS = frozenset({"off", "alarm", "reference"})
"""Reasons that no number of labels takes away."""


@dataclass(frozen=True, slots=True)
class PlaceOutlook:
    """One place of a rollout.

    Attributes:
        segment: `key=value`; empty: all requests.
        stage: Its stage, -1: taken off.
        exposure: Share of users at it.
        next_exposure: At the next one, or None: it is the last.
        since: When the stage began, RFC 3339.
        is_ready: Its own evidence would let it advance.
        is_accepted: A person accepted its risk.
        needs: What is missing, a sentence.
        high: Upper bound of the loss that counts, in [-1, 1], or None.
        bound: Where it must come to, or None.
        borrowed: What was borrowed from the whole tier, at least 0.
        labels: Labels since the rollout began.
        missing: Labels that are missing if the loss stays what it is, or None: no number of labels would do.
        decided_at: When they will be there, aware, or None: not by labels, or not within two years.
        code: Why it does not advance, in one word (`undertow.actions.gates.Gate`), or empty.
    """

    segment: str
    stage: int
    exposure: float
    next_exposure: float | None
    since: str
    is_ready: bool
    is_accepted: bool
    needs: str
    high: float | None
    bound: float | None
    borrowed: float
    labels: int
    missing: int | None
    decided_at: datetime | None
    code: str = ""


def outlook(
    state: RolloutState,
    tiers: Sequence[TierEvidence],
    plan: RolloutPlan,
    alarmed: frozenset[str],
    now: datetime,
) -> tuple[PlaceOutlook, ...]:
    """All places of a rollout, all requests first.

    Args:
        state: Where it stands.
        tiers: Losses since it began.
        plan: Margin and risk budget.
        alarmed: Places with an open alarm.
        now: Aware.
    """
    gates = [whole_gate(state, tiers, plan, alarmed), *segment_gates(state, tiers, plan, alarmed).values()]
    by_name = {tier.tier: tier for tier in tiers}
    return tuple(_place(state, gate, by_name.get(gate.tier), now) for gate in sorted(gates, key=lambda g: g.segment))


def _place(state: RolloutState, gate: Gate, tier: TierEvidence | None, now: datetime) -> PlaceOutlook:
    stage, place = stage_of(state, gate.segment), gate.place
    is_last = stage >= len(state.stages) - 1
    missing = None if is_last or state.status != "running" else _missing(state, gate, tier)
    per_day = 0.0
    if tier is not None and place is not None and tier.whole.n > 0:
        per_day = tier.labels_per_day * (place.n / tier.whole.n if gate.segment else 1.0)
    return PlaceOutlook(
        segment=gate.segment,
        stage=stage,
        exposure=exposure_at(state, stage),
        next_exposure=None if is_last else exposure_at(state, stage + 1),
        since=since_of(state, gate.segment),
        is_ready=gate.is_open,
        is_accepted=gate.segment in state.accepted,
        needs="nothing: this is the last stage" if is_last else gate.why,
        high=gate.high,
        bound=gate.bound,
        borrowed=gate.borrowed,
        labels=0 if place is None else place.n,
        missing=missing,
        decided_at=date_of(missing, per_day, now),
        code=gate.code,
    )


def _missing(state: RolloutState, gate: Gate, tier: TierEvidence | None) -> int | None:
    place = gate.place
    if place is None or tier is None or place.loss is None or gate.bound is None or gate.code in NOT_BY_LABELS:
        return None
    if gate.segment and gate.code == "worse":
        return None
    level = tier.segment_level if gate.segment else tier.level
    high = place.high if gate.high is None else gate.high
    needed = labels_until(place.loss, max(high, place.loss), place.n, gate.bound, level)
    if needed is None:
        return None
    fresh = 0 if gate.segment else max(LEAST_FRESH - fresh_labels(state, place), 0)
    return max(needed - place.n, fresh)
