"""Signals: each id once over processes and restarts, and never a 202 for one that is not kept."""

import errno
from pathlib import Path

import msgspec
import pytest

from undertow.adapters.store import append_file
from undertow.adapters.store.signal_log import StoreSignalLog
from unit.adapters.store.rows import Clock, names, plan, rows_of, signal


def kept(root: Path) -> list[object]:
    return [row["signal_id"] for row in rows_of(root, "signals")]


def test_an_id_is_kept_once_in_whatever_process_and_batch(tmp_path: Path):
    one, other = StoreSignalLog(plan(tmp_path), "w0"), StoreSignalLog(plan(tmp_path), "w1")
    assert one.add((signal(1), signal(2), signal(1))) == (True, True, False)
    assert other.add((signal(2), signal(3))) == (False, True)
    one.close()
    other.close()
    again = StoreSignalLog(plan(tmp_path), "w0")
    assert again.add((signal(3),)) == (False,)
    again.close()
    assert sorted(map(str, kept(tmp_path))) == ["s1", "s2", "s3"]
    assert names(tmp_path, "signals/open") == [".jsonl", ".jsonl"]


def test_what_could_not_be_written_may_be_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(fd: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    log = StoreSignalLog(plan(tmp_path), "w0")
    with monkeypatch.context() as patched:
        patched.setattr(append_file, "_write", full)
        with pytest.raises(OSError, match="full"):
            log.add((signal(1), signal(2)))
    assert log.add((signal(1), signal(2))) == (True, True)
    log.close()
    assert kept(tmp_path) == ["s1", "s2"]


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "store").write_text("not a folder")
    log = StoreSignalLog(plan(tmp_path / "store"), "w0")
    with pytest.raises(OSError):
        log.add((signal(1),))
    log.close()


def test_a_crash_before_the_id_is_remembered_can_only_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def die(ids: object) -> None:
        raise KeyboardInterrupt

    log = StoreSignalLog(plan(tmp_path), "w0")
    with monkeypatch.context() as patched:
        patched.setattr(log._ids, "add", die)
        with pytest.raises(KeyboardInterrupt):
            log.add((signal(1),))
    assert log.add((signal(1),)) == (True,)
    log.close()
    assert kept(tmp_path) == ["s1", "s1"]


def test_an_old_segment_is_sealed_by_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    log = StoreSignalLog(plan(tmp_path, segment_s=300.0), "w0", clock=clock)
    log.sync()
    assert not (tmp_path / "signals").exists()
    log.add((signal(1),))
    assert log.is_dirty
    log.sync()
    assert not log.is_dirty
    monkeypatch.setattr(log._segments, "_old_at", 0.0)
    assert log.is_dirty
    log.sync()
    assert names(tmp_path, "signals/open") == [".jsonl", ".jsonl.open"]
    log.close()


def test_each_revision_of_an_id_is_kept_once(tmp_path: Path):
    log = StoreSignalLog(plan(tmp_path), "w0")
    first = signal(1)
    revised = msgspec.structs.replace(first, revision=1)
    assert log.add((first, revised, revised)) == (True, True, False)
    assert log.add((first, revised, msgspec.structs.replace(first, revision=0))) == (False, False, False)
    log.close()
