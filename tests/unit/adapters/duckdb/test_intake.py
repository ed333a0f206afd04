"""Opening tables: required columns, damaged files, times with and without zones."""

from pathlib import Path

import duckdb
import pytest

from undertow.errors import LogError
from undertow.ports.audit_source import CellOptions
from unit.adapters.duckdb.logs import START, decision, read, signal, write_jsonl, write_parquet


def without(row: dict[str, object], *names: str) -> dict[str, object]:
    return {key: value for key, value in row.items() if key not in names}


def test_a_missing_column_is_named_with_what_may_be_meant(tmp_path: Path) -> None:
    path = str(tmp_path / "x.parquet")
    with duckdb.connect() as engine:
        engine.sql("SELECT 1 AS request_id, now() AS created_at, 'cheap' AS tier").write_parquet(path)
    with pytest.raises(LogError) as raised:
        read(path)
    message = str(raised.value)
    assert "required columns `decision_id`, `event_time` missing" in message
    assert "`request_id` may be `decision_id`" in message
    assert "`created_at` may be `event_time`" in message
    assert "\n" not in message


def test_neither_tier_nor_model(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="required column `tier` missing"):
        read(write_parquet(tmp_path / "x.parquet", [without(decision(1), "tier", "model")]))


REFUSED = {"decision_id": "r1", "event_time": "2026-03-01T04:00:00Z", "status": "refused", "error": "invalid_json"}


def test_decisions_that_nobody_served_count_beside_others(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "a.parquet", [decision(1)])
    refused = write_jsonl(tmp_path / "b.jsonl", [REFUSED])
    coverage = read(good, refused).coverage
    assert (coverage.decisions, coverage.reasons) == (2, {})


def test_a_log_in_which_nobody_served_says_so(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no tier served any of these decisions .* nothing to audit yet"):
        read(write_jsonl(tmp_path / "x.jsonl", [REFUSED]))


def test_files_of_wrong_columns_among_good_ones_are_set_aside(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "a.parquet", [decision(1)])
    bad = write_parquet(tmp_path / "b.parquet", [without(decision(2), "event_time")])
    coverage = read(good, bad).coverage
    assert (coverage.decisions, coverage.reasons) == (1, {"wrong_columns": 1})
    assert any("b.parquet" in note and "`event_time`" in note for note in coverage.notes)


def test_files_of_different_columns_and_types_are_one_log(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [decision(1)])
    write_parquet(tmp_path / "b.parquet", [without(decision(2), "cost_usd", "segment", "arm")])
    with duckdb.connect() as engine:
        engine.sql(
            "SELECT 3 AS decision_id, TIMESTAMPTZ '2026-03-01 05:00:00+02' AS event_time, 'capable' AS tier, "
            "{'intent': 'login', 'n': 7} AS segment, '0.25' AS cost_usd, 12.0 AS input_tokens"
        ).write_parquet(str(tmp_path / "c.parquet"))
    cells = read(tmp_path)
    assert cells.coverage.decisions == 3
    assert cells.coverage.reasons == {}
    assert [str(segment) for segment in cells.segments[1:]] == ["intent=billing", "intent=login", "n=7"]
    assert float(cells.traffic.cost_usd[cells.traffic.segment == 0].sum()) == pytest.approx(0.26)
    assert cells.last_event == START.timestamp() + 3 * 3600


def test_a_file_damaged_in_the_middle_is_set_aside(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "a.parquet", [decision(1)])
    bad = write_parquet(tmp_path / "b.parquet", [decision(i) for i in range(2, 400)])
    content = bytearray(bad.read_bytes())
    content[4:2000] = b"\xff" * 1996
    bad.write_bytes(bytes(content))
    coverage = read(good, bad).coverage
    assert (coverage.decisions, coverage.reasons) == (1, {"unreadable_file": 1})
    assert any("b.parquet" in note for note in coverage.notes)
    with pytest.raises(LogError, match="damaged Parquet file"):
        read(bad)


def test_a_damaged_footer(tmp_path: Path) -> None:
    bad = write_parquet(tmp_path / "b.parquet", [decision(1)])
    content = bytearray(bad.read_bytes())
    content[-60:-8] = b"\xff" * 52
    bad.write_bytes(bytes(content))
    with pytest.raises(LogError, match="damaged Parquet file, set aside; write it again"):
        read(bad)


def test_times_without_zone_are_utc_when_all_are(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1, event_time="2026-03-01 12:00:00")])
    cells = read(log)
    assert cells.first_event == START.timestamp() + 12 * 3600
    assert any("taken as UTC" in note for note in cells.coverage.notes)


def test_mixed_times_are_set_aside_unless_a_zone_is_said(tmp_path: Path) -> None:
    rows = [
        decision(1, event_time="2026-03-01T12:00:00+01:00"),
        decision(2, event_time="2026-03-01T12:00:00"),
        decision(3, event_time="2026-03-01"),
        decision(4, event_time=START.timestamp()),
        decision(5, event_time=int(START.timestamp() * 1e9)),
    ]
    log = write_jsonl(tmp_path / "d.jsonl", rows)
    coverage = read(log).coverage
    assert (coverage.decisions, coverage.rejected) == (3, 2)
    assert coverage.reasons == {"mixed_time_zones": 2}
    cells = read(log, timezone="America/New_York")
    assert (cells.coverage.decisions, cells.coverage.reasons) == (5, {})
    assert cells.last_event == START.timestamp() + 17 * 3600


def test_an_unknown_zone(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="unknown time zone 'Mars/Olympus'"):
        read(write_jsonl(tmp_path / "d.jsonl", [decision(1)]), timezone="Mars/Olympus")


def test_errors_never_quote_a_row(tmp_path: Path) -> None:
    words = "the customer's secret"
    rows = [decision(i, decision_id="", prompt=words, cost_usd=words, segment=words) for i in range(3)]
    with pytest.raises(Exception) as raised:
        read(write_jsonl(tmp_path / "d.jsonl", rows))
    assert words not in str(raised.value)


def test_missing_columns_are_listed(tmp_path: Path) -> None:
    coverage = read(write_parquet(tmp_path / "d.parquet", [decision(1, propensity=None)])).coverage
    assert "propensity" in coverage.missing_columns
    assert "ttft_ms" in coverage.missing_columns
    assert "tier" not in coverage.missing_columns


def test_broken_signals_are_an_error_of_their_own(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    wrong = write_jsonl(tmp_path / "s.jsonl", [without(signal(1), "value", "name")])
    with pytest.raises(LogError, match=r"s.jsonl: required columns `name`, `value` missing"):
        read(log, signals=(str(wrong),), options=CellOptions())
