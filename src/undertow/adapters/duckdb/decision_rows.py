"""Between rows of the engine and single decisions: conditions, days of files, records."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from undertow.adapters.duckdb.inputs import LogFile
from undertow.errors import LogError
from undertow.records.columns import LOG_COLUMNS
from undertow.records.decision import DecisionRecord
from undertow.records.exploring import UNSERVED, Cursor, DecisionFilter, DecisionRow

ROW = (
    "decision_id", "event_time", "tier", "first_tier", "escalated", "segment", "arm", "reason", "confidence", "threshold", "cost_usd", "latency_ms",
    "status", "conversation_id",
)  # fmt: skip
"""Columns of a row in a list."""


def conditions_of(wanted: DecisionFilter) -> tuple[list[str], list[object]]:
    """Conditions on a decision, with the values of their parameters, in order."""
    tests, values = [], []
    if wanted.tier == UNSERVED:
        tests.append("tier IS NULL")
    for name, value in (("tier", "" if wanted.tier == UNSERVED else wanted.tier), ("arm", wanted.arm), ("reason", wanted.reason)):  # fmt: skip
        if value:
            tests.append(f"{name} = ?")
            values.append(value)
    if wanted.segment is not None and not wanted.segment.is_whole:
        tests.append("list_contains(map_extract(segment, ?), ?)")
        values += [wanted.segment.key, wanted.segment.value]

    def named(table: str) -> str:
        by_conversation = (
            f"(conversation_id IS NOT NULL AND conversation_id IN (SELECT conversation_id FROM {table}_c))"
        )
        return f"(decision_id IN (SELECT decision_id FROM {table}_d) OR {by_conversation})"

    said = {"failed": [named("failing")], "ok": [named("judged"), f"NOT {named('failing')}"], "none": [f"NOT {named('judged')}"]}  # fmt: skip
    return tests + said.get(wanted.label, []), values


def columns_of(names: Sequence[str], of: Sequence[Any] = LOG_COLUMNS) -> list[Any]:
    """The columns of these names, in the order of the contract."""
    return [column for column in of if column.name in names]


def day_of(file: LogFile) -> date | None:
    """The day that a file's folder names (UTC), or None: it may hold any."""
    text = dict(file.hive).get("date", "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def files_near(files: Sequence[LogFile], begin: date | None, end: date | None) -> tuple[LogFile, ...]:
    """Files that may hold something of these days; a day more on both sides, for folders that are named by another zone's days."""
    day = timedelta(days=1)
    return tuple(
        file
        for file in files
        for at in [day_of(file)]
        if at is None or ((begin is None or at >= begin - day) and (end is None or at <= end + day))
    )


def record_of(text: str) -> DecisionRecord:
    """A record from its row as JSON.

    Raises:
        LogError: It is none.
    """
    known = {name: value for name, value in msgspec.json.decode(text).items() if value is not None}
    calls = [
        {name: value for name, value in call.items() if value is not None} for call in known.get("calls", ()) if call
    ]
    if calls:
        known["calls"] = [{"tier": "", **call} for call in calls]
    try:
        return msgspec.convert(known, DecisionRecord)
    except msgspec.ValidationError as error:
        raise LogError(f"this decision's record is not as the log's format has it ({error})") from error


def row_of(found: tuple[Any, ...]) -> DecisionRow:
    """A decision in a list, from the columns of `ROW` and the excerpt."""
    values: dict[str, Any] = dict(zip(ROW, found, strict=False))
    values.pop("conversation_id")
    at = aware(values["event_time"])
    assert at is not None
    segment = {str(key): str(value) for key, value in (values["segment"] or {}).items()}
    values |= {"event_time": at, "segment": segment, "excerpt": found[-1]}
    return DecisionRow(**values)


def cursor_after(rows: Sequence[DecisionRow]) -> Cursor:
    """Where a page of these rows ends."""
    return Cursor(rows[-1].event_time, rows[-1].decision_id)


def start_of(day: date) -> datetime:
    """When a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def naive(moment: datetime) -> datetime:
    """A moment as the engine takes it: UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime | None) -> datetime | None:
    """A moment as the engine gives it, aware."""
    return None if moment is None else moment.replace(tzinfo=UTC)
