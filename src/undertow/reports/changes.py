"""Dated changes as the marks of a time axis: one letter a moment, however many tiers changed then.

A rollout step changes the policy of every tier at once; five letters for one event would hide that it is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from undertow.records.report import Change

LETTERS = "ABCDEFGHIJKL"


@dataclass(frozen=True, slots=True)
class Mark:
    """A letter on the axis.

    Attributes:
        letter: `A` is the earliest.
        at: When.
        events: What changed then: kind, value, what it was (or empty), and the tiers concerned (none: all of them).
    """

    letter: str
    at: datetime
    events: tuple[tuple[str, str, str, tuple[str, ...]], ...]


def marks(changes: Sequence[Change], period: tuple[datetime, datetime]) -> tuple[Mark, ...]:
    """Marks inside the period, in order of time, at most as many as there are letters."""
    moments: dict[datetime, dict[tuple[str, str, str], list[str]]] = {}
    for change in sorted(changes, key=lambda change: change.at):
        if period[0] <= change.at <= period[1] or change.at.date() == period[0].date():
            events = moments.setdefault(change.at, {})
            tiers = events.setdefault((change.kind, change.value, change.before), [])
            if change.tier is not None:
                tiers.append(change.tier)
    return tuple(
        Mark(letter, at, tuple((*what, tuple(dict.fromkeys(tiers))) for what, tiers in events.items()))
        for letter, (at, events) in zip(LETTERS, moments.items(), strict=False)
    )
