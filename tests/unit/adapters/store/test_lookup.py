"""One record by its id from segments that are JSON lines."""

import os
from pathlib import Path

import pytest

from undertow.adapters.store import lookup
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.lookup import find_record
from unit.adapters.store.rows import NOON, decision_id, plan, record


def test_records_are_found_in_open_and_sealed_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = StoreDecisionLog(plan(tmp_path, segment_bytes=4_000), "w0")
    for number in range(20):
        log.finish(record(number, reason="confident"))
    for block in (50, 1 << 20):
        monkeypatch.setattr(lookup, "BLOCK", block)
        for number in range(20):
            assert find_record(tmp_path, decision_id(number)) == (log.recent(decision_id(number)) or b"").rstrip(b"\n")
        assert find_record(tmp_path, decision_id(99)) is None
    log.close()


def test_an_id_quoted_in_another_record_is_not_found(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1, response=f'"decision_id":"{decision_id(2)}"', segment={"decision_id": decision_id(2)}))
    assert find_record(tmp_path, decision_id(2)) is None
    log.close()


@pytest.mark.parametrize("text", ["", "x" * 32, "../" * 10, "A" * 32, decision_id(1)[:-1]])
def test_what_is_no_id_is_not_found(tmp_path: Path, text: str):
    assert find_record(tmp_path, text) is None


def test_a_line_still_being_written_is_not_found(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1))
    (path,) = (tmp_path / "decisions" / "open").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert find_record(tmp_path, decision_id(1)) is None
    log.close()


def test_a_segment_older_than_the_request_is_not_searched(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1))
    log.close()
    (path,) = (tmp_path / "decisions" / "open").iterdir()
    os.utime(path, (NOON / 1000 - 120,) * 2)
    assert find_record(tmp_path, decision_id(1)) is None
    os.utime(path, (NOON / 1000 + 1,) * 2)
    assert find_record(tmp_path, decision_id(1)) is not None
