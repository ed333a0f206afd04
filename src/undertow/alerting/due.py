"""Which messages are due, to whom, and when a delivery is tried again.

- People are told of an episode once; while it is open an alarm is told again after `repeat_s`, a warning is not; its end is told once, to
  those who were told of its begin. Of an entry of the trail they are told once.
- What a silence covers is not told but noted, once a silence. An episode that outlasts its silence is told then. Watching that stopped is
  never silenced.
- Where what people were told is lost, their messages that were settled say it: what is due is told again, and what is not is not.
- A clock that was set back makes nothing due again: the time of the last telling is then in the future, and counts as just now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from undertow.alerting.messages import (
    QUIET_KINDS,
    Trouble,
    of_end,
    of_entry,
    of_episode,
    of_resumption,
    of_stop,
    stop_id,
)
from undertow.records.alert import AlertKind, Channel, Delivery, Episode, Episodes, Message, Silence, Telling, Told
from undertow.records.guard import TrailEntry

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 3600.0
"""Pause after the first failed try, and the longest: each is twice the one before, half to one and a half times of that at random."""
GIVE_UP_S = 3 * 86_400.0
LEAST_TRIES = 8
"""A delivery is given up so long after its message was made, and after so many tries (the clock may be wrong); that is written down."""
STALE_S = 7 * 86_400.0
"""Entries of the trail that are older than this when they are first seen are not told of."""
LONGEST_SILENCE_S = 91 * 86_400.0
"""A silence that ends later than this was written by hand or under a clock that ran ahead, and covers nothing until then: none is for ever."""
REMEMBERED_S = 90 * 86_400.0
"""What people were told of things that are no longer known is forgotten after so long."""
NOTHING_SETTLED: Mapping[str, str] = MappingProxyType({})
WATCHING = "watching"
"""Key of `Told` for watching that stopped."""

_INCIDENTS: frozenset[AlertKind] = frozenset({"alarm", "warning", "watching_stopped", "resolved", "test"})
_ALL: frozenset[AlertKind] = frozenset({*_INCIDENTS, "action", "rollout"})
TAKES: Mapping[Channel, frozenset[AlertKind]] = {
    "slack": _ALL,
    "webhook": _ALL,
    "email": _ALL,
    # These hold incidents open until they are resolved; an action is none.
    "pagerduty": _INCIDENTS,
    "alertmanager": _INCIDENTS,
}
"""What each channel is told of."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be told.

    Attributes:
        messages: In order.
        silenced: Messages that a silence covers, each with it: to be noted.
        told: What people have been told, once these messages are on their way.
    """

    messages: tuple[Message, ...]
    silenced: tuple[tuple[Message, Silence], ...]
    told: Told


def due(
    episodes: Episodes,
    trail: Sequence[TrailEntry],
    told: Told,
    silences: Sequence[Silence],
    *,
    now: str,
    repeat_s: float,
    link: str = "",
    settled: Mapping[str, str] = NOTHING_SETTLED,
) -> Due:
    """What is due after a look.

    Args:
        episodes: All of them.
        trail: The audit trail, oldest first.
        told: What people have been told.
        silences: All of them; those that have ended do not count.
        now: The time, RFC 3339 with milliseconds in UTC.
        repeat_s: Seconds after which an alarm that lasts is told again.
        link: Where to look further, or empty.
        settled: When messages were delivered or given up, by their id.
    """
    memory = dict(told.told)
    messages: list[Message] = []
    silenced: list[tuple[Message, Silence]] = []

    def tell(key: str, message: Message, silence: Silence | None, after: Telling) -> None:
        if silence is None:
            messages.append(message)
            memory[key] = after
        elif memory.get(key, Telling()).silence != silence.id:
            silenced.append((message, silence))
            memory[key] = msgspec.structs.replace(memory.get(key, Telling()), silence=silence.id)

    for episode in episodes.episodes:
        before = _recalled(memory.get(episode.id, Telling()), episode.id, settled)
        if before.times:
            memory[episode.id] = before
        actions = [entry for entry in trail if entry.episode == episode.id]
        if episode.closed_at is None and _is_to_be_told(before, episode, now, repeat_s):
            times = before.times + 1
            message = of_episode(episode, times, now, link=link, actions=actions)
            silence = silence_of(silences, message.kind, episode.policy, episode.tier, episode.segment, now)
            tell(episode.id, message, silence, Telling(at=now, times=times))
        elif episode.closed_at is not None and before.times and not before.is_resolved:
            messages.append(of_end(episode, before.times, now, link=link, actions=actions))
            memory[episode.id] = msgspec.structs.replace(before, at=now, is_resolved=True)
        elif before.at > now:
            memory[episode.id] = msgspec.structs.replace(before, at=now)
    for entry in trail:
        if entry.id in memory and memory[entry.id].times:
            continue
        if entry.kind in QUIET_KINDS or entry.status == "dry" or _age_s(entry.at, now) > STALE_S:
            continue
        message = of_entry(entry, now, link=link)
        silence = silence_of(silences, message.kind, entry.policy, "", entry.segment, now)
        tell(entry.id, message, silence, Telling(at=now, times=1))
    return Due(tuple(messages), tuple(silenced), _kept(memory, episodes, trail, now))


def stop_due(
    told: Told,
    trouble: Trouble | None,
    since: str,
    *,
    now: str,
    repeat_s: float,
    link: str = "",
    settled: Mapping[str, str] = NOTHING_SETTLED,
) -> tuple[Message | None, Told]:
    """What is due about watching that stopped, or goes on. No silence covers it.

    Args:
        told: What people have been told.
        trouble: What is wrong; None: a look has succeeded.
        since: Since when; used only where people have not been told of this stop before.
        now: The time, RFC 3339 with milliseconds in UTC.
        repeat_s: Seconds after which it is told again.
        link: Where to look further, or empty.
        settled: When messages were delivered or given up, by their id.
    """
    before = told.told.get(WATCHING, Telling(is_resolved=True))
    if trouble is not None:
        began = since if before.is_resolved else before.since
        known = Telling(since=since) if before.is_resolved else before
        recalled = _recalled(known, stop_id(began), settled)
        if recalled != known:
            before, told = recalled, _with(told, recalled)
    is_known = not before.is_resolved
    if trouble is None:
        if not is_known:
            return None, told
        message = of_resumption(before.since, before.times, now, link=link)
        return message, _with(told, msgspec.structs.replace(before, at=now, is_resolved=True))
    if is_known and 0.0 <= _age_s(before.at, now) < repeat_s:
        return None, told
    if is_known and before.at > now:
        return None, _with(told, msgspec.structs.replace(before, at=now))
    times = before.times + 1 if is_known else 1
    began = before.since if is_known else since
    return of_stop(trouble, began, times, now, link=link), _with(told, Telling(at=now, times=times, since=began))


def silence_of(
    silences: Sequence[Silence], kind: AlertKind, policy: str, tier: str, segment: str, now: str
) -> Silence | None:
    """The silence that covers something now, the longest first; None: none does.

    Args:
        silences: All of them. One that ends later than any may (`LONGEST_SILENCE_S`) does not count.
        kind: Of the message. `watching_stopped`, `resolved` and `test` are never covered.
        policy: What it is about.
        tier: Likewise. A silence of a tier covers no message that names none.
        segment: Likewise.
        now: The time, RFC 3339 with milliseconds in UTC.
    """
    if kind in {"watching_stopped", "resolved", "test"}:
        return None
    covering = [
        each
        for each in silences
        if -LONGEST_SILENCE_S <= _age_s(each.until, now) < 0
        and (not each.kinds or kind in each.kinds)
        and each.policy in {"", policy}
        and each.tier in {"", tier}
        and each.segment in {"", segment}
    ]
    return max(covering, key=lambda each: (each.until, each.id), default=None)


def next_try(delivery: Delivery, error: str, now: str, jitter: float, retry_after_s: float | None = None) -> Delivery:
    """A delivery after a failed try.

    Args:
        delivery: As it was tried.
        error: What came of it.
        now: The time, RFC 3339.
        jitter: At random, in [0, 1).
        retry_after_s: Seconds that the receiver asked for; at most `LONGEST_PAUSE_S` are granted.

    Examples:
        >>> first = Delivery(message=of_stop("keeper_gone", "2026-03-01T00:00:00Z", 1, "2026-03-01T00:00:00Z"), channel="slack", due_at="")
        >>> next_try(first, "status 500", "2026-03-01T00:00:00Z", 0.5).due_at
        '2026-03-01T00:00:30.000Z'
    """
    attempts = delivery.attempts + 1
    pause_s = min(FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 16), LONGEST_PAUSE_S) * (0.5 + jitter)
    pause_s = max(pause_s, min(retry_after_s or 0.0, LONGEST_PAUSE_S))
    moment = datetime.fromisoformat(now) + timedelta(seconds=pause_s)
    due_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.structs.replace(delivery, attempts=attempts, due_at=due_at, last_error=error)


def is_due(delivery: Delivery, now: str) -> bool:
    """Whether a delivery is to be tried now. One whose time lies further ahead than any pause was put off by a wrong clock."""
    return _age_s(delivery.due_at, now) >= 0 or _age_s(delivery.due_at, now) < -2.0 * LONGEST_PAUSE_S


def is_given_up(delivery: Delivery, now: str) -> bool:
    """Whether a delivery that failed is given up."""
    return delivery.attempts >= LEAST_TRIES and _age_s(delivery.message.at, now) > GIVE_UP_S


def _recalled(before: Telling, episode: str, settled: Mapping[str, str]) -> Telling:
    """What people were told of an episode, with those of its messages that were settled and that the memory does not have."""
    times = before.times
    while f"{episode}:{times + 1}" in settled:
        times += 1
    if times == before.times:
        return before
    is_resolved = f"{episode}:{times}:resolved" in settled
    return msgspec.structs.replace(before, at=settled[f"{episode}:{times}"], times=times, is_resolved=is_resolved)


def _is_to_be_told(before: Telling, episode: Episode, now: str, repeat_s: float) -> bool:
    if before.times == 0 or before.is_resolved:
        return True
    return episode.kind == "alarm" and _age_s(before.at, now) >= repeat_s


def _with(told: Told, telling: Telling) -> Told:
    return Told(told={**told.told, WATCHING: telling})


def _kept(memory: Mapping[str, Telling], episodes: Episodes, trail: Sequence[TrailEntry], now: str) -> Told:
    known = {WATCHING, *(each.id for each in episodes.episodes), *(entry.id for entry in trail)}
    return Told(
        told={key: each for key, each in memory.items() if key in known or 0 <= _age_s(each.at, now) < REMEMBERED_S}
    )


def _age_s(moment: str, now: str) -> float:
    """Seconds from a moment to now; a moment that cannot be read is long past."""
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")
