"""What is in force, from the audit trail: each entry that was done puts something in force, and releasing it takes just that away.

The trail is the truth and the controls follow from it. So an entry can be undone whatever came after it, a process that died between
writing the two is put right by the next look, and a store that is restored from its second copy has the controls that it had.
"""

from collections.abc import Mapping, Sequence

import msgspec

from undertow.actions.entries import released
from undertow.actions.standing import rollouts_of
from undertow.records.guard import Controls, Pin, PolicyControls, Restriction, RolloutState, TrailEntry

ROLLOUT = "rollout"
"""Source of the restrictions of a rollout."""


def apply_entry(controls: PolicyControls, entry: TrailEntry) -> PolicyControls:
    """What is in force once an action was taken; the same if it is applied twice.

    Args:
        controls: In force before it.
        entry: An action at an alarm, done. Other entries change nothing here: a rollout's follow from where it stands.

    Examples:
        >>> entry = TrailEntry(id="a", at="2026-03-01T00:00:00Z", who="guard", kind="route_back", segment="intent=billing")
        >>> once = apply_entry(PolicyControls(), entry)
        >>> once.restrictions[0].exposure, apply_entry(once, entry) == once, undo_entry(once, "a") == PolicyControls()
        (0.0, True, True)
    """
    if entry.status != "done":
        return controls
    others = tuple(each for each in controls.restrictions if each.source != entry.id)
    match entry.kind:
        case "route_back":
            new = Restriction(segment=entry.segment, exposure=0.0, reason="routed_back", source=entry.id)
            return msgspec.structs.replace(controls, restrictions=(*others, new))
        case "tighten":
            raised = min(max(_number(entry, "raised_by"), 0.0), 1.0)
            new = Restriction(segment=entry.segment, raised_by=raised, source=entry.id)
            return msgspec.structs.replace(controls, restrictions=(*others, new))
        case "roll_back":
            bad, good = str(entry.evidence.get("bad") or ""), str(entry.evidence.get("good") or "")
            if not bad or not good or bad == good:
                return controls
            return msgspec.structs.replace(controls, pin=Pin(bad=bad, good=good, source=entry.id))
        case _:
            return controls


def undo_entry(controls: PolicyControls, source: str) -> PolicyControls:
    """What is in force without what an entry put there.

    A pin that replaced another one comes back with `policies_of`, which knows the trail; here it is only taken away.

    Args:
        controls: In force.
        source: Id of the entry.
    """
    pin = None if controls.pin is not None and controls.pin.source == source else controls.pin
    return PolicyControls(
        restrictions=tuple(each for each in controls.restrictions if each.source != source),
        pin=pin,
    )


def rollout_restrictions(state: RolloutState) -> tuple[Restriction, ...]:
    """What a rollout holds back: one restriction for all requests, and one for each segment that is further back.

    Examples:
        >>> state = RolloutState(
        ...     policy="auto", version="v", stages=(0.05, 0.5, 1.0), stage={"": 1, "intent=billing": -1}, since={"": "2026-03-01T00:00:00Z"}
        ... )
        >>> [(each.segment, each.exposure) for each in rollout_restrictions(state)]
        [('', 0.5), ('intent=billing', 0.0)]
    """
    if state.status == "finished":
        return ()
    front = exposure_at(state, state.stage.get("", 0))
    found = []
    for segment, stage in sorted(state.stage.items()):
        exposure = exposure_at(state, stage)
        if exposure < 1.0 and (not segment or exposure < front):
            found.append(Restriction(segment=segment, exposure=exposure, reason="not_exposed", source=ROLLOUT))
    return tuple(found)


def exposure_at(state: RolloutState, stage: int) -> float:
    """Share of units that a stage exposes; 0 before the first one."""
    return 0.0 if stage < 0 else state.stages[min(stage, len(state.stages) - 1)]


def policies_of(trail: Sequence[TrailEntry]) -> dict[str, PolicyControls]:
    """All that is in force, by policy: the trail read from its beginning.

    Args:
        trail: Oldest first.
    """
    undone = released(trail)
    found: dict[str, PolicyControls] = {}
    for entry in trail:
        if entry.status == "done" and entry.id not in undone:
            found[entry.policy] = apply_entry(found.get(entry.policy, PolicyControls()), entry)
    for policy, state in rollouts_of(trail).items():
        held = rollout_restrictions(state)
        pin = found.get(policy, PolicyControls()).pin
        if pin is not None and pin.bad == state.version:
            continue  # the version that is rolled out does not serve: what holds it back would hold back the good one
        if held:
            before = found.get(policy, PolicyControls())
            found[policy] = msgspec.structs.replace(before, restrictions=(*before.restrictions, *held))
    return {policy: controls for policy, controls in found.items() if controls != PolicyControls()}


def kept_policies(controls: Controls | None, trail: Sequence[TrailEntry]) -> dict[str, PolicyControls]:
    """What the trail says is in force, and whatever is in force that the trail does not know: a trail that was lost undoes nothing.

    Args:
        controls: In force, or None.
        trail: Oldest first.

    Examples:
        >>> held = PolicyControls(restrictions=(Restriction(segment="intent=billing", exposure=0.0, source="a1"),))
        >>> kept_policies(Controls(version=1, at="", policies={"auto": held}), ()) == {"auto": held}
        True
    """
    found = policies_of(trail)
    for policy, unknown in unknown_to(controls, trail).items():
        before = found.get(policy, PolicyControls())
        found[policy] = PolicyControls(
            restrictions=(*before.restrictions, *unknown.restrictions), pin=before.pin or unknown.pin
        )
    return found


def unknown_to(controls: Controls | None, trail: Sequence[TrailEntry]) -> dict[str, PolicyControls]:
    """What is in force without a line in the trail that put it there or took it away, by policy.

    Args:
        controls: In force, or None.
        trail: Oldest first.
    """
    known = {entry.id for entry in trail} | released(trail)
    rolled_out = {entry.policy for entry in trail if entry.kind == "start"}
    found = {}
    for policy, each in ({} if controls is None else controls.policies).items():
        lost = tuple(
            r for r in each.restrictions if r.source not in known and not (r.source == ROLLOUT and policy in rolled_out)
        )
        pin = None if each.pin is None or each.pin.source in known else each.pin
        if lost or pin is not None:
            found[policy] = PolicyControls(restrictions=lost, pin=pin)
    return found


def next_controls(before: Controls | None, policies: Mapping[str, PolicyControls], at: str) -> Controls | None:
    """The next version of the controls, or None: what is in force is that already.

    Args:
        before: In force; None: nothing ever was.
        policies: What is to be.
        at: RFC 3339.

    Examples:
        >>> next_controls(None, {}, "2026-03-01T00:00:00Z") is None
        True
    """
    if _same(before.policies if before is not None else {}, policies):
        return None
    return Controls(version=1 if before is None else before.version + 1, at=at, policies=dict(policies))


def _same(one: Mapping[str, PolicyControls], other: Mapping[str, PolicyControls]) -> bool:
    return _plain(one) == _plain(other)


def _plain(policies: Mapping[str, PolicyControls]) -> dict[str, tuple[frozenset[Restriction], Pin | None]]:
    return {
        name: (frozenset(each.restrictions), each.pin) for name, each in policies.items() if each != PolicyControls()
    }


def _number(entry: TrailEntry, name: str) -> float:
    value = entry.evidence.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
