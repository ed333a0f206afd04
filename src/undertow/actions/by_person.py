"""What a person says: yes or no to a suggestion, and actions of their own. Each becomes lines of the trail, with their name and reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from undertow.actions.entries import NOTED, entry_id, place_name, released, waiting
from undertow.actions.standing import OFF, rollouts_of, since_of, stage_of
from undertow.errors import UsageError
from undertow.records.guard import RolloutState, TrailEntry, TrailKind
from undertow.records.moment import rfc3339

LONGEST_LABEL = 256
"""Characters of a label that a person may name."""


def approve(trail: Sequence[TrailEntry], which: str, who: str, why: str, now: datetime) -> tuple[TrailEntry, ...]:
    """A suggestion is approved, and done.

    Args:
        trail: Oldest first.
        which: Id of the suggestion, or the beginning of one.
        who: Name of the person.
        why: In their words, or empty.
        now: Aware.

    Raises:
        UsageError: Nothing of that id waits, or it has been overtaken.
    """
    asked = _waiting(trail, which)
    if asked.kind in {"advance", "step_back"}:
        _check_current(trail, asked)
    said = _answer("approved", asked, who, why or asked.why, now)
    undoes = asked.of if asked.kind == "release" else asked.id
    done = msgspec.structs.replace(said, id=entry_id("done", asked.id, said.at), status="done", of=undoes)
    return said, done


def reject(trail: Sequence[TrailEntry], which: str, who: str, why: str, now: datetime) -> tuple[TrailEntry, ...]:
    """A suggestion is rejected: nothing is done, and it is not made again for the same episode. Arguments as of `approve`."""
    return (_answer("rejected", _waiting(trail, which), who, why or "rejected", now),)


def release(
    trail: Sequence[TrailEntry],
    which: str,
    who: str,
    why: str,
    now: datetime,
    unknown: Mapping[str, str] = MappingProxyType({}),
) -> tuple[TrailEntry, ...]:
    """What an entry put in force is taken away; what others put there stays. Arguments as of `approve`; `which` names an entry that was done.

    Args:
        trail: Oldest first.
        which: Id of an entry that was done, or the beginning of one.
        who: Name of the person.
        why: In their words, or empty.
        now: Aware.
        unknown: Policy by source of what is in force without a line in the trail, which was lost: it is released by its source, too.

    Raises:
        UsageError: No such entry was done, or it was released before.
    """
    undone, said = released(trail), why or "released by hand"
    if which in unknown:
        before = "in force, by a line that the trail has lost"
        return (
            _line(
                "release",
                (which,),
                who,
                now,
                policy=unknown[which],
                of=which,
                before=before,
                after="released",
                why=said,
            ),
        )
    done = [entry for entry in trail if entry.status == "done" and entry.kind not in NOTED | {"release"}]
    target = _one(which, done, "no action of this id was done; `undertow guard list` shows them")
    if target.id in undone:
        raise UsageError(f"{which}: it was released already")
    return (
        _line(
            "release",
            (target.id,),
            who,
            now,
            policy=target.policy,
            segment=target.segment,
            of=target.id,
            episode=target.episode,
            before=target.after,
            after=target.before,
            why=said,
        ),
    )


def route_back(
    trail: Sequence[TrailEntry], policy: str, segment: str, who: str, why: str, now: datetime
) -> tuple[TrailEntry, ...]:
    """Send a segment to the capable tier by hand.

    Args:
        trail: Oldest first.
        policy: Name of the policy.
        segment: `key=value`, or empty: all requests.
        who: Name of the person.
        why: In their words.
        now: Aware.

    Raises:
        UsageError: That is no label, or it is routed back already.
    """
    check_label(segment)
    undone = released(trail)
    for entry in trail:
        is_there = entry.kind == "route_back" and entry.status == "done" and entry.id not in undone
        if is_there and (entry.policy, entry.segment) == (policy, segment):
            raise UsageError(f"{place_name(segment)} is routed back already, by entry {entry.id}")
    return (
        _line(
            "route_back",
            (policy, segment, who),
            who,
            now,
            policy=policy,
            segment=segment,
            before="served by the policy",
            after="served by the capable tier",
            why=why or "routed back by hand",
        ),
    )


def accept_risk(
    trail: Sequence[TrailEntry], policy: str, segment: str, who: str, why: str, now: datetime
) -> tuple[TrailEntry, ...]:
    """A person accepts the risk of a segment that could not be shown to be small. Arguments as of `route_back`; `why` must not be empty.

    Raises:
        UsageError: There is no rollout, no reason, no such label, or it was accepted already.
    """
    state = _rollout(trail, policy)
    check_label(segment)
    if not segment:
        raise UsageError(
            "name the segment whose risk you accept, as intent=billing; the whole tier's is not for accepting"
        )
    if not why:
        raise UsageError('accepting a risk needs --why "the reason": it stands in the trail')
    if segment in state.accepted and stage_of(state, segment) != OFF:
        raise UsageError(f"{segment}: its risk was accepted already")
    return (
        _line(
            "accept_risk",
            (policy, segment, who),
            who,
            now,
            policy=policy,
            segment=segment,
            evidence={"version": state.version},
            before="held to the risk budget",
            after="its risk is accepted",
            why=why,
        ),
    )


def pause(trail: Sequence[TrailEntry], policy: str, who: str, why: str, now: datetime) -> tuple[TrailEntry, ...]:
    """A rollout stays where it stands. Arguments as of `route_back`.

    Raises:
        UsageError: None is running.
    """
    state = _rollout(trail, policy)
    if state.status != "running":
        raise UsageError(f"the rollout of policy {policy} is {state.status} already")
    return (
        _line(
            "stop_rollout",
            (policy, who),
            who,
            now,
            policy=policy,
            evidence={"version": state.version},
            before="rollout goes on",
            after="rollout stays where it stands",
            why=why or "held by hand",
        ),
    )


def take_off(trail: Sequence[TrailEntry], policy: str, who: str, why: str, now: datetime) -> tuple[TrailEntry, ...]:
    """A rollout is stopped and nobody is exposed any more. Arguments as of `route_back`.

    Raises:
        UsageError: There is none to stop.
    """
    state = _rollout(trail, policy)
    if state.status == "finished":
        raise UsageError(f"the rollout of policy {policy} is finished; `undertow guard route-back` restricts it")
    stage = stage_of(state, "")
    back = _line(
        "step_back",
        (policy, "", who),
        who,
        now,
        policy=policy,
        evidence={"version": state.version, "from": stage, "to": OFF, "since": since_of(state, ""), "exposure": 0.0},
        before=f"stage {stage + 1}",
        after="nobody is exposed",
        why=why or "stopped by hand",
    )
    return (back,) if state.status == "stopped" else (back, *pause(trail, policy, who, why or "stopped by hand", now))


def resume(trail: Sequence[TrailEntry], policy: str, who: str, why: str, now: datetime) -> tuple[TrailEntry, ...]:
    """A stopped rollout goes on where it stands; each stage needs new evidence. Arguments as of `route_back`.

    Raises:
        UsageError: None is stopped, or nobody is exposed: it has to begin anew.
    """
    state = _rollout(trail, policy)
    if state.status != "stopped":
        raise UsageError(f"the rollout of policy {policy} is {state.status}, not stopped")
    if stage_of(state, "") == OFF:
        raise UsageError("nobody is exposed; `undertow rollout start --anew` begins at the first stage")
    return (
        _line(
            "start",
            (policy, state.version, who),
            who,
            now,
            policy=policy,
            evidence={"version": state.version, "resumes": 1},
            before="rollout stays where it stands",
            after="rollout goes on",
            why=why or "resumed by hand",
        ),
    )


def check_label(segment: str) -> None:
    """Refuse what is no `key=value` label.

    Raises:
        UsageError: It is none.

    Examples:
        >>> check_label("intent=billing")
        >>> check_label("billing")
        Traceback (most recent call last):
        undertow.errors.UsageError: 'billing' is no label; write it as key=value, as intent=billing
    """
    key, sign, value = segment.partition("=")
    if segment and (not key or not sign or not value or len(segment) > LONGEST_LABEL or not segment.isprintable()):
        raise UsageError(f"{segment[:60]!r} is no label; write it as key=value, as intent=billing")


def _line(kind: TrailKind, what: tuple[str, ...], who: str, now: datetime, **told: Any) -> TrailEntry:
    """A line of somebody's own; `what` tells it from others of its kind at that moment."""
    at = rfc3339(now)
    return TrailEntry(id=entry_id(kind, *what, at), at=at, who=who, kind=kind, **told)


