"""Episodes: one for each trouble, from the alarms of an audit and the episodes known before.

An audit tells every alarm of its log, each time anew, however long ago; several monitors may see one trouble, and later labels may find a
finer place for it. People want to be told once. The rules:

- **Standing.** An alarm stands until the labels since its onset show the loss to be accepted: the upper bound of its latest interval is at most
  the margin. (So do thresholds that are tuned, and the guard.) A warning stands for `WARNING_S` from its detection.
- **Joining.** An alarm joins an open episode of its policy, tier and kind if their places nest (one of them is the whole tier, or both are
  the same), or their onset intervals overlap. Else it opens one. What stands no longer when it is first seen opens none.
- **Refining.** An episode is told at its finest place: a segment replaces the whole tier. Its id stays.
- **Closing.** An episode closes once no alarm of it has stood for `QUIET_S`, or an action has kept its requests on the capable tier for so
  long (`answered`). An alarm that the audit no longer shows does not stand.
- **Reopening.** An episode that closed by itself opens again once the interval of one of its alarms lies above zero and reaches beyond the
  margin: more than it took to close it, so that it does not flap; or once another alarm stands that was detected before it closed. One that an action closed stays closed: what its alarms
  say is what was seen before. A later alarm opens a new one.

Durations are of event time (the end of the report's period), so reading a report again changes nothing, whatever the clock says.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from undertow.alerting.places import place_of
from undertow.records.alert import Episode, Episodes
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.report import Alarm, AuditReport

QUIET_S = 86_400.0
"""Event time, in seconds, for which all must be well before an episode closes."""
WARNING_S = 14 * 86_400.0
"""A warning is told of for so long after its detection: drift has no end of its own in a report."""
KEPT_S = 90 * 86_400.0
"""Closed episodes are forgotten after so long, once the report shows their alarms no more."""

Kind = Literal["alarm", "warning"]
ByKey = dict[tuple[Kind, str], Alarm]
"""The alarms of a report."""


def episodes_of(report: AuditReport, previous: Episodes, policy: str, now: str) -> Episodes:
    """The episodes after a look.

    Args:
        report: What the look found.
        previous: Episodes as they were.
        policy: Name of the policy that the report is about.
        now: The time, RFC 3339; only noted.

    Returns:
        All episodes, those of other policies as they were, in the order in which they were detected. Where nothing is new, `previous`.
    """
    until = report.period[1]
    mine = [each for each in previous.episodes if each.policy == policy]
    others = [each for each in previous.episodes if each.policy != policy]
    found: tuple[tuple[Kind, Sequence[Alarm]], ...] = (("alarm", report.alarms), ("warning", report.warnings))
    by_key: ByKey = {(kind, alarm_key(alarm)): alarm for kind, alarms in found for alarm in alarms}
    for kind, alarms in found:
        for alarm in sorted(alarms, key=lambda each: (each.detected_at, alarm_key(each))):
            _take(mine, alarm, kind, by_key, report, policy)
    refined = (_refined(each, by_key, report) for each in mine)
    after = [_settled(each, by_key, report, until) for each in refined]
    after = [each for each in after if each is not None]
    episodes = tuple(sorted([*others, *after], key=lambda each: (each.detected_at, each.id)))
    return previous if episodes == previous.episodes else Episodes(at=max(now, previous.at), episodes=episodes)


def answered(episodes: Episodes, trail: Iterable[TrailEntry], until: datetime, now: str) -> Episodes:
    """Note which actions answer which episodes, and close those whose requests an action took off the tier.

    An episode is closed by a `route_back` that was done and not released, of its policy and of its place or all of the policy, once
    `QUIET_S` of event time have passed and no alarm of it was detected since.

    Args:
        episodes: As `episodes_of` gives them.
        trail: The audit trail, oldest first.
        until: Event time of the look, aware.
        now: The time, RFC 3339; only noted.

    Returns:
        The episodes; where nothing is new, `episodes`.
    """
    entries = tuple(trail)
    released = {entry.of for entry in entries if entry.kind == "release" and entry.status == "done"}
    after = tuple(_answered(each, entries, released, until) for each in episodes.episodes)
    return episodes if after == episodes.episodes else Episodes(at=max(now, episodes.at), episodes=after)


def alarm_key(alarm: Alarm) -> str:
    """What makes an alarm the same in two reports: a hash of monitor, kind, signal and place."""
    return _hash(alarm.monitor, alarm.kind, alarm.tier, str(alarm.segment), alarm.signal)


def _take(mine: list[Episode], alarm: Alarm, kind: Kind, by_key: ByKey, report: AuditReport, policy: str) -> None:
    """Put an alarm into the episode that it belongs to, or into a new one; changes `mine`."""
    key = alarm_key(alarm)
    near = [(place, each) for place, each in enumerate(mine) if each.kind == kind and each.tier == alarm.tier]
    known = [(place, each) for place, each in near if key in each.alarms and not _is_later(alarm, each)]
    still = [(place, each) for place, each in near if each.closed_at is None and _joins(alarm, each, by_key)]
    if known:
        place, episode = next(((p, e) for p, e in known if e.closed_at is None), known[-1])
        if episode.closed_at is None or episode.closed_by is not None or not _is_beyond(alarm, kind, report):
            return
        others = still or [(p, e) for p, e in near if e.closed_at is None and e.segment == episode.segment]
        if others:  # it was closed, and another one is open where it would open again
            place, episode = others[-1]
            mine[place] = msgspec.structs.replace(episode, alarms=(*episode.alarms, key))
        else:
            mine[place] = msgspec.structs.replace(episode, closed_at=None)
        return
    if not _stands(alarm, kind, report):
        return
    # What was detected before an episode closed, and would have joined it then, is of that trouble.
    ended = [(place, each) for place, each in near if each.closed_at is not None and not _is_later(alarm, each)]
    joined = still or [(place, each) for place, each in ended if _joins(alarm, each, by_key)]
    same = [(p, e) for p, e in near if joined and e.closed_at is None and e.segment == joined[-1][1].segment]
    joined = same or joined
    if not joined:
        mine.append(_opened(alarm, kind, key, report, policy, {each.id for each in mine}))
        return
    place, episode = joined[-1]
    episode = msgspec.structs.replace(episode, alarms=(*episode.alarms, key))
    mine[place] = episode if episode.closed_by is not None else msgspec.structs.replace(episode, closed_at=None)


def _opened(alarm: Alarm, kind: Kind, key: str, report: AuditReport, policy: str, taken: Collection[str]) -> Episode:
    day = (alarm.onset or alarm.detected_at).astimezone(UTC).date().isoformat()
    what = (policy, alarm.tier, place_of(alarm.segment), day, kind)
    name = _hash(*what)[:12]
    while name in taken:  # a second trouble there whose onset is estimated to be on the same day
        name = _hash(*what, name)[:12]
    plain = Episode(
        id=name,
        policy=policy,
        tier=alarm.tier,
        segment=place_of(alarm.segment),
        cause=alarm.cause,
        detected_at=rfc3339(alarm.detected_at),
        kind=kind,
        alarms=(key,),
    )
    return _headlined(plain, alarm, report)


def _refined(episode: Episode, by_key: ByKey, report: AuditReport) -> Episode:
    """An open episode with what its alarms say now. Its headline is that of its finest place, the first detected; once at a segment it stays there."""
    seen = [by_key[episode.kind, key] for key in episode.alarms if (episode.kind, key) in by_key]
    if episode.closed_at is not None or not seen:
        return episode
    episode = msgspec.structs.replace(
        episode, monitors=tuple(dict.fromkeys((*episode.monitors, *(alarm.monitor for alarm in seen))))
    )

    def rank(alarm: Alarm) -> tuple[bool, bool, datetime, str]:
        place = place_of(alarm.segment)
        return not place, place != episode.segment, alarm.detected_at, alarm_key(alarm)

    finest = min(seen, key=rank)
    has_moved = bool(episode.segment) and place_of(finest.segment) != episode.segment
    return episode if has_moved else _headlined(episode, finest, report)


def _headlined(episode: Episode, alarm: Alarm, report: AuditReport) -> Episode:
    """An episode as one of its alarms tells it."""
    net, interval = _net(report, alarm.tier)
    loss, loss_interval = (
        (alarm.loss, alarm.interval)
        if alarm.latest_loss is None or episode.kind == "warning"
        else (alarm.latest_loss, alarm.latest_interval)
    )
    onset_interval = alarm.onset_interval
    return msgspec.structs.replace(
        episode,
        segment=place_of(alarm.segment),
        cause=alarm.cause,
        onset=None if alarm.onset is None else rfc3339(alarm.onset),
        onset_interval=None if onset_interval is None else (rfc3339(onset_interval[0]), rfc3339(onset_interval[1])),
        loss=_number(loss),
        loss_interval=_numbers(loss_interval),
        net_usd_month=_number(net),
        net_interval=_numbers(interval),
        changed_nearby=(*alarm.changed_nearby, *alarm.incidents),
        story=alarm.story,
    )


def _number(value: float | None) -> float | None:
    """NumPy's numbers are floats and yet cannot be written down."""
    return None if value is None else float(value)


