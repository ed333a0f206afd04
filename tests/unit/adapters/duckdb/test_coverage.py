"""The file of rejects."""

import json
from pathlib import Path

import pytest

from undertow.errors import LogError
from unit.adapters.duckdb.logs import decision, read, signal, write_jsonl, write_parquet


def test_rejects_say_where_and_why_and_hold_no_text(tmp_path: Path) -> None:
    rows = [
        decision(1),
        decision(2, cost_usd=-1, prompt="secret words"),
        decision(3, event_time=None, response="secret words"),
    ]
    write_parquet(tmp_path / "decisions" / "d.parquet", rows)
    lines = write_jsonl(tmp_path / "decisions" / "e.jsonl", [decision(4)])
    lines.write_bytes(lines.read_bytes() + b'{"prompt": "secret words"\n' + b"\xff\n")
    write_jsonl(tmp_path / "signals" / "s.jsonl", [signal(1, value=7)])
    coverage = read(tmp_path, rejects_dir=tmp_path / "out").coverage
    assert coverage.rejects_file == str(tmp_path / "out" / "rejects.jsonl")
    text = Path(coverage.rejects_file).read_text()
    assert "secret" not in text
    found = [json.loads(line) for line in text.splitlines()]
    key = [
        (row["table"], Path(row["file"]).name, row["row"], row["id"], tuple(row["reasons"]), row["set_aside"])
        for row in found
    ]
    assert sorted(key, key=str) == sorted(
        [
            ("lines", "e.jsonl", 2, None, ("bad_json",), True),
            ("lines", "e.jsonl", 3, None, ("not_utf8",), True),
            ("decisions", "d.parquet", 1, "d2", ("negative_cost_usd",), False),
            ("decisions", "d.parquet", 2, "d3", ("missing_event_time",), True),
            ("signals", "s.jsonl", 1, "s1", ("out_of_range_value",), True),
        ],
        key=str,
    )


def test_no_rejects_no_file(tmp_path: Path) -> None:
    coverage = read(write_jsonl(tmp_path / "d.jsonl", [decision(1)]), rejects_dir=tmp_path / "out").coverage
    assert coverage.rejects_file is None
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(LogError, match="cannot be written"):
        read(write_jsonl(tmp_path / "d.jsonl", [decision(1), decision(2, arm="x")]), rejects_dir=tmp_path / "out")
