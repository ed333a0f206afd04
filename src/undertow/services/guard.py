"""One look of the guard: read the book, decide by `undertow.actions`, write; and what a person says of it.

One writer at a time, whoever it is. What is in force follows from the audit trail, so a change that was cut short is put right by the next
look, and nothing is done twice: not after a restart, not with a clock that was set back, not by a second guard.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from undertow.actions.at_alarm import AlarmLook, at_alarm, settle
from undertow.actions.controls import policies_of
from undertow.actions.entries import GUARD, NOTED, entry_id, restrictable, with_own_ids
from undertow.actions.evidence import TierEvidence
from undertow.actions.rollout import Trouble, begin, step
from undertow.actions.standing import rollouts_of
from undertow.actions.versions import KnownVersion
from undertow.errors import ConfigError, DataError
from undertow.ports.guard import GuardBook
from undertow.records.guard import Controls, GuardMemory, RolloutState, TrailEntry
from undertow.records.moment import moment_of, rfc3339
from undertow.records.serving import GuardPlan, RolloutPlan

BUSY = "another process changes what the guard holds in force (a keeper, or another `undertow guard`); try again in a moment"

DAY = timedelta(days=1)

SETTLED = timedelta(hours=1)
"""A version that has served for so long before its policy was ever rolled out is not new."""

Evidence = Callable[[RolloutState, datetime], tuple[TierEvidence, ...]]
"""Losses since a rollout began (the second argument): read only where one is running."""


@dataclass(frozen=True, slots=True)
class GuardLook:
    """What a look of the keeper found.

    Attributes:
        alarms: Episodes, versions, evidence that may act.
        evidence: What a rollout decides by.
        until: Event time up to which the log was audited, aware, or None.
        fault: Why gateways do not apply what is in force, in words; empty: they do, as far as is known.
        audited: Policy whose alarms these are.
    """

    alarms: AlarmLook = field(default_factory=AlarmLook)
    evidence: Evidence = lambda _state, _began: ()
    until: datetime | None = None
    fault: str = ""
    audited: str = "auto"


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What came of it.

    Attributes:
        outcome: `done` (perhaps nothing); `busy`: another guard is at work, so nothing was done; `failed`: what was decided could not be
            written, and is tried again at the next look.
        entries: New lines of the trail; of a failed look those that say what failed.
        controls: What is in force now, or None.
        memory: Where the guard stands, or None.
        problem: Why it failed, or empty.
        trail: The whole trail.
    """

    outcome: Literal["done", "busy", "failed"]
    entries: tuple[TrailEntry, ...] = ()
    controls: Controls | None = None
    memory: GuardMemory | None = None
    problem: str = ""
    trail: tuple[TrailEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """The book as it was read.

    Attributes:
        controls: In force, numbered no lower than any version in the trail.
        memory: Where the guard stood.
        trail: Oldest first.
    """

    controls: Controls | None
    memory: GuardMemory
    trail: tuple[TrailEntry, ...]


def look_and_act(
    book: GuardBook, look: GuardLook, guard: GuardPlan, rollout: RolloutPlan, now: datetime
) -> GuardReport:
    """One look: rollouts first, then actions at alarms.

    Args:
        book: Where all is kept.
        look: What the audit found.
        guard: Modes and bounds of actions.
        rollout: How versions are exposed.
        now: Aware.

    Raises:
        ConfigError: The trail cannot be read. Nothing was done.
    """
    try:
        with book.locked() as is_mine:
            if not is_mine:
                return GuardReport("busy", problem=BUSY)
            held = read(book, now)
            entries = decide(held, look, guard, rollout, now)
            return _write(book, held, entries, look, guard, now)
    except OSError as error:
        return GuardReport("failed", problem=_said(error))


def decide(
    held: Held, look: GuardLook, guard: GuardPlan, rollout: RolloutPlan, now: datetime
) -> tuple[TrailEntry, ...]:
    """What a look does, as entries of the trail. Arguments as of `look_and_act`; `held` is what the book holds."""
    entries: list[TrailEntry] = []
    if rollout.enabled:
        entries += starts(held.trail, look.alarms.serving, look.alarms.versions, rollout, now)
        entries += _steps((*held.trail, *entries), look, rollout, now)
    trail = (*held.trail, *entries)
    memory = msgspec.structs.replace(held.memory, rollouts=tuple(rollouts_of(trail).values()))
    return (*entries, *at_alarm(look.alarms, memory, held.controls, trail, guard, now).entries)


def starts(
    trail: Sequence[TrailEntry],
    serving: Mapping[str, str],
    versions: Sequence[KnownVersion],
    rollout: RolloutPlan,
    now: datetime,
) -> list[TrailEntry]:
    """Rollouts of versions that begin to serve.

    None begins for a version that was rolled back to, nor for one that had served for some time before its policy was ever rolled out.

    Args:
        trail: Oldest first.
        serving: Version by policy.
        versions: All that have served.
        rollout: Stages.
        now: Aware.
    """
    known, pins = rollouts_of(trail), {name: each.pin for name, each in policies_of(trail).items()}
    settled = rfc3339(now - SETTLED)
    old = {(each.policy, each.version) for each in versions if each.first_served_at < settled}
    found = []
    for policy, version in sorted(serving.items()):
        pin = pins.get(policy)
        is_new = known[policy].version != version if policy in known else (policy, version) not in old
        if version and is_new and not (pin is not None and version in {pin.good, pin.bad}):
            found.append(begin(policy, version, rollout, now))
    return found


def _steps(trail: tuple[TrailEntry, ...], look: GuardLook, plan: RolloutPlan, now: datetime) -> list[TrailEntry]:
    found: list[TrailEntry] = []
    for policy, state in sorted(rollouts_of(trail).items()):
        # The audit says nothing of which policy a loss belongs to; one that is not audited holds.
        if state.status != "running" or policy != look.audited:
            continue
        mine = [entry for entry in trail if entry.policy == policy]
        # A clock that was set back would make labels of earlier stages look fresh.
        latest = max((moment_of(entry.at) for entry in mine), default=now)
        evidence = look.evidence(state, began_at(mine, policy, now))
        found += step(state, evidence, troubles_of(look, policy), plan, max(now, latest), trail)
    return found


def began_at(trail: Sequence[TrailEntry], policy: str, now: datetime) -> datetime:
    """When the rollout of a policy began, pauses included; `now` where none has."""
    begun = (
        e
        for e in reversed(trail)
        if (e.policy, e.kind, e.status) == (policy, "start", "done") and not e.evidence.get("resumes")
    )
    entry = next(begun, None)
    return now if entry is None else moment_of(entry.at)


def troubles_of(look: GuardLook, policy: str) -> tuple[Trouble, ...]:
    """Open alarms about a policy that count: cause routing, on evidence that may act."""
    return tuple(
        Trouble(each.id, restrictable(each.segment))
        for each in look.alarms.episodes
        if each.policy == policy
        and each.closed_at is None
        and each.cause == "routing"
        and each.id in look.alarms.acting
    )


def _known(book: GuardBook) -> tuple[KnownVersion, ...]:
    return tuple(KnownVersion(v.policy.name, v.version, v.first_served_at) for v in book.versions())


def by_person(
    book: GuardBook, say: Callable[[tuple[TrailEntry, ...]], Sequence[TrailEntry]], guard: GuardPlan, now: datetime
) -> GuardReport:
    """Something that a person says, done at once.

    Args:
        book: Where all is kept.
        say: From the trail to new lines: one of `undertow.actions.by_person`.
        guard: Bounds.
        now: Aware.

    Raises:
        UsageError: It makes no sense as things stand.
        DataError: Another process is at work.
        ConfigError: The trail cannot be read.
        OSError: Nothing could be written.
    """
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError(BUSY)
        held = read(book, now)
        outcome = settle(held.memory, held.controls, held.trail, tuple(say(held.trail)), guard, now)
        book.write(outcome.controls, outcome.memory, outcome.entries)
        in_force = outcome.controls or held.controls
        return GuardReport("done", outcome.entries, in_force, outcome.memory, trail=(*held.trail, *outcome.entries))


def begin_rollouts(
    book: GuardBook, serving: Mapping[str, str], guard: GuardPlan, rollout: RolloutPlan, now: datetime
) -> GuardReport:
    """Begin the rollouts of new versions without looking at the log: quick enough for a gateway that is about to serve them.

    Args:
        book: Where all is kept.
        serving: Version by policy that is about to serve.
        guard: Bounds.
        rollout: Stages.
        now: Aware.

    Raises:
        ConfigError: The trail cannot be read.
    """
    if not rollout.enabled:
        return GuardReport("done")
    look = GuardLook(AlarmLook(serving=serving), audited="")
    try:
        with book.locked() as is_mine:
            if not is_mine:
                return GuardReport("busy", problem=BUSY)
            held = read(book, now)
            return _write(book, held, tuple(starts(held.trail, serving, _known(book), rollout, now)), look, guard, now)
    except OSError as error:
        return GuardReport("failed", problem=_said(error))


def read(book: GuardBook, now: datetime) -> Held:
    """The book, with what cannot be read made good from the trail.

    Raises:
        ConfigError: The trail cannot be read.
    """
    trail = book.trail()
    try:
        controls = book.controls()
    except ConfigError:
        controls = None
    try:
        memory = book.memory()
    except ConfigError:
        memory = None
    memory = memory or GuardMemory(at=rfc3339(now))
    memory = msgspec.structs.replace(memory, rollouts=tuple(rollouts_of(trail).values()))
    floor = max((entry.controls_version or 0 for entry in trail), default=0)
    if floor > (0 if controls is None else controls.version):
        # An old copy came back: what is written next must count as newer than all that was ever said.
        kept = {} if controls is None else controls.policies
        controls = Controls(version=floor, at=memory.at, policies=kept)
    return Held(controls, memory, trail)


def _write(
    book: GuardBook, held: Held, entries: tuple[TrailEntry, ...], look: GuardLook, guard: GuardPlan, now: datetime
) -> GuardReport:
    entries += _unapplied(held.trail, look.fault, now)
    outcome = settle(held.memory, held.controls, held.trail, entries, guard, now)
    until = "" if look.until is None else rfc3339(look.until)
    memory = msgspec.structs.replace(outcome.memory, looked_until=max(held.memory.looked_until, until))
    try:
        if outcome.entries or outcome.controls is not None or _is_news(memory, held.memory):
            book.write(outcome.controls, memory, outcome.entries)
    except OSError as error:
        return _failed(book, held, outcome.entries, error, now)
    return GuardReport(
        "done", outcome.entries, outcome.controls or held.controls, memory, trail=(*held.trail, *outcome.entries)
    )


def _is_news(memory: GuardMemory, before: GuardMemory) -> bool:
    return msgspec.structs.replace(memory, at="") != msgspec.structs.replace(before, at="")


def _failed(book: GuardBook, held: Held, entries: Sequence[TrailEntry], error: OSError, now: datetime) -> GuardReport:
    """What was decided could not be written. Say so where that can be written; the next look decides and tries again."""
    said, trail = _said(error), held.trail
    decided = [entry for entry in entries if entry.status == "done" and entry.kind not in NOTED]
    failed = _told_failed(decided, trail, said, now)
    try:
        if failed:
            book.write(None, held.memory, failed)
        trail = (*trail, *failed)
    except OSError:
        pass  # the report says it
    return GuardReport("failed", failed, held.controls, held.memory, said, trail)


def _unapplied(trail: Sequence[TrailEntry], fault: str, now: datetime) -> tuple[TrailEntry, ...]:
    """Roll-backs in force that gateways cannot serve by. (Restrictions need no gateway's help: workers read them.)"""
    if not fault:
        return ()
    pins = {each.pin.source for each in policies_of(trail).values() if each.pin is not None}
    return _told_failed([entry for entry in trail if entry.id in pins], trail, fault, now)


def _told_failed(
    entries: Sequence[TrailEntry], trail: Sequence[TrailEntry], why: str, now: datetime
) -> tuple[TrailEntry, ...]:
    """Lines that say what failed, for each action and reason once a day."""
    at, since = rfc3339(now), rfc3339(now - DAY)
    said = {_what(entry) for entry in trail if entry.status == "failed" and entry.why == why and entry.at > since}
    found = (
        msgspec.structs.replace(
            entry,
            id=entry_id("failed", entry.id, at),
            at=at,
            who=GUARD,
            status="failed",
            of=entry.id,
            controls_version=None,
            why=why,
        )
        for entry in entries
        if _what(entry) not in said
    )
    return with_own_ids(found, trail)


def _what(entry: TrailEntry) -> tuple[str, str, str, str | None]:
    return entry.kind, entry.policy, entry.segment, entry.episode


def _said(error: OSError) -> str:
    return f"the guard's files cannot be written ({error.strerror or type(error).__name__}); nothing was changed, and the next look tries again"
