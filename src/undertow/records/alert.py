"""What people are told: episodes of alarms, and the messages about them.

<store>/state/alerts/episodes.json   all episodes that are open or lately closed (`Episodes`)
<store>/state/alerts/outbox/         messages that wait for delivery, one file each (`Delivery`); a restart loses none
<store>/state/alerts/silences.json   silences, each with its end (`Silence`)
<store>/state/alerts/told.json       what people were told, and when last (`Told`)
<store>/state/alerts/delivered.jsonl what was delivered, given up or silenced, one line each (`Delivered`): appended to, never rewritten
"""

from typing import Literal

import msgspec

EPISODES = "state/alerts/episodes.json"
OUTBOX = "state/alerts/outbox"
SILENCES = "state/alerts/silences.json"
TOLD = "state/alerts/told.json"
DELIVERED = "state/alerts/delivered.jsonl"

AlertKind = Literal["alarm", "warning", "action", "rollout", "watching_stopped", "resolved", "test"]
Severity = Literal["critical", "warning", "info"]
Channel = Literal["slack", "pagerduty", "alertmanager", "webhook", "email"]


class Episode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trouble from its first alarm to its end, however many monitors see it and however often: people are told of it once.

    Attributes:
        id: Short hash of policy, tier, place and the day of the onset's first estimate; the same whoever computes it.
        policy, tier: Where.
        segment: `key=value`; empty: the whole tier. Finer places found later join the episode of the tier whose onset interval they overlap.
        cause: Of the alarm.
        onset: RFC 3339, or None.
        onset_interval: Likewise.
        detected_at: Event time of the first alarm.
        loss, loss_interval: Loss per cheap-served decision, in [-1, 1], as last estimated.
        net_usd_month, net_interval: Net value of the tier a month, USD, or None: not known.
        changed_nearby: What changed near the onset, in words.
        story: Since when and what, as a person would say it.
        monitors: Names of the monitors that saw it.
        actions: Ids of the trail's entries that answer it.
        closed_at: Event time at which it ended, or None.
        kind: `alarm`, or `warning`: drift, or what a judge alone saw; it proves no harm.
        alarms: Keys of the report's alarms that belong to it (`undertow.alerting.episodes.alarm_key`).
        quiet_since: Event time since which every look has shown the loss to be accepted; None: the last did not.
        closed_by: Id of the trail's entry that took its requests off the tier, where that closed it.
    """

    id: str
    policy: str
    tier: str
    segment: str
    cause: str
    detected_at: str
    onset: str | None = None
    onset_interval: tuple[str, str] | None = None
    loss: float | None = None
    loss_interval: tuple[float, float] | None = None
    net_usd_month: float | None = None
    net_interval: tuple[float, float] | None = None
    changed_nearby: tuple[str, ...] = ()
    story: str = ""
    monitors: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    closed_at: str | None = None
    kind: Literal["alarm", "warning"] = "alarm"
    alarms: tuple[str, ...] = ()
    quiet_since: str | None = None
    closed_by: str | None = None


class Episodes(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/alerts/episodes.json`."""

    schema: str = "undertow.episodes/1"
    at: str
    episodes: tuple[Episode, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to tell, the same for every channel; channels only dress it.

    Attributes:
        id: Unique: episode, kind and what makes it new. A channel that is told the same id twice tells people once.
        kind: What sort.
        severity: How urgent.
        at: RFC 3339.
        title: One line: verdict, place, size.
        facts: Pairs of name and value, in the order in which people read them: since when, where, how much, money, what changed, what was done.
        link: Where to look further, or empty.
        episode: Its episode, or None.
        resolves: The episode is over.
        labels: `kind`, `policy` and `tier` of what it is about: the same for all messages of an episode.
    """

    id: str
    kind: AlertKind
    severity: Severity
    at: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    link: str = ""
    episode: str | None = None
    resolves: bool = False
    labels: dict[str, str] = {}


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message on its way to one channel.

    Attributes:
        message: What.
        channel: Where to.
        attempts: Times it was tried.
        due_at: When it is tried next, RFC 3339.
        last_error: What came of the last try: a status or the kind of an error, never an address or a secret.
    """

    message: Message
    channel: Channel
    attempts: int = 0
    due_at: str
    last_error: str = ""


class Silence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody is told of some things for some time. What was silenced is kept and shown; actions are taken all the same.

    Attributes:
        id: Unique; short.
        until: When it ends, RFC 3339: none is for ever.
        who: Who asked for it.
        why: In words.
        policy, tier, segment: What it is about; empty: any.
        kinds: Of these kinds; empty: all but `watching_stopped`.
    """

    id: str
    until: str
    who: str
    why: str = ""
    policy: str = ""
    tier: str = ""
    segment: str = ""
    kinds: tuple[AlertKind, ...] = ()


class Silences(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/alerts/silences.json`."""

    schema: str = "undertow.silences/1"
    silences: tuple[Silence, ...] = ()


class Telling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When people were told of one thing.

    Attributes:
        at: When last, RFC 3339; empty: never, since it was silenced.
        times: How often.
        is_resolved: They were told that it is over.
        silence: Id of the silence that was noted, where they were not told.
        since: Of `watching_stopped`: since when nobody watches, RFC 3339.
    """

    at: str = ""
    times: int = 0
    is_resolved: bool = False
    silence: str = ""
    since: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/alerts/told.json`: by id of an episode or of an entry of the trail."""

    schema: str = "undertow.told/1"
    told: dict[str, Telling] = {}


class Delivered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `state/alerts/delivered.jsonl`: what became of a message.

    Attributes:
        at: When, RFC 3339.
        message: Id of the message.
        kind: What sort.
        title: Its title.
        channel: Where to, or empty: it was silenced for all.
        outcome: `delivered`; `given_up`; `silenced`.
        attempts: Times it was tried.
        error: What came of the last try, or the silence.
    """

    at: str
    message: str
    kind: AlertKind
    title: str
    channel: str = ""
    outcome: Literal["delivered", "given_up", "silenced"]
    attempts: int = 0
    error: str = ""
