"""A file of whole lines: locked while its writer lives, never with half a line in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from undertow.adapters.store import append_file
from undertow.adapters.store.append_file import AppendFile, try_lock


def test_lines_are_appended_and_the_file_is_locked(tmp_path: Path):
    file = AppendFile.create(tmp_path / "deep" / "a.jsonl.open")
    assert file.append(b"one\n")
    assert file.append(b"two\n")
    assert try_lock(file.path) is None
    file.sync()
    assert not file.is_dirty
    file.rename(file.path.with_name("a.jsonl"))
    file.close()
    assert (tmp_path / "deep" / "a.jsonl").read_bytes() == b"one\ntwo\n"
    fd = try_lock(file.path)
    assert fd is not None
    os.close(fd)


def test_a_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = AppendFile.create(tmp_path / "a")
    assert file.append(b"one\n")
    monkeypatch.setattr(append_file, "_write", lambda fd, line: os.write(fd, line[:2]))
    assert not file.append(b"two\n")
    assert (tmp_path / "a").read_bytes() == b"one\n"
    assert file.error is not None
    monkeypatch.undo()
    assert file.append(b"three\n")
    assert (tmp_path / "a").read_bytes() == b"one\nthree\n"
    file.close()


def test_what_could_not_be_taken_back_at_once_is_before_the_next_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(fd: int, size: int) -> None:
        raise OSError(5, "the disk is ill")

    file = AppendFile.create(tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr(append_file, "_write", lambda fd, line: os.write(fd, line[:2]))
        patched.setattr(append_file.os, "ftruncate", broken)
        assert not file.append(b"two\n")
        assert not file.append(b"two\n")
    assert file.append(b"three\n")
    assert (tmp_path / "a").read_bytes() == b"three\n"
    file.close()


def test_a_file_is_never_taken_over(tmp_path: Path):
    file = AppendFile.create(tmp_path / "a")
    with pytest.raises(FileExistsError):
        AppendFile.create(tmp_path / "a")
    file.discard()
    assert not (tmp_path / "a").exists()
    assert try_lock(tmp_path / "a") is None


def test_a_file_deleted_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    removals = []
    lock = append_file.fcntl.flock

    def flock(fd: int, how: int) -> None:
        if not removals:
            removals.append((tmp_path / "a").unlink())
        lock(fd, how)

    monkeypatch.setattr(append_file.fcntl, "flock", flock)
    file = AppendFile.create(tmp_path / "a")
    assert (tmp_path / "a").exists()
    assert not file.was_removed
    (tmp_path / "a").unlink()
    assert file.was_removed
    file.close()


def test_a_system_without_fdatasync_syncs_all_the_same(tmp_path):
    probe = (
        "import os, sys; from pathlib import Path; del os.fdatasync\n"
        "from undertow.adapters.store.append_file import AppendFile\n"
        "file = AppendFile.create(Path(sys.argv[1])); file.append(b'line\\n'); file.sync(); assert not file.is_dirty"
    )
    subprocess.run([sys.executable, "-c", probe, str(tmp_path / "file")], check=True)
