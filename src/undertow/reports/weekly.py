"""The report of a week on a terminal, and as JSON (undertow.report/1)."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import msgspec

from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.report import Alarm, SignalEstimate
from undertow.records.weekly import WeekQuality, WeekReport, WeekTraffic
from undertow.reports import figures, words
from undertow.reports.aligned import aligned
from undertow.reports.names import clip, prose, segment_name

SCHEMA = "undertow.report/1"
NAME_COLUMNS = 32
SHOWN_ROWS = 30
SHOWN_LINES = 12

TRENDS = {"worse": "worse", "better": "better", "unclear": "no clear change"}
QUALITY_HEADINGS = ("tier", "segment", "this week", "interval", "labels", "last week", "interval", "labels", "")
ACTIONS = {
    "route_back": "sent back to the capable tier",
    "tighten": "threshold raised",
    "roll_back": "rolled back to the last good version",
    "stop_rollout": "rollout stopped",
    "leave": "left as it was",
    "start": "rollout began",
    "advance": "rollout went a stage further",
    "hold": "rollout held",
    "step_back": "rollout went a stage back",
    "finish": "rollout finished",
    "release": "restriction taken away",
    "accept_risk": "risk accepted",
}
STATUSES = {
    "done": "", "suggested": "suggested, waits for a person", "approved": "approved", "rejected": "rejected", "failed": "could not be applied",
    "dry": "would have been done",
}  # fmt: skip


def week_document(report: WeekReport) -> dict[str, Any]:
    """The document, as built-in values; absent is null. The audits themselves are those of `undertow audit --json`."""
    now, before = report.now, report.before
    return {
        "schema": SCHEMA,
        "headline": report.headline,
        "week": {"from": rfc3339(report.week[0]), "to": rfc3339(report.week[1])},
        "verdict": now.verdict,
        "verdict_before": None if before is None else before.verdict,
        "signal": report.signal,
        "traffic": [asdict(one) for one in report.traffic],
        "qualities": [{**asdict(one), "segment": one.segment.as_dict()} for one in report.qualities],
        "alarms": {
            name: [_alarm_document(alarm) for alarm in alarms]
            for name, alarms in (
                ("opened", report.opened),
                ("closed", report.closed),
                ("still_open", report.still_open),
            )
        },
        "warnings": [_alarm_document(warning) for warning in report.warnings],
        "actions": [msgspec.to_builtins(entry) for entry in report.actions],
        "ledger": {
            "net_usd_month": now.ledger.net_usd_month,
            "interval": now.ledger.interval,
            "net_usd_month_before": None if before is None else before.ledger.net_usd_month,
            "savings_usd_month": now.ledger.savings_usd_month,
        },
        "reviewing": asdict(report.reviewing),
        "unseen": list(report.unseen),
        "next": list(report.next),
    }


def _alarm_document(alarm: Alarm) -> dict[str, Any]:
    return {
        "tier": alarm.tier,
        "segment": alarm.segment.as_dict(),
        "signal": alarm.signal,
        "monitor": alarm.monitor,
        "cause": alarm.cause,
        "detected_at": rfc3339(alarm.detected_at),
        "onset": None if alarm.onset is None else rfc3339(alarm.onset),
        "loss": alarm.latest_loss if alarm.latest_loss is not None else alarm.loss,
        "interval": alarm.latest_interval if alarm.latest_interval is not None else alarm.interval,
    }


def week_lines(report: WeekReport) -> tuple[str, ...]:
    """The lines of the report, without colours."""
    said = words.VERDICTS[report.now.verdict]
    lines = [f"{said.title}. {prose(report.headline, 500)}", week_words(report), ""]
    lines += [f"  {name:<10} {prose(text, 300)}" for name, text in facts(report)]
    if report.qualities:
        lines += ["", f"Quality by {clip(report.signal or '', 60)} (1 is best):"]
        lines += aligned([QUALITY_HEADINGS, *map(quality_cells, report.qualities[:SHOWN_ROWS])], left=(0, 1, 8))
    for title, sentences in sections(report):
        lines += ["", f"{title}:"]
        lines += [f"  - {prose(sentence, 400)}" for sentence in sentences[:SHOWN_LINES]]
        lines += [f"  and {len(sentences) - SHOWN_LINES} more (--json has all)"] if len(sentences) > SHOWN_LINES else []
    return tuple(lines)


def week_words(report: WeekReport) -> str:
    """Which week it is: its first and its last day."""
    start, last = report.week[0], report.week[1] - timedelta(seconds=1)
    return f"{start.day} {start:%B %Y} to {last.day} {last:%B %Y}"


def facts(report: WeekReport) -> tuple[tuple[str, str], ...]:
    """The key figures: a name, and a sentence."""
    now, before = report.now, report.before
    was = "" if before is None else f"; a week ago {words.VERDICTS[before.verdict].title.lower()}"
    rows = [("verdict", f"{words.VERDICTS[now.verdict].title.lower()}{was}")]
    rows += [(clip(one.tier, 10), traffic_words(one)) for one in report.traffic[:SHOWN_LINES]]
    rows.append(("net value", net_words(report)))
    rows.append(("reviews", review_words(report)))
    return tuple(rows)


def traffic_words(one: WeekTraffic) -> str:
    """How many requests a tier answered, and the week before."""
    return (
        f"{figures.plural(one.now, 'request')} ({figures.percent(one.share_now)}); the week before {figures.count(one.before)} "
        f"({figures.percent(one.share_before)})"
    )


def net_words(report: WeekReport) -> str:
    """Net value a month, and what it was."""
    ledger, before = report.now.ledger, report.before
    if ledger.net_usd_month is None:
        saved = (
            ""
            if ledger.savings_usd_month is None
            else f"; saved {figures.usd(ledger.savings_usd_month)} a month before what quality costs"
        )
        return f"not known{saved}"
    interval = "" if ledger.interval is None else f" ({figures.usd_interval(ledger.interval)})"
    was = (
        ""
        if before is None or before.ledger.net_usd_month is None
        else f"; a week ago {figures.usd(before.ledger.net_usd_month, plus=True)}"
    )
    return f"{figures.usd(ledger.net_usd_month, plus=True)} a month{interval}{was}"


def review_words(report: WeekReport) -> str:
    """What people reviewed, and how far they agree."""
    done = report.reviewing
    text = f"{figures.count(done.done)} done; the week before {figures.count(done.done_before)}"
    if done.agreement is not None:
        text += f"; reviewers agree with alpha {done.agreement:.2f}"
        if done.agreement_interval is not None:
            text += f" ({done.agreement_interval[0]:.2f} to {done.agreement_interval[1]:.2f})"
    if done.waiting is not None:
        text += f"; {figures.count(done.waiting)} wait"
    return text


def quality_cells(one: WeekQuality) -> tuple[str, ...]:
    """A row under `QUALITY_HEADINGS`."""
    return (
        clip(one.tier, NAME_COLUMNS),
        "all" if one.segment.is_whole else segment_name(one.segment, NAME_COLUMNS),
        *_estimate(one.now),
        *_estimate(one.before),
        TRENDS[one.trend],
    )


def _estimate(estimate: SignalEstimate) -> tuple[str, str, str]:
    return figures.percent(estimate.mean), figures.percent_interval(estimate.interval), figures.count(estimate.n)


def sections(report: WeekReport) -> tuple[tuple[str, list[str]], ...]:
    """The lists of the report: a title, and sentences. Empty lists are left out, but for alarms: that there are none must be read."""
    alarms = [f"new: {alarm_words(alarm)}" for alarm in report.opened]
    alarms += [f"still open: {alarm_words(alarm)}" for alarm in report.still_open]
    alarms += [f"over: {alarm_words(alarm)}" for alarm in report.closed]
    found = [
        ("Alarms", alarms or ["none is open, and none was raised this week"]),
        ("Warnings of the week", [alarm_words(warning) for warning in report.warnings]),
        ("What was done", [action_words(entry) for entry in report.actions]),
        ("What cannot be seen", list(report.unseen)),
        ("What to do next", list(report.next)),
    ]
    return tuple((title, sentences) for title, sentences in found if sentences)


def alarm_words(alarm: Alarm) -> str:
    """An alarm or warning in a sentence."""
    where = (
        clip(alarm.tier, NAME_COLUMNS)
        if alarm.segment.is_whole
        else f"{clip(alarm.tier, NAME_COLUMNS)} in {segment_name(alarm.segment)}"
    )
    if alarm.kind == "drift":
        return f"{where}: {words.monitor_words(alarm.monitor)} drifts, seen on {figures.moment(alarm.detected_at)}"
    loss = alarm.latest_loss if alarm.latest_loss is not None else alarm.loss
    interval = alarm.latest_interval if alarm.latest_interval is not None else alarm.interval
    size = "" if loss is None else f", {figures.points(loss)} ({figures.points_interval(interval)})"
    onset = "" if alarm.onset is None else f", since about {figures.moment(alarm.onset)}"
    return f"{where}: worse by {clip(alarm.signal, 40)}{size}{onset}; seen on {figures.moment(alarm.detected_at)}; cause: {alarm.cause}"


def action_words(entry: TrailEntry) -> str:
    """A line of the guard's trail in a sentence."""
    where = entry.segment or "all requests"
    state = STATUSES[entry.status]
    return f"{entry.at[:10]}, {where}: {ACTIONS[entry.kind]}{f' ({state})' if state else ''} by {entry.who}{f': {entry.why}' if entry.why else ''}"
