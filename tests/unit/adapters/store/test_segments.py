"""Segments: rotation, and what happens while nothing can be written."""

import errno
import json
import os
from pathlib import Path

import pytest

from undertow.adapters.store import append_file
from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.layout import OPEN, SegmentNames
from undertow.adapters.store.segments import RETRY_S, SegmentLimits, SegmentWriter
from unit.adapters.store.rows import Clock


class Bench:
    """A writer on a folder that can be made unwritable."""

    def __init__(self, root: Path, **limits: float) -> None:
        self.root, self.clock = root, Clock()
        self.names = SegmentNames("w0", self.clock)
        self.settled: list[str] = []
        self.refused: OSError | None = None
        self.writer = SegmentWriter(
            "decisions",
            root / "state" / "gaps.jsonl",
            self.start,
            SegmentLimits(**limits),  # type: ignore[arg-type]
            on_settled=self.settled.append,
            clock=self.clock,
            monotonic=self.clock,
        )

    def start(self) -> None:
        if self.refused is not None:
            raise self.refused
        self.writer.switch(AppendFile.create(self.root / "open" / f"{self.names.next()}{OPEN}"))

    def later(self, seconds: float = RETRY_S) -> None:
        self.clock.now += seconds

    def lines(self) -> list[bytes]:
        return [
            line for path in sorted((self.root / "open").glob("*.jsonl*")) for line in path.read_bytes().splitlines()
        ]

    def gaps(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.root / "state" / "gaps.jsonl").read_text().splitlines()]


def refuse_writes(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> None:
    def write(fd: int, line: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(append_file, "_write", write)


def test_a_full_segment_is_sealed_and_followed(tmp_path: Path):
    bench = Bench(tmp_path, segment_bytes=10)
    bench.writer.retry()
    for number in range(4):
        assert bench.writer.append(b"line %d\n" % number)
        if bench.writer.is_due:
            bench.writer.rotate()
    assert sorted(path.suffix for path in (tmp_path / "open").iterdir()) == [".jsonl", ".jsonl", ".open"]
    bench.writer.close()
    assert bench.lines() == [b"line 0", b"line 1", b"line 2", b"line 3"]


def test_an_old_segment_is_sealed_only_with_something_in_it(tmp_path: Path):
    bench = Bench(tmp_path, segment_s=300.0)
    bench.writer.tick()
    bench.later(301)
    bench.writer.tick()
    assert len(list((tmp_path / "open").iterdir())) == 1
    bench.writer.append(b"line\n")
    bench.writer.tick()
    assert sorted(path.name.split(".", 1)[1] for path in (tmp_path / "open").iterdir()) == ["jsonl", "jsonl.open"]
    bench.writer.close()
    assert [path.suffix for path in (tmp_path / "open").iterdir()] == [".jsonl"]


def test_a_full_disk_costs_nothing_that_fits_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path)
    assert not bench.writer.waiting
    bench.writer.append(b"before\n")
    with monkeypatch.context() as patched:
        refuse_writes(patched)
        assert not bench.writer.append(b"one\n", "1")
        bench.later(1.0)
        assert not bench.writer.append(b"two\n", "2")
        assert (bench.writer.waiting, bench.writer.waiting_bytes, bench.settled) == (2, 8, [])
    bench.later()
    assert bench.writer.append(b"three\n", "3")
    assert bench.lines() == [b"before", b"one", b"two", b"three"]
    assert bench.settled == ["1", "2", "3"]
    assert (bench.writer.waiting, bench.writer.waiting_bytes, bench.writer.lost) == (0, 0, 0)
    assert bench.gaps() == [
        {"kind": "decisions", "from": "2026-03-01T12:00:00.000Z", "to": "2026-03-01T12:00:01.050Z", "lost": 0}
    ]


def test_beyond_the_bound_the_oldest_are_lost_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path, waiting_bytes=20)
    with monkeypatch.context() as patched:
        refuse_writes(patched)
        for number in range(10):
            bench.writer.append(b"line %d\n" % number, str(number))
    assert (bench.writer.lost, bench.writer.waiting) == (8, 2)
    assert bench.writer.waiting_bytes <= 20
    bench.later()
    bench.writer.tick()
    assert bench.lines() == [b"line 8", b"line 9"]
    assert bench.settled == [str(number) for number in range(10)]
    assert bench.gaps()[0]["lost"] == 8


def test_a_folder_that_cannot_be_written_raises_nothing(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.refused = PermissionError(errno.EACCES, "not yours")
    assert not bench.writer.append(b"one\n")
    bench.writer.tick()
    assert bench.writer.waiting == 1
    bench.refused = None
    bench.later()
    bench.writer.tick()
    assert bench.lines() == [b"one"]


def test_tries_lie_apart(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.refused = PermissionError(errno.EACCES, "not yours")
    bench.writer.append(b"one\n")
    bench.refused = None
    assert not bench.writer.append(b"two\n")
    bench.later()
    assert bench.writer.append(b"three\n")
    assert bench.lines() == [b"one", b"two", b"three"]


def test_a_segment_that_fails_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path)
    bench.writer.append(b"one\n")
    with monkeypatch.context() as patched:
        refuse_writes(patched, errno.EIO)
        bench.writer.append(b"two\n")
    bench.later()
    bench.writer.tick()
    assert bench.lines() == [b"one", b"two"]
    assert len(list((tmp_path / "open").iterdir())) == 2


def test_a_segment_that_was_deleted_is_followed_by_another(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.writer.append(b"one\n")
    next((tmp_path / "open").iterdir()).unlink()
    bench.later(2.0)
    bench.writer.tick()
    bench.writer.append(b"two\n")
    assert bench.lines() == [b"two"]


def test_closing_counts_what_still_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path)
    bench.writer.append(b"one\n")
    with monkeypatch.context() as patched:
        refuse_writes(patched)
        bench.writer.append(b"two\n", "2")
        bench.writer.close()
    assert (bench.writer.lost, bench.writer.waiting, bench.settled) == (1, 0, [])
    assert bench.lines() == [b"one"]
    assert bench.gaps()[0]["lost"] == 1


def test_what_must_be_written_now_is_or_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path)
    bench.writer.append_now(b"one\n")
    with monkeypatch.context() as patched:
        refuse_writes(patched)
        with pytest.raises(OSError, match="No space"):
            bench.writer.append_now(b"two\n")
    assert bench.writer.waiting == 0
    assert bench.lines() == [b"one"]


def test_a_sync_reaches_sealed_segments_and_counts_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(tmp_path)
    bench.writer.append(b"one\n")
    bench.writer.rotate()
    bench.writer.append(b"two\n")
    assert bench.writer.is_dirty
    synced = []
    monkeypatch.setattr(append_file, "_sync", synced.append)
    bench.writer.sync()
    assert len(synced) == 2
    assert not bench.writer.is_dirty

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "the disk is ill")

    bench.writer.append(b"three\n")
    monkeypatch.setattr(append_file, "_sync", broken)
    bench.writer.sync()
    assert bench.writer.sync_errors == 1
