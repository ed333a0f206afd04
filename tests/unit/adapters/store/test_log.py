"""The decision log: one record a decision, intents that outlive rotations, nothing raised."""

import errno
from pathlib import Path

import pytest

from undertow.adapters.store import append_file
from undertow.adapters.store import log as log_module
from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.recovery import recover
from unit.adapters.store.rows import Clock, decision_id, ids_of, intent, names, plan, record, rows_of


def test_a_decision_is_begun_and_finished(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    assert log.unsettled == 1
    log.finish(record(1))
    log.finish(record(2, status="refused"))
    assert (log.unsettled, log.waiting, log.lost) == (0, 0, 0)
    log.close()
    assert ids_of(tmp_path) == {decision_id(1): 1, decision_id(2): 1}
    assert names(tmp_path, "decisions/open") == [".jsonl"]
    assert names(tmp_path, "intents") == []


def test_an_open_intent_is_carried_over_rotations(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path, segment_bytes=1), "w0")
    log.begin(intent(0))
    for number in range(1, 4):
        log.begin(intent(number))
        log.finish(record(number))
    assert names(tmp_path, "intents") == [".intents"]
    kept = next((tmp_path / "intents").iterdir()).read_bytes()
    assert kept.count(b"\n") == 1
    assert decision_id(0).encode() in kept
    log.close()
    assert names(tmp_path, "intents") == [".intents"]
    assert recover(tmp_path, "2026-03-01T13:00:00.000Z").orphans == 1
    assert set(ids_of(tmp_path).values()) == {1}
    assert len(ids_of(tmp_path)) == 4


def test_a_rotation_by_age_needs_no_request(tmp_path: Path):
    clock = Clock()
    log = StoreDecisionLog(plan(tmp_path, segment_s=300.0), "w0", clock=clock, monotonic=clock)
    log.finish(record(1))
    clock.now += 301
    log.tick()
    assert names(tmp_path, "decisions/open") == [".jsonl", ".jsonl.open"]
    assert names(tmp_path, "intents") == [".intents"]
    log.close()


def test_a_file_in_the_way_raises_nothing_and_nothing_is_lost(tmp_path: Path):
    clock = Clock()
    root = tmp_path / "store"
    root.write_text("not a folder")
    log = StoreDecisionLog(plan(root), "w0", clock=clock, monotonic=clock)
    log.begin(intent(1))
    log.begin(intent(2))
    log.finish(record(1))
    assert (log.waiting, log.unsettled) == (1, 2)
    root.unlink()
    clock.now += 1
    log.tick()
    assert (log.waiting, log.unsettled) == (0, 1)
    log.close()
    recover(root, "2026-03-01T13:00:00.000Z")
    assert ids_of(root) == {decision_id(1): 1, decision_id(2): 1}


def test_intents_that_could_not_be_written_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(fd: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    log = StoreDecisionLog(plan(tmp_path), "w0")
    with monkeypatch.context() as patched:
        patched.setattr(append_file, "_write", full)
        log.begin(intent(1))
        log.begin(intent(2))
    log.finish(record(1))
    log.tick()
    kept = next((tmp_path / "intents").iterdir()).read_bytes()
    assert kept.count(b"\n") == 1
    assert decision_id(2).encode() in kept
    log.close()


def test_a_rotation_that_fails_leaves_the_pair_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = StoreDecisionLog(plan(tmp_path, segment_bytes=1), "w0")
    log.begin(intent(0))
    create = AppendFile.create

    def refuse_segments(path: Path) -> AppendFile:
        if path.parent.name == "open":
            raise OSError(errno.EMFILE, "too many files")
        return create(path)

    with monkeypatch.context() as patched:
        patched.setattr(log_module.AppendFile, "create", refuse_segments)
        log.finish(record(1))
    assert names(tmp_path, "intents") == [".intents"]
    log.finish(record(0))
    log.close()
    assert ids_of(tmp_path) == {decision_id(0): 1, decision_id(1): 1}
    assert names(tmp_path, "intents") == []


def test_an_intents_file_that_stays_keeps_those_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = StoreDecisionLog(plan(tmp_path, segment_bytes=1), "w0")

    def stuck(self: AppendFile) -> None:
        raise OSError(errno.EPERM, "stuck")

    with monkeypatch.context() as patched:
        patched.setattr(AppendFile, "discard", stuck)
        log.finish(record(1))
        log.finish(record(2))
    assert len(names(tmp_path, "intents")) == 3
    log.tick()
    assert len(names(tmp_path, "intents")) == 1
    log.close()


def test_a_store_that_was_deleted_is_made_again(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    next((tmp_path / "intents").iterdir()).unlink()
    log.tick()
    assert decision_id(1).encode() in next((tmp_path / "intents").iterdir()).read_bytes()
    log.close()


def test_recent_records_are_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_module, "RECENT_RECORDS", 2)
    log = StoreDecisionLog(plan(tmp_path), "w0")
    for number in (1, 2, 2, 3):
        log.finish(record(number, reason="confident"))
    assert log.recent(decision_id(1)) is None
    assert b'"reason":"confident"' in (log.recent(decision_id(2)) or b"")
    monkeypatch.setattr(log._recent, "_most_bytes", 10)
    log.finish(record(4))
    assert log.recent(decision_id(4)) is None
    log.close()


def test_half_a_surrogate_pair_is_no_reason_to_fail(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1, segment={"label": "a\ud800b"}))
    log.close()
    assert rows_of(tmp_path)[0]["segment"] == {"label": "a?b"}


def test_a_sync_leaves_nothing_to_do(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    log.finish(record(1))
    assert log.is_dirty
    log.sync()
    assert not log.is_dirty
    assert log.sync_errors == 0
    log.close()
