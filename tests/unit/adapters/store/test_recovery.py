"""Recovery: each begun decision has one record, whole lines stay, and the living are left alone."""

import json
import threading
from pathlib import Path

import pytest

from undertow.adapters.store import recovery
from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.layout import OPEN
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.recovery import Recovered, recover
from undertow.adapters.store.signal_log import StoreSignalLog
from unit.adapters.store.rows import decision_id, ids_of, intent, names, plan, record, rows_of, signal

NOW = "2026-03-01T13:00:00.000Z"


def die(log: StoreDecisionLog) -> None:
    """What the kernel does when a process is killed: every file is closed, and with it every lock is free."""
    for file in (log._intents, log._records._file, *log._outlived, *log._records._retired):
        if file is not None:
            file.close()


def open_segment(root: Path, part: str = "decisions") -> Path:
    (path,) = (root / part / "open").glob(f"*{OPEN}")
    return path


def test_an_orphan_becomes_a_record(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    for number in (1, 2):
        log.begin(intent(number))
    log.finish(record(1))
    die(log)
    assert recover(tmp_path, NOW) == Recovered(orphans=1, torn=0, segments=2)
    assert ids_of(tmp_path) == {decision_id(1): 1, decision_id(2): 1}
    (orphan,) = (row for row in rows_of(tmp_path) if row["decision_id"] == decision_id(2))
    assert (orphan["status"], orphan["reason"], orphan["user_id"]) == ("error", "process_died", "u2")
    assert names(tmp_path, "decisions/open") == [".jsonl", ".jsonl"]
    assert names(tmp_path, "intents") == []
    assert recover(tmp_path, NOW) == Recovered()
    notes = (tmp_path / "state" / "recoveries.jsonl").read_text().splitlines()
    assert [json.loads(note) for note in notes] == [{"at": NOW, "orphans": 1, "torn": 0, "segments": 2}]


def test_the_living_are_left_alone(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    assert recover(tmp_path, NOW) == Recovered()
    log.finish(record(1))
    assert recover(tmp_path, NOW) == Recovered()
    log.close()
    assert recover(tmp_path, NOW) == Recovered()
    assert ids_of(tmp_path) == {decision_id(1): 1}


@pytest.mark.parametrize("cut", [1, 10, 70])
def test_a_torn_tail_is_cut_and_kept(tmp_path: Path, cut: int):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    log.begin(intent(2))
    log.finish(record(1))
    log.finish(record(2))
    die(log)
    path = open_segment(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    found = recover(tmp_path, NOW)
    assert ids_of(tmp_path) == {decision_id(1): 1, decision_id(2): 1}
    if cut == 1:
        # Only the newline was missing: the record is whole.
        assert found == Recovered(orphans=0, torn=0, segments=1)
        return
    assert found == Recovered(orphans=1, torn=1, segments=2)
    (torn,) = (tmp_path / "state" / "torn").iterdir()
    assert torn.read_bytes() == whole.splitlines(keepends=True)[1][:-cut]


def test_a_torn_intent_never_reached_an_upstream(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    log.begin(intent(2))
    die(log)
    (path,) = (tmp_path / "intents").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert recover(tmp_path, NOW) == Recovered(orphans=1, torn=1, segments=1)
    assert ids_of(tmp_path) == {decision_id(1): 1}


def test_an_empty_life_leaves_nothing(tmp_path: Path):
    die(StoreDecisionLog(plan(tmp_path), "w0"))
    assert recover(tmp_path, NOW) == Recovered()
    assert names(tmp_path, "decisions/open") + names(tmp_path, "intents") == []


def test_death_between_two_pairs_counts_each_decision_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The new pair is open with the carried intents, and the old intents file is still there."""

    def dead(log: StoreDecisionLog) -> None:
        raise KeyboardInterrupt

    log = StoreDecisionLog(plan(tmp_path, segment_bytes=1), "w0")
    log.begin(intent(1))
    log.begin(intent(2))
    with monkeypatch.context() as patched:
        patched.setattr(StoreDecisionLog, "_drop_outlived", dead)
        with pytest.raises(KeyboardInterrupt):
            log.finish(record(1))
    die(log)
    assert len(names(tmp_path, "intents")) == 2
    assert recover(tmp_path, NOW).orphans == 1
    assert ids_of(tmp_path) == {decision_id(1): 1, decision_id(2): 1}


@pytest.mark.parametrize("step", ["append", "sync", "rename", "unlink"])
def test_a_recovery_that_is_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    for number in range(5):
        log.begin(intent(number))
    log.finish(record(0))
    die(log)
    calls = []
    target = Path if step == "unlink" else AppendFile
    real = getattr(target, step)

    def dies_at_the_second(self: object, *rest: object, **options: object) -> object:
        if isinstance(self, Path) and self.suffix != ".intents":
            return real(self, *rest, **options)
        calls.append(step)
        if len(calls) == (2 if step == "append" else 1):
            raise KeyboardInterrupt
        return real(self, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(target, step, dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            recover(tmp_path, NOW)
    recover(tmp_path, NOW)
    assert ids_of(tmp_path) == {decision_id(number): 1 for number in range(5)}
    assert names(tmp_path, "intents") == []
    assert set(names(tmp_path, "decisions/open")) == {".jsonl"}


def test_a_segment_that_a_living_writer_gave_up_is_sealed(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    log.finish(record(2))
    file = log._records._file
    assert file is not None
    file.close()
    assert recover(tmp_path, NOW) == Recovered(orphans=0, torn=0, segments=1)
    assert names(tmp_path, "intents") == [".intents"]
    die(log)


def test_signals_of_the_dead_are_sealed(tmp_path: Path):
    log = StoreSignalLog(plan(tmp_path), "w0")
    log.add((signal(1),))
    assert recover(tmp_path, NOW) == Recovered()
    file = log._segments._file
    assert file is not None
    file.close()
    path = open_segment(tmp_path, "signals")
    path.write_bytes(path.read_bytes() + b'{"signal_id":"s2","va')
    assert recover(tmp_path, NOW) == Recovered(orphans=0, torn=1, segments=1)
    assert [row["signal_id"] for row in rows_of(tmp_path, "signals")] == ["s1"]
    log._ids.close()


def test_a_very_long_torn_line_is_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recovery, "TAIL_STEP", 7)
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1))
    die(log)
    path = open_segment(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"decision_id":"' + b"x" * 500)
    assert recover(tmp_path, NOW).torn == 1
    assert ids_of(tmp_path) == {decision_id(1): 1}


def test_two_at_once_wait_for_each_other(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.begin(intent(1))
    die(log)
    (tmp_path / "state").mkdir()
    found: list[Recovered] = []
    others = [threading.Thread(target=lambda: found.append(recover(tmp_path, NOW))) for _ in range(2)]
    with recovery._alone(tmp_path / "state" / "recovery.lock"):
        for other in others:
            other.start()
        others[0].join(0.05)
        assert found == []
    for other in others:
        other.join()
    assert sorted(one.orphans for one in found) == [0, 1]
    assert ids_of(tmp_path) == {decision_id(1): 1}
