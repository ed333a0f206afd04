import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from undertow.adapters.duckdb.pseudonyms import pseudonymous_copies
from undertow.bootstrap.audit import AuditRequest, read_cells
from undertow.records.pseudonym import pseudonym

KEY = b"k"


@pytest.mark.parametrize("packed", [False, True])
def test_ids_of_lines_change_and_nothing_else_does(tmp_path, packed):
    lines = b'{"user_id": "u", "value": 1.50, "decision_id": "d"}\nnot json\n{"user_id": 7}\n{"user_id": null}\n[1]\n'
    path = tmp_path / ("t.jsonl.gz" if packed else "t.jsonl")
    path.write_bytes(gzip.compress(lines) if packed else lines)
    (copy,) = pseudonymous_copies(str(path), tmp_path / "copies", KEY)
    first, second, third, fourth, fifth = Path(copy).read_bytes().splitlines()
    assert json.loads(first) == {"user_id": pseudonym("u", KEY), "value": 1.5, "decision_id": "d"}
    assert second == b"not json"
    assert json.loads(third) == {"user_id": pseudonym("7", KEY)}
    assert json.loads(fourth) == {"user_id": None}
    assert fifth == b"[1]"


def test_ids_of_parquet_change_and_nothing_else_does(tmp_path):
    path = tmp_path / "t.parquet"
    duckdb.execute(
        f"COPY (SELECT 'u' AS user_id, NULL::VARCHAR AS conversation_id, 1.5 AS value) TO '{path}' (FORMAT parquet)"
    )
    (copy,) = pseudonymous_copies(str(path), tmp_path / "copies", KEY)
    assert duckdb.execute(f"SELECT * FROM '{copy}'").fetchall() == [(pseudonym("u", KEY), None, 1.5)]


def test_a_damaged_file_is_left_for_the_reader_to_find(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 nonsense PAR1")
    (copy,) = pseudonymous_copies(str(path), tmp_path / "copies", KEY)
    assert Path(copy).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("key", "joined"), [(KEY, 1), (None, 0)])
def test_outcomes_of_other_systems_meet_a_log_that_was_written_under_the_key(tmp_path, key, joined):
    (tmp_path / "store" / "decisions").mkdir(parents=True)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        {"decision_id": f"d{i}", "event_time": at.isoformat(), "tier": "cheap", "user_id": pseudonym(f"user-{i}", KEY)}
        for i in range(3)
    ]
    (tmp_path / "store" / "decisions" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = {"event_time": "2026-03-02T00:00:00Z", "user_id": "user-1", "name": "ticket", "value": 1}
    (tmp_path / "tickets.jsonl").write_text(json.dumps(outcome) + "\n")
    request = AuditRequest((str(tmp_path / "store"),), outcomes=(str(tmp_path / "tickets.jsonl"),), id_key=key)
    assert read_cells(request).coverage.joined == joined
