"""Where the rollouts stand, from the audit trail: each entry that was done moves one of them."""

from collections.abc import Sequence

import msgspec

from undertow.records.guard import RolloutState, TrailEntry

OFF = -1
"""Stage of a place that is not exposed at all: harm was shown there. Only a person brings it back."""


def stage_of(state: RolloutState, segment: str) -> int:
    """The stage of a place: its own, but never further than all are."""
    front = state.stage.get("", 0)
    return min(state.stage.get(segment, front), front)


def since_of(state: RolloutState, segment: str) -> str:
    """When that stage began: labels from before it say nothing of it."""
    front, own = state.since.get("", ""), state.since.get(segment, "")
    if segment in state.stage and state.stage[segment] < state.stage.get("", 0):
        return own
    return max(front, own)


def moved(state: RolloutState | None, entry: TrailEntry) -> RolloutState | None:
    """Where a rollout stands after an entry.

    Args:
        state: Before it; None: there was none.
        entry: Of its policy, done.

    Examples:
        >>> begin = TrailEntry(
        ...     id="a", at="2026-03-01T00:00:00Z", who="guard", kind="start", evidence={"version": "v1", "stages": "0.05,1"}
        ... )
        >>> moved(None, begin).stage, moved(None, begin).stages
        ({'': 0}, (0.05, 1.0))
    """
    if entry.status != "done":
        return state
    version = str(entry.evidence.get("version") or "")
    if entry.kind == "start":
        return _started(state, entry, version)
    if state is None or (version and version != state.version):
        return state
    match entry.kind:
        case "advance" | "step_back":
            return _placed(state, entry.segment, _stage(entry, "to"), entry.at)
        case "hold" if entry.segment:
            # The stage goes on; only now it has a beginning of its own.
            return _placed(state, entry.segment, _stage(entry, "to"), str(entry.evidence.get("since") or entry.at))
        case "accept_risk":
            accepted = tuple(sorted({*state.accepted, entry.segment}))
            state = msgspec.structs.replace(state, accepted=accepted)
            if stage_of(state, entry.segment) == OFF:
                return _placed(state, entry.segment, min(0, state.stage.get("", 0)), entry.at)
            return state
        case "stop_rollout":
            return state if state.status == "finished" else msgspec.structs.replace(state, status="stopped")
        case "finish":
            return msgspec.structs.replace(state, status="finished")
        case _:
            return state


def rollouts_of(trail: Sequence[TrailEntry]) -> dict[str, RolloutState]:
    """Where all rollouts stand, by policy: the trail read from its beginning.

    Releasing an advance brings the place back to where it came from, if it is not further back already; releasing a step back or a stop
    puts it as far on again; releasing the start ends the rollout: nothing is held back any more.

    Args:
        trail: Oldest first.
    """
    entries = {entry.id: entry for entry in trail}
    found: dict[str, RolloutState] = {}
    for entry in trail:
        state = found.get(entry.policy)
        after = moved(state, entry)
        if entry.kind == "release" and entry.status == "done" and state is not None and entry.of in entries:
            after = _undone(state, entries[entry.of], entry.at)
        if after is not None:
            found[entry.policy] = after
    return found


def _started(state: RolloutState | None, entry: TrailEntry, version: str) -> RolloutState:
    if state is not None and state.version == version and entry.evidence.get("resumes"):
        # Labels from before the pause say nothing of what made somebody stop it.
        since = dict.fromkeys({*state.since, ""}, entry.at)
        return msgspec.structs.replace(state, status="running", since=since)
    stages = tuple(float(part) for part in str(entry.evidence.get("stages") or "1").split(","))
    return RolloutState(policy=entry.policy, version=version, stages=stages, stage={"": 0}, since={"": entry.at})


def _placed(state: RolloutState, segment: str, stage: int, at: str) -> RolloutState:
    stage = min(max(stage, OFF), len(state.stages) - 1)
    places, since = dict(state.stage), dict(state.since)
    places[segment], since[segment] = stage, at
    return msgspec.structs.replace(state, stage=places, since=since)


def _undone(state: RolloutState, entry: TrailEntry, at: str) -> RolloutState:
    if str(entry.evidence.get("version") or state.version) != state.version:
        return state
    now = stage_of(state, entry.segment)
    match entry.kind:
        case "advance":
            back = min(now, _stage(entry, "from"))
            return _placed(state, entry.segment, back, at) if back != now else state
        case "step_back":
            on = max(now, _stage(entry, "from"))
            return _placed(state, entry.segment, on, at) if on != now else state
        case "accept_risk":
            kept = tuple(each for each in state.accepted if each != entry.segment)
            return msgspec.structs.replace(state, accepted=kept)
        case "stop_rollout" | "finish":
            return msgspec.structs.replace(state, status="running")
        case "start":
            return msgspec.structs.replace(state, status="finished")
        case _:
            return state


def _stage(entry: TrailEntry, name: str) -> int:
    value = entry.evidence.get(name)
    return int(value) if isinstance(value, int | float) else OFF