def _numbers(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (float(interval[0]), float(interval[1]))


def _net(report: AuditReport, tier: str) -> tuple[float | None, tuple[float, float] | None]:
    """Net value a month where the tier is the only one that saves, or savings less downstream cost of it alone, without an interval."""
    ledger = report.ledger
    cheaper = {item.tier for item in ledger.items if item.kind == "savings" and item.tier is not None}
    if cheaper <= {tier}:
        return ledger.net_usd_month, ledger.interval
    savings = [item.usd_month for item in ledger.items if item.tier == tier and item.kind == "savings"]
    costs = [item.usd_month for item in ledger.items if item.tier == tier and item.kind == "downstream"]
    return (sum(savings) - sum(costs), None) if savings else (None, None)


def _settled(episode: Episode, by_key: ByKey, report: AuditReport, until: datetime) -> Episode | None:
    """An episode with what the passing of event time makes of it; None: it is forgotten."""
    seen = [by_key[episode.kind, key] for key in episode.alarms if (episode.kind, key) in by_key]
    if episode.closed_at is not None:
        is_old = until - datetime.fromisoformat(episode.closed_at) > timedelta(seconds=KEPT_S)
        return None if is_old and not seen else episode
    if any(_stands(alarm, episode.kind, report) for alarm in seen):
        return msgspec.structs.replace(episode, quiet_since=None)
    since = until if episode.quiet_since is None else datetime.fromisoformat(episode.quiet_since)
    if until - since >= timedelta(seconds=QUIET_S):
        return msgspec.structs.replace(episode, quiet_since=rfc3339(since), closed_at=rfc3339(until))
    return msgspec.structs.replace(episode, quiet_since=rfc3339(since))


def _answered(episode: Episode, entries: Sequence[TrailEntry], released: set[str | None], until: datetime) -> Episode:
    own = (entry.id for entry in entries if entry.episode == episode.id and entry.status in {"done", "suggested"})
    episode = msgspec.structs.replace(episode, actions=tuple(dict.fromkeys((*episode.actions, *own))))
    if episode.closed_at is not None or episode.kind == "warning":
        return episode
    for entry in entries:
        covers = entry.policy == episode.policy and entry.segment in {"", episode.segment}
        is_in_force = entry.kind == "route_back" and entry.status == "done" and entry.id not in released
        if not covers or not is_in_force or entry.at < episode.detected_at:
            continue
        if until - datetime.fromisoformat(entry.at) >= timedelta(seconds=QUIET_S):
            return msgspec.structs.replace(episode, closed_at=rfc3339(until), closed_by=entry.id)
    return episode


def _is_later(alarm: Alarm, episode: Episode) -> bool:
    return episode.closed_at is not None and rfc3339(alarm.detected_at) > episode.closed_at


def _stands(alarm: Alarm, kind: Kind, report: AuditReport) -> bool:
    if kind == "warning":
        return report.period[1] - alarm.detected_at < timedelta(seconds=WARNING_S)
    return alarm.latest_interval is None or alarm.latest_interval[1] > report.settings.margin


def _is_beyond(alarm: Alarm, kind: Kind, report: AuditReport) -> bool:
    latest = alarm.latest_interval
    return kind == "alarm" and latest is not None and latest[0] > 0 and latest[1] > report.settings.margin


def _joins(alarm: Alarm, episode: Episode, by_key: ByKey) -> bool:
    place = place_of(alarm.segment)
    seen = (by_key[episode.kind, key] for key in episode.alarms if (episode.kind, key) in by_key)
    places = {episode.segment, *(place_of(each.segment) for each in seen)}
    if not place or "" in places or place in places:
        return True
    if alarm.onset_interval is None or episode.onset_interval is None:
        return False
    low, high = (rfc3339(moment) for moment in alarm.onset_interval)
    return low <= episode.onset_interval[1] and episode.onset_interval[0] <= high


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
