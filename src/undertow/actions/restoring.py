"""When to suggest that a restriction be taken away: its cause has been gone for some time. A person decides."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from undertow.actions.entries import GUARD, entry_id, place_name, released, waiting
from undertow.records.alert import Episode
from undertow.records.guard import TrailEntry
from undertow.records.moment import moment_of, rfc3339

RESTRICTING = frozenset({"route_back", "tighten"})
"""Actions whose end is suggested. A pin goes with the next version, which people make."""


def restorable(
    episodes: Sequence[Episode], trail: Sequence[TrailEntry], after_days: float | None, now: datetime
) -> Iterable[TrailEntry]:
    """Suggestions to release restrictions.

    A restriction is taken on one set of evidence and given up on another (hysteresis): not before `after_days` have passed without
    an open episode where it holds, since it was put there and since a person last said no.

    Args:
        episodes: All, open and lately closed.
        trail: Oldest first.
        after_days: `guard.restore_after_days`; None: nothing is suggested.
        now: Aware.
    """
    if after_days is None:
        return
    undone = released(trail)
    asked = {entry.of for entry in waiting(trail) if entry.kind == "release"}
    for entry in trail:
        is_in_force = entry.kind in RESTRICTING and entry.status == "done" and entry.id not in undone
        if not is_in_force or entry.id in asked:
            continue
        since = _quiet_since(entry, episodes, trail)
        if since is None or now - since < timedelta(days=after_days):
            continue
        at = rfc3339(now)
        yield TrailEntry(
            id=entry_id("release", entry.id, at),
            at=at,
            who=GUARD,
            kind="release",
            status="suggested",
            policy=entry.policy,
            segment=entry.segment,
            of=entry.id,
            episode=entry.episode,
            evidence={"quiet_since": rfc3339(since)},
            before=entry.after,
            after=entry.before,
            why=f"no alarm about {place_name(entry.segment)} has stood since {rfc3339(since)[:10]}",
        )


def _quiet_since(entry: TrailEntry, episodes: Sequence[Episode], trail: Sequence[TrailEntry]) -> datetime | None:
    """Since when nothing speaks for a restriction; None: something does."""
    moments = [entry.at]
    suggestions = {e.id for e in trail if e.kind == "release" and e.of == entry.id and e.status == "suggested"}
    moments += [e.at for e in trail if e.status == "rejected" and e.of in suggestions]
    for episode in episodes:
        if episode.policy != entry.policy or (episode.id != entry.episode and not _touches(episode, entry.segment)):
            continue
        if episode.kind == "alarm" and episode.closed_at is None:
            return None
        if episode.closed_at is not None:
            moments.append(episode.closed_at)
    return max(moment_of(moment) for moment in moments)


def _touches(episode: Episode, segment: str) -> bool:
    return not segment or not episode.segment or episode.segment == segment
