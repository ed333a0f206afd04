"""A rollout by evidence: stages end when the tier is shown to lose less than the margin, and begin again when harm is shown.

At each look, per policy that is being rolled out:

* a place about which an alarm of cause routing was raised is taken off (a segment) or steps back one stage (all requests), once an alarm;
* a place whose loss is shown to lie above the margin, at the present exposure or with labels at it, steps back one stage;
* all requests advance one stage when every tier is shown below the margin, with labels at the present exposure. A segment goes with them
  where its upper bound times its share times its next exposure stays within the risk budget and it is not shown to lose more than the margin;
  else it stays behind, alone, and follows once its own labels allow it;
* otherwise it holds. Time alone changes nothing, and no look moves a place by more than one stage forward.

**Guarantee.** The intervals hold together at all times with probability 1 - alpha. While they do, no stage begins whose tier loses the
margin or more, and no segment is exposed at which it loses more than the budget. So a candidate that loses more than the margin gets
beyond its first stage with probability at most alpha, however often one looks.

Functions take and return plain values, and say what to do as entries of the trail; `undertow.actions.standing` says where that leads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from undertow.actions.controls import exposure_at
from undertow.actions.entries import GUARD, entry_id, place_name, waiting
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.gates import LEAST_FRESH, Gate, fresh_labels, segment_gates, whole_gate
from undertow.actions.standing import OFF, moved, since_of, stage_of
from undertow.records.guard import RolloutState, TrailEntry, TrailKind
from undertow.records.moment import rfc3339
from undertow.records.serving import RolloutPlan

MOVES = frozenset({"advance", "step_back"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """An open alarm that counts: cause routing, on evidence that may act.

    Attributes:
        episode: Its episode.
        segment: Place; empty: the whole tier.
    """

    episode: str
    segment: str = ""


def begin(policy: str, version: str, plan: RolloutPlan, now: datetime, who: str = GUARD) -> TrailEntry:
    """The entry that begins a rollout at its first stage.

    Args:
        policy: Name of the policy.
        version: Its version.
        plan: Stages.
        now: Aware.
        who: Who began it.
    """
    at = rfc3339(now)
    return TrailEntry(
        id=entry_id("start", policy, version, at),
        at=at,
        who=who,
        kind="start",
        policy=policy,
        evidence={"version": version, "stages": ",".join(f"{stage:g}" for stage in plan.stages)},
        after=f"exposure {plan.stages[0]:.0%}",
        why=f"version {version} begins at {plan.stages[0]:.0%} of users",
    )


def step(
    state: RolloutState,
    tiers: Sequence[TierEvidence],
    troubles: Sequence[Trouble],
    plan: RolloutPlan,
    now: datetime,
    trail: Sequence[TrailEntry] = (),
) -> tuple[TrailEntry, ...]:
    """What to do at one look. Given the same again it does nothing again: evidence of an earlier stage is not fresh.

    Args:
        state: Where the rollout stands.
        tiers: Losses since it began, of all tiers below the capable one.
        troubles: Open alarms.
        plan: Margin, risk budget, whether to act or to suggest.
        now: Aware.
        trail: What was done before: which alarms were answered, what waits for a person.

    Returns:
        Entries in the order in which they hold; empty: nothing is new.
    """
    if state.status != "running":
        return ()
    open_places = frozenset(trouble.segment for trouble in troubles)
    answered = {(e.episode, e.segment) for e in trail if e.kind == "step_back" and e.policy == state.policy and e.status != "failed"}  # fmt: skip
    look = _Look(state, plan, now, trail)
    back = list(_steps_back(look, tiers, [t for t in troubles if (t.episode, t.segment) not in answered]))
    whole = whole_gate(state, tiers, plan, open_places)
    gates = segment_gates(state, tiers, plan, open_places)
    on: list[TrailEntry] = []
    if whole.is_open and not any(entry.segment == "" for entry in back):
        on = list(_steps_on(look, whole, gates, {entry.segment for entry in back}))
    entries = [*back, *on]
    moves = [entry for entry in entries if entry.kind in MOVES]
    asked = [e for e in waiting(trail) if e.policy == state.policy and e.kind in MOVES and _version(e) == state.version]
    entries = [entry for entry in entries if not (entry.status == "suggested" and _is_among(entry, asked))]
    entries += [look.withdrawn(entry) for entry in asked if not _is_among(entry, moves)]
    after = state
    for entry in entries:
        after = moved(after, entry) or after
    if _is_finished(after):
        entries.append(look.entry("finish", "", OFF, OFF, "every place is exposed at the last stage"))
    elif not moves:
        entries += look.held(whole, gates)
    return tuple(entries)


def _steps_back(look: "_Look", tiers: Sequence[TierEvidence], troubles: Sequence[Trouble]) -> Iterable[TrailEntry]:
    state, margin = look.state, look.plan.margin
    told: set[str] = set()
    for trouble in sorted(troubles, key=lambda each: (each.segment, each.episode)):
        stage = stage_of(state, trouble.segment)
        to = OFF if trouble.segment else stage - 1
        if stage > OFF and trouble.segment not in told:
            told.add(trouble.segment)
            why = f"an alarm about {place_name(trouble.segment)}"
            yield look.entry("step_back", trouble.segment, stage, to, why, episode=trouble.episode)
    for tier in tiers:
        if not tier.shows_level:
            continue
        for place in (tier.whole, *tier.segments):
            name, stage = place.segment, stage_of(state, place.segment)
            if stage == OFF or name in told or name in state.accepted or not _is_harmed(state, place, margin):
                continue
            told.add(name)
            low = max(place.low, place.fresh_low)
            why = f"{tier.tier} is shown to lose at least {low:.1%} in {place_name(name)}, more than {margin:.1%}"
            yield look.entry("step_back", name, stage, stage - 1, why, place)


def _is_harmed(state: RolloutState, place: PlaceEvidence, margin: float) -> bool:
    """Shown by labels at the present exposure; by earlier ones, too, once there are some at this one."""
    fresh = fresh_labels(state, place)
    return fresh > 0 and (place.fresh_low > margin or (place.low > margin and fresh >= LEAST_FRESH))


def _steps_on(look: "_Look", whole: Gate, gates: dict[str, Gate], stepped: set[str]) -> Iterable[TrailEntry]:
    state = look.state
    front, last = stage_of(state, ""), len(state.stages) - 1
    advances = front < last
    for segment, gate in sorted(gates.items()):
        stage = stage_of(state, segment)
        if segment in stepped:
            continue
        if stage < front:
            is_fresh = gate.place is not None and fresh_labels(state, gate.place, of_tier=True) >= LEAST_FRESH
            if gate.is_open and is_fresh:
                yield look.entry("advance", segment, stage, stage + 1, gate.why, gate.place, gate)
        elif advances and not gate.is_open and gate.code in {"budget", "alarm", "worse"}:
            if state.stage.get(segment) == front:
                continue  # it stays behind by a stage of its own already
            yield look.entry("hold", segment, stage, stage, gate.why, gate.place, gate)
        elif advances and state.stage.get(segment) == front:
            # It had stayed behind and has caught up: from now on it goes with the others by a step of its own.
            yield look.entry("advance", segment, stage, stage + 1, gate.why, gate.place, gate)
    if advances:
        yield look.entry("advance", "", front, front + 1, whole.why, whole.place, whole)


def _is_finished(state: RolloutState) -> bool:
    last = len(state.stages) - 1
    return all(stage_of(state, segment) == last for segment in {"", *state.stage})


def _is_among(entry: TrailEntry, others: Iterable[TrailEntry]) -> bool:
    return any(
        (entry.kind, entry.segment, entry.evidence.get("from"), entry.evidence.get("since"))
        == (other.kind, other.segment, other.evidence.get("from"), other.evidence.get("since"))
        for other in others
    )


def _version(entry: TrailEntry) -> str:
    return str(entry.evidence.get("version") or "")


@dataclass(frozen=True, slots=True)
class _Look:
    """Writes the entries of one look."""

    state: RolloutState
    plan: RolloutPlan
    now: datetime
    trail: Sequence[TrailEntry]

    def entry(
        self,
        kind: TrailKind,
        segment: str,
        stage: int,
        to: int,
        why: str,
        place: PlaceEvidence | None = None,
        gate: Gate | None = None,
        *,
        episode: str | None = None,
    ) -> TrailEntry:
        state, at, since = self.state, rfc3339(self.now), since_of(self.state, segment)
        evidence: dict[str, float | str | None] = {"version": state.version}
        before = after = ""
        if kind in MOVES or kind == "hold":
            evidence |= {"from": stage, "to": to, "since": since, "exposure": exposure_at(state, to)}
            before, after = (f"exposure {exposure_at(state, each):.0%}" for each in (stage, to))
        if place is not None:
            evidence |= {
                "loss": place.loss, "low": place.low, "high": place.high, "labels": place.n,
                "share": place.weight, "fresh_labels": fresh_labels(state, place),
            }  # fmt: skip
        if gate is not None:
            evidence |= {"bound": gate.bound, "high_pooled": gate.high, "borrowed": gate.borrowed}
        is_asked = kind in MOVES and not self.plan.automatic
        return TrailEntry(
            id=entry_id(state.policy, state.version, kind, segment, stage, to, since, episode or "", at),
            at=at,
            who=GUARD,
            kind=kind,
            status="suggested" if is_asked else "done",
            policy=state.policy,
            segment=segment,
            episode=episode,
            evidence=evidence,
            before=before,
            after=after,
            why=why,
        )

    def withdrawn(self, asked: TrailEntry) -> TrailEntry:
        """A suggestion that the evidence no longer bears out is taken back."""
        at = rfc3339(self.now)
        return msgspec.structs.replace(
            asked,
            id=entry_id("withdrawn", asked.id, at),
            at=at,
            status="rejected",
            of=asked.id,
            why="the evidence no longer bears it out",
        )

    def held(self, whole: Gate, gates: dict[str, Gate]) -> list[TrailEntry]:
        """Said when the reason changes, not at each look."""
        blocks = {whole.code: whole} if not whole.is_open else {f"{g.code} {g.segment}": g for g in gates.values() if not g.is_open}  # fmt: skip
        code = ", ".join(sorted(blocks)) + f" at {stage_of(self.state, '')}"
        last = next((e for e in reversed(self.trail) if e.policy == self.state.policy and e.kind == "hold" and "code" in e.evidence), None)  # fmt: skip
        if last is not None and last.evidence.get("code") == code and _version(last) == self.state.version:
            return []
        first = next(iter(blocks.values()), whole)
        stage = stage_of(self.state, "")
        entry = self.entry("hold", "", stage, stage, first.why, first.place)
        return [msgspec.structs.replace(entry, evidence=entry.evidence | {"code": code})]
