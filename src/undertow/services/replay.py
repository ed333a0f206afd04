"""Had it been watched with other settings, when would it have been known? Time lines of audits, and which settings a log can answer for."""

from collections.abc import Mapping
from datetime import datetime

from undertow.records.replayed import Happening, Moment, Rerouted, SettingChange, TimeLine
from undertow.records.report import Alarm, AuditReport

REPLAYED = (
    "monitors.", "outcomes.", "review.usd_each", "review.per_day", "policy.threshold", "constraints.never_cheap", "tiers.",
)  # fmt: skip
"""Settings, or beginnings of their names, that a replay follows."""

WITHOUT_EFFECT = (
    "gateway.", "upstream.", "telemetry.", "keys.", "alerts.", "passthrough.", "retention.", "store.", "implicit.", "sources.", "guard.", "rollout.",
)  # fmt: skip
"""Settings that change nothing in what is measured, so they are not shown."""

WHY_NOT: Mapping[str, str] = {
    "review.": "labels that were not asked for cannot be had afterwards; `undertow plan` says what they would have shown",
    "shadow.": "second answers that were not asked for cannot be had afterwards",
    "judge.": "verdicts that were not asked for cannot be had afterwards; `undertow judge run` judges pairs anew",
    "holdout.": "who is held out cannot be drawn anew; `undertow plan` says what a holdout would show",
    "policy.": "other answers than the log holds would have to be asked for; `undertow suite run` asks a candidate for them",
    "policies.": "other answers than the log holds would have to be asked for; `undertow suite run` asks a candidate for them",
    "constraints.": "what a cheaper tier would have answered is not known",
}
"""Why the log cannot answer, by the beginning of a setting's name."""


def time_line(name: str, report: AuditReport) -> TimeLine:
    """What was known when, read off an audit: every alarm and warning stands there with the time at which the evidence first sufficed.

    Args:
        name: What to call it.
        report: An audit of a whole log. Its alarms say what was known at their time, never what came later.
    """
    moments = [*_moments("alarm", report.alarms), *_moments("warning", report.warnings)]
    first = next((alarm for alarm in report.alarms if alarm.cause == "routing"), None)
    if first is not None and first.onset is not None:
        moments.append(
            Moment(first.onset, "onset", place_of(first), "estimated beginning of what the first alarm is about")
        )
    capable = report.tiers[-1].tier if report.tiers else ""
    return TimeLine(
        name,
        tuple(sorted(moments, key=lambda moment: (moment.at, moment.what, moment.place))),
        report.verdict,
        None if first is None else first.detected_at,
        None if first is None else first.onset,
        report.ledger.net_usd_month,
        report.ledger.interval,
        sum(tier.share for tier in report.tiers if tier.tier != capable),
    )


def _moments(what: Happening, alarms: tuple[Alarm, ...]) -> list[Moment]:
    return [Moment(alarm.detected_at, what, place_of(alarm), _text(alarm)) for alarm in alarms]


def place_of(alarm: Alarm) -> str:
    """Tier and segment of an alarm, and the signal that shows it."""
    where = "" if alarm.segment.is_whole else f" {alarm.segment}"
    return f"{alarm.tier}{where}, {alarm.signal}"


def _text(alarm: Alarm) -> str:
    if alarm.kind == "drift":
        return f"{alarm.monitor} drifts"
    against = "the reference" if alarm.kind == "level" else "its own past"
    loss = "" if alarm.loss is None else f" by {100.0 * alarm.loss:.1f} points"
    return f"worse than {against}{loss}, cause: {alarm.cause}"


def setting_changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[SettingChange, ...]:
    """What differs between two sets of settings that has to do with what is measured.

    Args:
        before: Dotted name -> value.
        after: Likewise.

    Examples:
        >>> [one] = setting_changes({"monitors.margin": 0.02, "gateway.workers": 1}, {"monitors.margin": 0.01, "gateway.workers": 2})
        >>> one.name, one.before, one.after, one.is_replayed
        ('monitors.margin', '0.02', '0.01', True)
        >>> setting_changes({"holdout.share": 0.05}, {"holdout.share": 0.1})[0].is_replayed
        False
    """
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new or name.startswith(WITHOUT_EFFECT):
            continue
        why = _why_not(name, old, new)
        changes.append(SettingChange(name, _written(old), _written(new), not why, why))
    return tuple(changes)


def _why_not(name: str, old: object, new: object) -> str:
    if name == "review.per_day" and isinstance(old, int) and isinstance(new, int) and new > old:
        return WHY_NOT["review."]
    if name == "constraints.never_cheap":
        is_less = isinstance(old, tuple) and isinstance(new, tuple) and not set(old) <= set(new)
        return WHY_NOT["constraints."] if is_less else ""
    if name.startswith(REPLAYED):
        return ""
    return next(
        (why for start, why in WHY_NOT.items() if name.startswith(start)), "the replay does not follow this setting"
    )


def _written(value: object) -> str:
    return "unset" if value is None else str(value)


def replay_notes(rerouted: Rerouted | None, would_be: TimeLine) -> tuple[str, ...]:
    """What the reader must know to read the second time line rightly."""
    notes = []
    if rerouted is not None and not (rerouted.moved_up or rerouted.moved_down or rerouted.reviews_left_out):
        notes.append(
            "no decision of this log would have been another one; a threshold moves only those whose logged confidence was compared with it"
        )
    if rerouted is not None and rerouted.moved_down:
        notes.append(
            f"{rerouted.moved_down:,} requests would have been answered by a cheaper tier whose answer nobody labelled: the second time line "
            "says nothing of their quality, so it may look better than it would have been"
        )
    if rerouted is not None and (rerouted.moved_up or rerouted.moved_down):
        notes.append(
            "business outcomes are those of what really happened: the downstream cost of the second time line is not that of the other policy"
        )
    if would_be.known_at is None:
        notes.append("no alarm laid to routing is raised under the second settings")
    return tuple(notes)


def sooner_days(was: TimeLine, would_be: TimeLine) -> float | None:
    """How many days sooner it would have been known; negative: later; None: one of the two never says so."""
    if was.known_at is None or would_be.known_at is None:
        return None
    return _days(was.known_at, would_be.known_at)


def _days(later: datetime, sooner: datetime) -> float:
    return (later - sooner).total_seconds() / 86_400.0
