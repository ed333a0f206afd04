"""What people are told, in plain words: of an episode, an action, a rollout, of watching that stopped, and that all is well again.

No text of prompts or answers is in a message, nor the name of a topic, which is made of users' words: messages go to third parties. All that
came from a log is one clean line of bounded length (`undertow.alerting.places`); channels escape it for their format.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from undertow.alerting.places import plain, shown, without_topic
from undertow.records.alert import AlertKind, Episode, Message, Severity
from undertow.records.guard import TrailEntry

Fact = tuple[str, str]
Trouble = Literal["keeper_gone", "look_overdue"]

MAX_ACTIONS = 5
"""Actions that a message of an episode names, the latest last."""

_VERDICTS = {
    "routing": "Quality loss",
    "provider": "A model got worse on all tiers",
    "mix": "Traffic changed",
    "unknown": "Quality fell, cause not known",
}
_CAUSES = {
    "routing": "routing: the cheaper tier does worse where the capable one does not",
    "provider": "the provider: the capable tier fell, too",
    "mix": "the mix of requests: traffic moved to kinds on which the tiers do not differ",
    "unknown": "not known",
}
_MONITORS = {
    "confidence": "routing confidence drifts",
    "input": "requests drift",
    "share": "the share of traffic per tier drifts",
    "calibration": "confidence is no longer calibrated",
    "judge": "the judge sees a loss that people have not confirmed, or has itself changed",
}
_DONE = {
    "route_back": "requests go to the capable tier",
    "tighten": "cheap answers need more confidence",
    "roll_back": "the last good version of the policy serves",
    "stop_rollout": "the rollout is stopped",
    "leave": "nothing is routed back: no segment is expected to cost more than it saves",
    "start": "a rollout begins",
    "advance": "the rollout advances",
    "hold": "the rollout holds",
    "step_back": "the rollout steps back",
    "finish": "the rollout is finished",
    "release": "a restriction is taken away",
    "accept_risk": "a risk was accepted",
}
_STATUS = {
    "done": "Done",
    "suggested": "Suggested, waits for a person",
    "approved": "Approved",
    "rejected": "Rejected",
    "failed": "Failed, and is tried again",
    "dry": "Would have been done",
}
ROLLOUT_KINDS = frozenset({"start", "advance", "hold", "step_back", "finish", "accept_risk"})
QUIET_KINDS = frozenset({"hold", "leave"})
"""Entries of which nobody is told by a message: that nothing happened is no news."""


def of_episode(episode: Episode, times: int, at: str, *, link: str = "", actions: Sequence[TrailEntry] = ()) -> Message:
    """That an episode began, or lasts.

    Args:
        episode: The episode.
        times: How often people have been told, this message included, from 1.
        at: Now, RFC 3339.
        link: Where to look further, or empty.
        actions: Entries of the trail that answer it, oldest first.

    Returns:
        The message; severity `critical` for an alarm and `warning` for a warning.
    """
    kind: Literal["alarm", "warning"] = episode.kind
    lasts = "" if times == 1 else "still: "
    return Message(
        id=f"{episode.id}:{times}",
        kind=kind,
        severity="critical" if kind == "alarm" else "warning",
        at=at,
        title=lasts + _headline(episode),
        facts=_facts(episode, actions),
        link=_linked(link, episode.id),
        episode=episode.id,
        labels=_labels(kind, episode.policy, episode.tier),
    )


def of_end(episode: Episode, times: int, at: str, *, link: str = "", actions: Sequence[TrailEntry] = ()) -> Message:
    """That an episode is over; see `of_episode`."""
    by_action = episode.closed_by is not None
    how = (
        "its requests have been kept on the capable tier, and nothing new was seen"
        if by_action
        else "the labels since then show no loss beyond the margin"
        if episode.kind == "alarm"
        else "nothing of it was seen lately"
    )
    closed = (("over since", _day_and_hour(episode.closed_at)),) if episode.closed_at is not None else ()
    return Message(
        id=f"{episode.id}:{times}:resolved",
        kind="resolved",
        severity="info",
        at=at,
        title=f"Over: {_headline(episode)}",
        facts=(*closed, ("why", how), *_facts(episode, actions)),
        link=_linked(link, episode.id),
        episode=episode.id,
        resolves=True,
        labels=_labels(episode.kind, episode.policy, episode.tier),
    )


def of_entry(entry: TrailEntry, at: str, *, link: str = "") -> Message:
    """That something was done, is suggested, or failed.

    Args:
        entry: Line of the audit trail.
        at: Now, RFC 3339.
        link: Where to look further, or empty.

    Returns:
        The message, of kind `rollout` or `action`.

    Examples:
        >>> entry = TrailEntry(id="a1", at="2026-03-01T00:00:00Z", who="guard", kind="route_back", segment="intent=fraud")
        >>> of_entry(entry, "2026-03-01T00:01:00Z").title
        'Done: requests go to the capable tier (policy auto, intent=fraud)'
    """
    kind: AlertKind = "rollout" if entry.kind in ROLLOUT_KINDS else "action"
    needs_somebody = entry.status in {"suggested", "failed"}
    severity: Severity = "warning" if needs_somebody or entry.kind in {"roll_back", "step_back"} else "info"
    where = ", ".join(filter(None, (f"policy {plain(entry.policy)}", shown(entry.segment))))
    texts = {"before": entry.before, "now": entry.after, "why": entry.why}
    facts = [(name, plain(without_topic(text, entry.segment), 400)) for name, text in texts.items() if text]
    facts += [("by", plain(entry.who)), ("at", _day_and_hour(entry.at))]
    if entry.status == "suggested":
        facts.append(("to do", f"undertow guard approve {plain(entry.id)}, or reject it"))
    return Message(
        id=f"entry:{entry.id}",
        kind=kind,
        severity=severity,
        at=at,
        title=f"{_STATUS[entry.status]}: {_DONE[entry.kind]} ({where})",
        facts=tuple(facts),
        link=_linked(link, entry.episode or ""),
        episode=None,
        labels={"kind": kind, "policy": plain(entry.policy)},
    )


def of_stop(trouble: Trouble, since: str, times: int, at: str, *, link: str = "") -> Message:
    """That nobody watches: the keeper is gone, or its last look is too old.

    Args:
        trouble: What is wrong.
        since: Since when, RFC 3339.
        times: How often people have been told, this message included, from 1.
        at: Now, RFC 3339.
        link: Where to look further, or empty.
    """
    what = (
        ("the keeper does not run", "The keeper died, and does not live when it is started again.")
        if trouble == "keeper_gone"
        else ("no look has succeeded", "The keeper runs, but its looks at the log fail, hang or do not come.")
    )
    episode = stop_id(since)
    return Message(
        id=f"{episode}:{times}",
        kind="watching_stopped",
        severity="critical",
        at=at,
        title=f"{'' if times == 1 else 'still: '}Monitoring has stopped: {what[0]} since {_day_and_hour(since)}",
        facts=(
            ("what", what[1]),
            ("what it means", "Requests are served, but a loss of quality would not be seen, and nothing is done about one."),
            ("to do", "Read the gateway's log, and undertow_keeper_up and undertow_keeper_job_failures_total under /metrics."),
        ),
        link=link,
        episode=episode,
        labels=_labels("watching_stopped", "", ""),
    )  # fmt: skip


def of_resumption(since: str, times: int, at: str, *, link: str = "") -> Message:
    """That watching goes on; see `of_stop`."""
    episode = stop_id(since)
    return Message(
        id=f"{episode}:{times}:resolved",
        kind="resolved",
        severity="info",
        at=at,
        title="Over: monitoring goes on",
        facts=(("had stopped", _day_and_hour(since)), ("went on", _day_and_hour(at))),
        link=link,
        episode=episode,
        resolves=True,
        labels=_labels("watching_stopped", "", ""),
    )


def of_test(at: str, who: str, *, link: str = "") -> Message:
    """A message that tests whether messages arrive."""
    return Message(
        id=f"test:{at}",
        kind="test",
        severity="info",
        at=at,
        title="Test of Undertow's alerts: nothing is wrong",
        facts=(("sent by", plain(who)), ("at", _day_and_hour(at))),
        link=link,
        labels={"kind": "test"},
    )


def stop_id(since: str) -> str:
    """Id of the episode in which nobody watched since then.

    Examples:
        >>> stop_id("2026-03-01T00:00:00.000Z")
        'watching-1694e78f'
    """
    return f"watching-{hashlib.sha256(since.encode()).hexdigest()[:8]}"


def _labels(kind: str, policy: str, tier: str) -> dict[str, str]:
    given = {"kind": kind, "policy": plain(policy), "tier": plain(tier)}
    return {name: value for name, value in given.items() if value}


def _headline(episode: Episode) -> str:
    where = ", ".join(filter(None, (f"tier {plain(episode.tier)}", shown(episode.segment))))
    if episode.kind == "warning":
        seen = _MONITORS.get(episode.monitors[0] if episode.monitors else "", "something drifts")
        return f"Warning: {seen} ({where})"
    verdict = _VERDICTS.get(episode.cause, _VERDICTS["unknown"])
    if episode.net_interval is not None and episode.net_interval[1] < 0 and episode.cause == "routing":
        verdict = "Pareto trap: routing costs more than it saves"
    size = "" if episode.loss is None else f", {_points(episode.loss)} worse"
    return f"{verdict} ({where}{size})"


def _facts(episode: Episode, actions: Sequence[TrailEntry]) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    if episode.onset is not None:
        between = ""
        if episode.onset_interval is not None:
            low, high = (_day_and_hour(end) for end in episode.onset_interval)
            between = f" (between {low} and {high})"
        facts.append(("since", f"{_day_and_hour(episode.onset)}{between}"))
    facts.append(
        ("seen", f"{_day_and_hour(episode.detected_at)}, by {plain(', '.join(episode.monitors)) or 'an audit'}")
    )
    facts.append(
        (
            "where",
            f"policy {plain(episode.policy)}, tier {plain(episode.tier)}, {shown(episode.segment) or 'all of it'}",
        )
    )
    if episode.loss is not None:
        facts.append(("loss", f"{_points(episode.loss)} per request{_between_points(episode.loss_interval)}"))
    if episode.net_usd_month is not None:
        facts.append(("net value", f"{_usd(episode.net_usd_month)} a month{_between_usd(episode.net_interval)}"))
    if episode.kind == "alarm":
        facts.append(("cause", _CAUSES.get(episode.cause, _CAUSES["unknown"])))
    if episode.changed_nearby:
        changed = "; ".join(without_topic(text, episode.segment) for text in episode.changed_nearby)
        facts.append(("changed about then", plain(changed, 400)))
    done = [entry for entry in actions if entry.episode == episode.id and entry.kind != "hold"][-MAX_ACTIONS:]
    for entry in done:
        where = f" ({shown(entry.segment)})" if entry.segment else ""
        facts.append((_STATUS[entry.status].lower(), f"{_DONE[entry.kind]}{where}, {_day_and_hour(entry.at)}"))
    if not done and episode.kind == "alarm":
        facts.append(("done", "nothing so far"))
    return tuple(facts)  # fmt: skip


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _between_points(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def _usd(amount: float) -> str:
    return f"{'-' if round(amount) < 0 else ''}${abs(round(amount)):,}"


def _between_usd(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (interval {_usd(interval[0])} to {_usd(interval[1])})"


def _day_and_hour(moment: str | None) -> str:
    """RFC 3339 as people read it; what is none stays as it is."""
    if moment is None:
        return "not known"
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return plain(moment, 40)


def _linked(link: str, episode: str) -> str:
    return link if not link or not episode else f"{link.rstrip('/')}#episode-{episode}"
