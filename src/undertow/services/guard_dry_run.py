"""What the guard would have done: the past of a store, day by day, through the same decisions, on a book in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from undertow.actions.at_alarm import settle
from undertow.actions.controls import policies_of
from undertow.records.guard import Controls, GuardMemory, PolicyControls, TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import GuardLook, Held, decide


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would have happened.

    Attributes:
        days: Moments that were looked at.
        entries: What would have been done or suggested, with status `dry` or `suggested`.
        in_force: What would be in force at the end, by policy.
        skipped: Days without anything to audit.
    """

    days: tuple[datetime, ...]
    entries: tuple[TrailEntry, ...]
    in_force: dict[str, PolicyControls]
    skipped: int


def dry_run(
    moments: Sequence[datetime],
    look_at: Callable[[datetime], GuardLook | None],
    guard: GuardPlan,
    rollout: RolloutPlan,
) -> DryRun:
    """Look at each moment of the past as if it were now, from a book that is empty at the first.

    What an action would have changed in the traffic is not simulated: a segment that would have been routed back went on losing in this log.

    Args:
        moments: Rising, aware.
        look_at: What an audit of what was known then found; None: nothing to audit yet.
        guard: Modes and bounds.
        rollout: How versions are exposed.
    """
    trail: tuple[TrailEntry, ...] = ()
    memory = GuardMemory(at="")
    controls: Controls | None = None
    skipped = 0
    for moment in moments:
        look = look_at(moment)
        if look is None:
            skipped += 1
            continue
        entries = decide(Held(controls, memory, trail), look, guard, rollout, moment)
        outcome = settle(memory, controls, trail, entries, guard, moment)
        trail, memory, controls = (*trail, *outcome.entries), outcome.memory, outcome.controls or controls
    shown = tuple(
        msgspec.structs.replace(entry, status="dry") if entry.status == "done" else entry
        for entry in trail
        if not (entry.kind == "start" and entry.at == rfc3339(moments[0]))
    )
    return DryRun(tuple(moments), shown, policies_of(trail), skipped)
