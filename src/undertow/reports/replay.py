"""A replay for people and for programs: both time lines side by side, and JSON (undertow.replay/1)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from undertow.records.moment import rfc3339
from undertow.records.replayed import Moment, Replay, SettingChange, TimeLine
from undertow.reports import figures
from undertow.reports.aligned import aligned
from undertow.reports.names import prose
from undertow.services.replay import sooner_days

SCHEMA = "undertow.replay/1"
SHOWN_MOMENTS = 40
MARKS = {"onset": "began", "alarm": "ALARM", "warning": "warning"}


def replay_document(replay: Replay) -> dict[str, Any]:
    """The document, as built-in values; absent is null."""
    return {
        "schema": SCHEMA,
        "headline": headline(replay),
        "sooner_days": sooner_days(replay.was, replay.would_be),
        "changes": [asdict(change) for change in replay.changes],
        "was": _line_document(replay.was),
        "would_be": _line_document(replay.would_be),
        "rerouted": None if replay.rerouted is None else asdict(replay.rerouted),
        "notes": list(replay.notes),
    }


def _line_document(line: TimeLine) -> dict[str, Any]:
    return {
        **asdict(line),
        "moments": [{**asdict(moment), "at": _text(moment.at)} for moment in line.moments],
        "known_at": _text(line.known_at),
        "onset": _text(line.onset),
        "days_to_know": line.days_to_know,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def headline(replay: Replay) -> str:
    """One sentence: when it was known, and when it would have been."""
    was, would_be = replay.was, replay.would_be
    if was.known_at is None and would_be.known_at is None:
        return "Neither of the two settings shows a loss that routing caused."
    if would_be.known_at is None:
        return f"It was known on {_day(was.known_at)}; under the other settings it would not have been known."
    if was.known_at is None:
        return f"It was not known; under the other settings it would have been on {_day(would_be.known_at)}."
    days = sooner_days(was, would_be) or 0.0
    if abs(days) < 0.5:
        return f"It would have been known on the same day, {_day(was.known_at)}."
    how = f"{figures.plural(round(abs(days)), 'day')} {'sooner' if days > 0 else 'later'}"
    return f"It would have been known on {_day(would_be.known_at)}, {how} than {_day(was.known_at)}."


def replay_lines(replay: Replay) -> tuple[str, ...]:
    """The lines of the report, without colours."""
    lines = [headline(replay), "", "What differs:"]
    lines += [f"  {_change(change)}" for change in replay.changes]
    lines += ["", *_side_by_side(replay), ""]
    rows = [("", replay.was.name, replay.would_be.name)]
    rows += [(name, read(replay.was), read(replay.would_be)) for name, read in _SUMMARY]
    lines += aligned(rows, left=(0, 1, 2))
    moved = replay.rerouted
    if moved is not None:
        went = f"{moved.moved_up:,} would have gone to the capable tier and {moved.moved_down:,} to a cheaper one"
        lost = f"{figures.plural(moved.labels_lost, 'label')} say nothing any more, {moved.reviews_left_out:,} reviews are left out"
        lines += ["", f"Of {figures.plural(moved.decisions, 'decision')}, {went}; {lost}."]
    lines += [f"  note  {prose(note, 400)}" for note in replay.notes]
    return tuple(lines)


_SUMMARY = (
    ("verdict at the end", lambda line: line.verdict.replace("_", " ")),
    ("known on", lambda line: _day(line.known_at)),
    ("days from the onset", lambda line: "–" if line.days_to_know is None else f"{line.days_to_know:.0f}"),
    ("answered by cheaper tiers", lambda line: figures.percent(line.cheap_share)),
    ("net value a month", lambda line: figures.usd(line.net_usd_month)),
)


def _change(change: SettingChange) -> str:
    text = f"{prose(change.name, 80)}: {prose(change.before, 80)} -> {prose(change.after, 80)}"
    return text if change.is_replayed else f"{text}  (not replayed: {prose(change.why, 200)})"


def _side_by_side(replay: Replay) -> list[str]:
    """One row a day on which something happened on either line."""
    days: dict[str, tuple[list[Moment], list[Moment]]] = {}
    for place, line in enumerate((replay.was, replay.would_be)):
        for moment in line.moments:
            days.setdefault(_day(moment.at), ([], []))[place].append(moment)
    rows = [("day", replay.was.name, replay.would_be.name)]
    for day in sorted(days):
        left, right = days[day]
        rows += [(day if i == 0 else "", _cell(left, i), _cell(right, i)) for i in range(max(len(left), len(right)))]
    if len(rows) == 1:
        return ["Nothing was seen on either line."]
    hidden = len(rows) - 1 - SHOWN_MOMENTS
    return [
        *aligned(rows[: SHOWN_MOMENTS + 1], left=(0, 1, 2)),
        *([f"  and {hidden} more rows (--json has all)"] if hidden > 0 else []),
    ]


def _cell(moments: list[Moment], place: int) -> str:
    if place >= len(moments):
        return ""
    moment = moments[place]
    return f"{MARKS[moment.what]}: {prose(moment.place, 48)}"


def _day(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d}"
