"""Rows as they lie in files of several kinds, typed; what is of another type is null."""

import json
from datetime import UTC, datetime

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogFile
from undertow.adapters.duckdb.row_views import MAX_LINE_BYTES, rows_sql
from undertow.records.columns import LOG_COLUMNS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).replace(tzinfo=None)
WANTED = [
    each for each in LOG_COLUMNS if each.name in {"decision_id", "event_time", "segment", "cost_usd", "escalated"}
]


def read(*files):
    engine = open_engine("256MB", 1, None)
    try:
        source = rows_sql(engine, files, WANTED)
        return engine.execute(
            f"SELECT decision_id, event_time, segment, escalated, cost_usd FROM {source} ORDER BY 1"
        ).fetchall()
    finally:
        engine.close()


def test_json_lines_with_values_of_other_types(tmp_path):
    path = tmp_path / "a[1].jsonl"
    lines = [
        {
            "decision_id": "a",
            "event_time": "2026-03-01T12:00:00Z",
            "segment": {"k": "v"},
            "cost_usd": 0.5,
            "escalated": True,
        },
        {"decision_id": "b", "event_time": "2026-03-01T14:00:00+02:00", "cost_usd": None},
        {"decision_id": "c", "event_time": "soon"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read(LogFile(str(path), "decisions", "jsonl", 1)) == [
        ("a", NOON, {"k": "v"}, True, 0.5), ("b", NOON, None, None, None), ("c", None, None, None, None),
    ]  # fmt: skip


def test_lines_that_are_none_or_too_long_cost_no_other(tmp_path):
    long = json.dumps({"decision_id": "long", "prompt": "x" * (MAX_LINE_BYTES + 10)})
    files = []
    for number in range(12):
        path = tmp_path / f"{number}.jsonl"
        good = [json.dumps({"decision_id": f"{number:02}-{at}", "segment": 5, "cost_usd": "much"}) for at in range(2)]
        broken = ["[1]", "5", "{", "", "\x00", long if number == 7 else "{}"]
        path.write_text("\n".join([good[0], *broken, good[1], '{"decision_id": "torn']), encoding="utf-8")
        files.append(LogFile(str(path), "decisions", "jsonl", 1))
    found = [row for row in read(*files) if row[0] is not None]
    assert [row[0] for row in found] == [f"{number:02}-{at}" for number in range(12) for at in range(2)]
    assert {row[1:] for row in found} == {(None, None, None, None)}


def test_parquet_with_text_for_times_and_json_for_maps(tmp_path):
    path = tmp_path / "b.parquet"
    duckdb.sql(
        f"COPY (SELECT 'a' AS decision_id, '2026-03-01 12:00:00' AS event_time, '{{\"k\": \"v\"}}' AS segment, 'much' AS cost_usd) TO '{path}'"
    )
    assert read(LogFile(str(path), "decisions", "parquet", 1)) == [("a", NOON, {"k": "v"}, None, None)]


def test_no_file_is_no_source():
    engine = open_engine("256MB", 1, None)
    assert rows_sql(engine, (), WANTED) is None
    engine.close()
