"""Between rows of the engine and single decisions."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from undertow.adapters.duckdb.decision_rows import conditions_of, day_of, files_near, record_of, row_of
from undertow.adapters.duckdb.inputs import LogFile
from undertow.errors import LogError
from undertow.records.exploring import UNSERVED, DecisionFilter
from undertow.records.segment import WHOLE


def file(day=None):
    return LogFile("x", "decisions", "parquet", 1, (("date", day),) if day else ())


def test_files_of_the_days_and_of_their_neighbours_may_hold_something():
    known = [file(f"2026-03-{day:02}") for day in range(1, 11)]
    unknown = [file(), file("soon")]
    near = files_near([*known, *unknown], date(2026, 3, 5), date(2026, 3, 6))
    assert near == (*known[3:7], *unknown)
    assert files_near(known, date(2026, 3, 9), None) == tuple(known[7:])
    assert day_of(known[0]) == date(2026, 3, 1)


def test_nothing_asked_is_no_condition():
    assert conditions_of(DecisionFilter(segment=WHOLE)) == ([], [])
    assert conditions_of(DecisionFilter(tier=UNSERVED)) == (["tier IS NULL"], [])
    assert conditions_of(DecisionFilter(tier="x'y")) == (["tier = ?"], ["x'y"])


def test_records_are_those_of_the_log():
    row = {
        "decision_id": "d",
        "event_time": "2026-03-01T12:00:00.000Z",
        "tier": None,
        "calls": [{"model": "m", "tier": None, "cost_usd": 0.1}, None],
    }
    found = record_of(msgspec.json.encode(row).decode())
    assert (found.tier, found.calls[0].tier, found.calls[0].cost_usd, len(found.calls)) == (None, "", 0.1, 1)
    with pytest.raises(LogError, match="not as the log's format has it"):
        record_of('{"decision_id": 1, "event_time": "x"}')


def test_a_row_without_labels_has_none():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    values = (
        "d",
        at.replace(tzinfo=None),
        "cheap",
        None,
        None,
        None,
        None,
        "confident",
        0.5,
        None,
        None,
        None,
        "ok",
        "c1",
        "what",
    )
    row = row_of(values)
    assert (row.segment, row.event_time, row.excerpt, row.reason) == ({}, at + timedelta(0), "what", "confident")