def _answer(
    status: Literal["approved", "rejected"], asked: TrailEntry, who: str, why: str, now: datetime
) -> TrailEntry:
    """What somebody says to a suggestion."""
    at = rfc3339(now)
    return msgspec.structs.replace(
        asked, id=entry_id(status, asked.id, at), at=at, who=who, status=status, of=asked.id, why=why
    )


def _rollout(trail: Sequence[TrailEntry], policy: str) -> RolloutState:
    state = rollouts_of(trail).get(policy)
    if state is None:
        raise UsageError(
            f"policy {policy} has no rollout; set [rollout] enabled, or begin one with `undertow rollout start`"
        )
    return state


def _waiting(trail: Sequence[TrailEntry], which: str) -> TrailEntry:
    known = waiting(trail)
    for entry in trail:
        if entry.id == which and entry not in known:
            raise UsageError(f"{which}: it does not wait for anybody (any more); `undertow guard list` shows what does")
    return _one(which, known, "no suggestion of this id waits; `undertow guard list` shows those that do")


def _one(which: str, entries: Sequence[TrailEntry], none: str) -> TrailEntry:
    found = [entry for entry in entries if entry.id == which] or [
        e for e in entries if which and e.id.startswith(which)
    ]
    if not found:
        raise UsageError(f"{which[:60]!r}: {none}")
    if len(found) > 1:
        raise UsageError(f"{which!r} is the beginning of {len(found)} ids; give more of it")
    return found[0]


def _check_current(trail: Sequence[TrailEntry], asked: TrailEntry) -> None:
    state = rollouts_of(trail).get(asked.policy)
    is_current = (
        state is not None
        and state.status == "running"
        and asked.evidence.get("version") == state.version
        and asked.evidence.get("from") == stage_of(state, asked.segment)
    )
    if not is_current:
        raise UsageError(
            f"{asked.id}: the rollout has moved on since that was suggested; see `undertow rollout status`"
        )
