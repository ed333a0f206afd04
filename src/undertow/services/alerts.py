"""Telling people: what a look found becomes messages that wait, and what waits is delivered.

`announce` and `watching_stopped` only write files; `deliver` only talks to channels and writes what came of it. All may run at once, in several
processes: files change under a lock, one process delivers at a time, and all ids are stable.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from undertow.alerting.due import TAKES, WATCHING, due, is_due, is_given_up, next_try, stop_due
from undertow.alerting.episodes import answered, episodes_of
from undertow.alerting.messages import Trouble, of_episode, of_stop
from undertow.ports.alerts import AlertBook, AlertChannel, Sent
from undertow.records.alert import Channel, Delivered, Delivery, Episodes, Message
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.report import AuditReport

MOST_LINES = 100_000
"""Of what became of messages; a book gives no more than the last of them."""


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Settings of `[alerts]` that messages depend on.

    Attributes:
        channels: Who is told.
        repeat_s: Seconds after which an alarm that lasts is told again.
        link: Address of the dashboard, or empty.
    """

    channels: tuple[Channel, ...] = ()
    repeat_s: float = 86_400.0
    link: str = ""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a look led to.

    Attributes:
        episodes: As they are now.
        messages: What people are told.
        silenced: How many messages a silence covers.
    """

    episodes: Episodes
    messages: tuple[Message, ...]
    silenced: int


def announce(
    report: AuditReport | None,
    trail: Sequence[TrailEntry],
    book: AlertBook,
    rules: AlertRules,
    policy: str,
    now: datetime,
) -> Announced:
    """Note the episodes of a look, and let messages of them and of actions wait for delivery.

    The same look announced twice, or by two processes, tells nothing twice.

    Args:
        report: What the look found; None: there is nothing to audit yet, or the actions alone are to be told.
        trail: The whole audit trail, oldest first.
        book: Where all this is kept.
        rules: Who is told.
        policy: Name of the policy that the report is about.
        now: The time, aware.

    Raises:
        OSError: The store cannot be read or written. What was not announced is announced at the next look.
    """
    at = rfc3339(now)
    with book.changing():
        before, told = book.episodes(), book.told()
        episodes = before
        if report is not None:
            episodes = answered(episodes_of(report, before, policy, at), trail, report.period[1], at)
        found = due(
            episodes,
            trail,
            told,
            book.silences().silences,
            now=at,
            repeat_s=rules.repeat_s,
            link=rules.link,
            settled=_settled(book),
        )
        for message in found.messages:
            _queue(message, book, rules, at)
        for message, silence in found.silenced:
            book.note(_line(message, "", "silenced", at, error=f"silence {silence.id} of {silence.who}"))
        # Last: should the process die before, the next look makes the same messages with the same ids.
        book.write(episodes=None if episodes == before else episodes, told=None if found.told == told else found.told)
    return Announced(episodes, found.messages, len(found.silenced))


def watching_stopped(
    trouble: Trouble | None, since: datetime, book: AlertBook, rules: AlertRules, now: datetime
) -> Message | None:
    """Let the message wait that nobody watches any more, or (`trouble` None, after a look) that watching goes on.

    Args:
        trouble: What is wrong, or None.
        since: Since when, aware; used where people have not been told yet.
        book: Where all this is kept.
        rules: Who is told.
        now: The time, aware.

    Returns:
        The message, or None: there is nothing to tell.

    Raises:
        OSError: The store cannot be read or written.
    """
    at = rfc3339(now)
    with book.changing():
        told = book.told()
        message, after = stop_due(
            told,
            trouble,
            rfc3339(since),
            now=at,
            repeat_s=rules.repeat_s,
            link=rules.link,
            settled=_settled(book),
        )
        if message is not None:
            _queue(message, book, rules, at)
        if after != told:
            book.write(told=after)
    return message


async def deliver(
    book: AlertBook,
    channels: Mapping[Channel, AlertChannel],
    now: Callable[[], datetime],
    jitter: Callable[[], float],
) -> Counter[str]:
    """Try everything that is due, all channels at once; nothing where another process delivers.

    A message of an episode waits for the earlier ones of that episode: its end is not told before its begin.

    Args:
        book: What waits.
        channels: Where to. What waits for another channel goes on waiting until it is given up.
        now: The time, aware.
        jitter: At random, in [0, 1).

    Returns:
        Counts: `alerts_delivered`, `alerts_failed` (tries), `alerts_given_up`, `alert_files_set_aside`.

    Raises:
        OSError: The store cannot be read or written. What was sent may be sent again, with the same id.
    """
    counts: Counter[str] = Counter()
    with book.delivering() as is_mine:
        if not is_mine:
            return counts
        aside = book.set_aside
        waiting = book.waiting()
        by_channel: dict[Channel, list[Delivery]] = {}
        for delivery in waiting:
            by_channel.setdefault(delivery.channel, []).append(delivery)
        ends = await asyncio.gather(
            *(_deliver_all(each, book, channels.get(name), now, jitter, counts) for name, each in by_channel.items()),
            return_exceptions=True,
        )
        if book.set_aside > aside:
            counts["alert_files_set_aside"] += book.set_aside - aside
        for end in ends:
            # Only now: what goes wrong with one channel must not cut another off in the midst of a message.
            if isinstance(end, BaseException):
                raise end
    return counts


async def hold(
    book: AlertBook, channels: Mapping[Channel, AlertChannel], rules: AlertRules, now: datetime
) -> dict[Channel, Sent]:
    """Keep open, at channels that would close it by themselves, whatever people were told of and is not over.

    Args:
        book: What is open.
        channels: Where to.
        rules: The link.
        now: The time, aware.

    Returns:
        What came of it, by channel; channels that need no such thing are left out.
    """
    at = rfc3339(now)
    told = book.told().told
    messages = [
        of_episode(each, told[each.id].times, at, link=rules.link)
        for each in book.episodes().episodes
        if each.closed_at is None and each.id in told and told[each.id].times and not told[each.id].is_resolved
    ]
    stop = told.get(WATCHING)
    if stop is not None and not stop.is_resolved:
        messages.append(of_stop("keeper_gone", stop.since, stop.times, at, link=rules.link))
    if not messages:
        return {}
    found = {name: await channel.hold(messages) for name, channel in channels.items()}
    return {name: sent for name, sent in found.items() if sent is not None}


async def _deliver_all(
    deliveries: Sequence[Delivery],
    book: AlertBook,
    channel: AlertChannel | None,
    now: Callable[[], datetime],
    jitter: Callable[[], float],
    counts: Counter[str],
) -> None:
    held: set[str] = set()
    for delivery in deliveries:
        episode = delivery.message.episode
        if episode in held:
            continue
        is_over = is_due(delivery, rfc3339(now())) and await _is_over_after_try(
            delivery, book, channel, now, jitter(), counts
        )
        if not is_over and episode is not None:
            held.add(episode)


async def _is_over_after_try(
    delivery: Delivery,
    book: AlertBook,
    channel: AlertChannel | None,
    now: Callable[[], datetime],
    jitter: float,
    counts: Counter[str],
) -> bool:
    """Try one delivery and write down what came of it; whether nothing more is to be done about it."""
    if channel is None:
        sent = Sent("retry", "the channel is not configured")
    else:
        sent = await channel.send(delivery.message)
        if sent.outcome != "delivered":
            counts["alerts_failed"] += 1
    at = rfc3339(now())
    message, name = delivery.message, delivery.channel
    if sent.outcome == "delivered":
        counts["alerts_delivered"] += 1
        book.settle(delivery, _line(message, name, "delivered", at, attempts=delivery.attempts + 1))
        return True
    after = next_try(delivery, sent.said, at, jitter, sent.retry_after_s)
    if sent.outcome == "refused" or is_given_up(after, at):
        counts["alerts_given_up"] += 1
        book.settle(delivery, _line(message, name, "given_up", at, attempts=after.attempts, error=sent.said))
        return True
    book.retry(after)
    return False


def _settled(book: AlertBook) -> dict[str, str]:
    """When messages were last delivered or given up, by their id: an id that is there is taken by no channel again."""
    return {line.message: line.at for line in reversed(book.history(MOST_LINES)) if line.channel}


def _queue(message: Message, book: AlertBook, rules: AlertRules, at: str) -> None:
    for channel in rules.channels:
        if message.kind in TAKES[channel]:
            book.put(Delivery(message=message, channel=channel, due_at=at))


def _line(
    message: Message,
    channel: str,
    outcome: Literal["delivered", "given_up", "silenced"],
    at: str,
    *,
    attempts: int = 0,
    error: str = "",
) -> Delivered:
    return Delivered(
        at=at,
        message=message.id,
        kind=message.kind,
        title=message.title,
        channel=channel,
        outcome=outcome,
        attempts=attempts,
        error=error,
    )
