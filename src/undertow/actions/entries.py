"""New lines of the audit trail, and how old ones are asked for."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from undertow.records.guard import TrailEntry

GUARD = "guard"
"""Who acts where no person does."""

NOTED = frozenset({"hold", "leave"})
"""Kinds of entries that change nothing in force."""

WHOLE_PLACE = "all requests"
"""How a place without a label is called."""


def entry_id(*parts: object) -> str:
    """Short id of an entry: a hash over what it is, so that whoever decides the same writes the same id.

    Examples:
        >>> entry_id("route_back", "auto", "intent=billing", "e1") == entry_id("route_back", "auto", "intent=billing", "e1")
        True
        >>> len(entry_id("route_back"))
        10
    """
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:10]


def with_own_ids(entries: Iterable[TrailEntry], trail: Sequence[TrailEntry]) -> tuple[TrailEntry, ...]:
    """Entries whose ids no other entry has: with a clock that was set back the same may be said at the same moment twice.

    Args:
        entries: New ones; none refers to another of them.
        trail: All that there are.
    """
    known = {entry.id for entry in trail}
    found = []
    for entry in entries:
        name, number = entry.id, 0
        while name in known:
            number += 1
            name = entry_id(entry.id, number)
        known.add(name)
        found.append(entry if name == entry.id else msgspec.structs.replace(entry, id=name))
    return tuple(found)


def place_name(segment: str) -> str:
    """A place as people read it.

    Examples:
        >>> place_name(""), place_name("intent=billing")
        ('all requests', 'intent=billing')
    """
    return segment or WHOLE_PLACE


TOPIC_KEYS = frozenset({"topic", "text topic"})
"""Keys of places that were found from texts: no request bears such a label, and their names are words of users."""


def restrictable(segment: str) -> str:
    """The place that a restriction can name for a segment: itself, or all requests where it is a topic of texts.

    Examples:
        >>> restrictable("intent=billing"), restrictable("topic=my parcel")
        ('intent=billing', '')
    """
    return "" if segment.partition("=")[0] in TOPIC_KEYS else segment


def waiting(trail: Sequence[TrailEntry]) -> tuple[TrailEntry, ...]:
    """Suggestions that nobody has answered and nothing has overtaken, oldest first.

    Examples:
        >>> asked = TrailEntry(id="a", at="2026-03-01T00:00:00Z", who="guard", kind="route_back", status="suggested")
        >>> said = TrailEntry(id="b", at="2026-03-02T00:00:00Z", who="ada", kind="route_back", status="rejected", of="a")
        >>> [entry.id for entry in waiting((asked,))], waiting((asked, said))
        (['a'], ())
    """
    answered = {entry.of for entry in trail if entry.of is not None and entry.status in {"done", "rejected"}}
    undone = released(trail)
    return tuple(
        entry
        for entry in trail
        if entry.status == "suggested"
        and entry.id not in answered
        and not (entry.kind == "release" and entry.of in undone)
    )


def released(trail: Iterable[TrailEntry]) -> frozenset[str]:
    """Ids of entries that were undone and not redone."""
    return frozenset(
        entry.of for entry in trail if entry.kind == "release" and entry.status == "done" and entry.of is not None
    )


def failures(trail: Sequence[TrailEntry], since: str) -> tuple[TrailEntry, ...]:
    """What could not be applied lately, and was not done since, oldest first.

    Args:
        trail: Oldest first.
        since: RFC 3339; what failed before is left out.

    Examples:
        >>> failed = TrailEntry(id="a", at="2026-03-02T00:00:00Z", who="guard", kind="route_back", status="failed")
        >>> done = TrailEntry(id="b", at="2026-03-03T00:00:00Z", who="guard", kind="route_back")
        >>> [entry.id for entry in failures((failed,), "2026-03-01")], failures((failed, done), "2026-03-01")
        (['a'], ())
    """
    found = []
    for i, entry in enumerate(trail):
        what = (entry.kind, entry.policy, entry.segment, entry.episode)
        later = ((e.kind, e.policy, e.segment, e.episode) for e in trail[i + 1 :] if e.status in {"done", "failed"})
        if entry.status == "failed" and entry.at > since and what not in later:
            found.append(entry)
    return tuple(found)
