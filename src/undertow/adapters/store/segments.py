"""Writes lines to segments, one write a line, and keeps what cannot be written in bounded memory until it can.

Nothing here raises, waits for a disk to sync, or blocks on a full disk. A short write is taken back at once, so a segment holds
whole lines only; the rest of an outage is bookkeeping: how much waits, how much was dropped, and a line in `state/gaps.jsonl`
when it is over, because a record that is missing is missing data.
"""

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.layout import OPEN, SEALED, utc_text

RETRY_S = 0.05
DRAIN_LINES = 1_000
"""Most waiting lines that are written in one go, so that the end of an outage holds up no request for more than a few ms."""
REMOVED_CHECK_S = 1.0
MOST_RETIRED = 8
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """When a segment is full, and how much may wait.

    Attributes:
        segment_bytes: Size at which it is sealed.
        segment_s: Age at which it is sealed, if anything is in it.
        waiting_bytes: Most bytes of lines that wait in memory; beyond, the oldest are dropped and counted as lost.
    """

    segment_bytes: int = 64_000_000
    segment_s: float = 300.0
    waiting_bytes: int = 16_000_000


@dataclass(slots=True)
class _Outage:
    """A time during which lines could not be written."""

    began_at: float
    lost: int = 0


@dataclass(slots=True)
class _Waiting:
    """Lines that could not be written yet, oldest first, each with the key that its owner gave it."""

    lines: deque[tuple[bytes, str]] = field(default_factory=deque)
    bytes: int = 0


class SegmentWriter:
    """The segments of one writer, one open at a time.

    For one thread, but for `sync`, which may run in another. Create it after a fork.

    Args:
        kind: What is written, for the gaps: `decisions`.
        gaps_file: Where an outage is written down once it is over.
        start: Opens the next segment and hands it to `switch`; called when there is none, or it cannot be written.
        limits: When segments are full, and how much may wait.
        on_settled: Called with the key of each line that no longer waits, written or dropped.
        clock: Seconds since 1970.
        monotonic: Seconds of a clock that is never set.

    Attributes:
        lost: Lines dropped so far.
        sync_errors: Failed syncs so far.
    """

    def __init__(
        self,
        kind: str,
        gaps_file: Path,
        start: Callable[[], None],
        limits: SegmentLimits,
        *,
        on_settled: Callable[[str], None] = lambda _key: None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lost = 0
        self.sync_errors = 0
        self._kind, self._gaps_file, self._start, self._limits = kind, gaps_file, start, limits
        self._on_settled, self._clock, self._monotonic = on_settled, clock, monotonic
        self._file: AppendFile | None = None
        self._retired: deque[AppendFile] = deque()
        self._waiting = _Waiting()
        self._outage: _Outage | None = None
        self._retry_at = 0.0
        self._full_at = limits.segment_bytes
        self._old_at = 0.0
        self._look_at = 0.0
        self._closed = False

    def append(self, line: bytes, key: str = "") -> bool:
        """Write `line`, which ends in a newline; True if the operating system has it, False if it waits."""
        if self._outage is None:
            file = self._file
            if file is None:
                self.retry()
                file = self._file
            if file is not None and file.append(line):
                return True
        return self._keep(line, key)

    def append_now(self, line: bytes) -> None:
        """Write `line` or say why not; it never waits in memory.

        Raises:
            OSError: It could not be written, and nothing of it was.
        """
        if self._closed:
            raise OSError("the writer is closed")
        if self._file is None or is_broken(self._file):
            self._start()
        file = self._file
        assert file is not None, "start opens a segment or raises"
        if not file.append(line):
            raise file.error or OSError("the segment could not be written")

    @property
    def waiting(self) -> int:
        """Lines in memory that could not be written yet."""
        return len(self._waiting.lines)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of those lines."""
        return self._waiting.bytes

    @property
    def is_due(self) -> bool:
        """Whether the open segment is full or old and should be followed by another."""
        file = self._file
        return file is not None and (
            file.size >= self._full_at or (file.size > 0 and self._monotonic() >= self._old_at)
        )

    def switch(self, file: AppendFile) -> None:
        """Write to `file` from now on, and seal the segment before it."""
        self._seal()
        self._file = file
        self._full_at = self._limits.segment_bytes
        self._old_at = self._monotonic() + self._limits.segment_s

    def rotate(self) -> None:
        """Start the next segment; if that fails, this one is used a second longer."""
        try:
            self._start()
        except OSError:
            self._old_at = self._monotonic() + 1.0
            if self._file is not None:
                self._full_at = max(self._full_at, self._file.size + 1_000_000)

    def tick(self) -> None:
        """What time brings: try again what waits, follow an old segment by a new one, notice one that was deleted."""
        now = self._monotonic()
        if self._outage is not None or self._file is None:
            self.retry()
        elif self.is_due:
            self.rotate()
        elif now >= self._look_at:
            self._look_at = now + REMOVED_CHECK_S
            if self._file.was_removed:
                self.rotate()

    def retry(self, *, at_once: bool = False) -> bool:
        """Try to write what waits; True if nothing does any more. Between two tries lie `RETRY_S`, unless `at_once`."""
        now = self._monotonic()
        if self._closed or (now < self._retry_at and not at_once):
            return not self._waiting.lines
        if not self._drain(None if at_once else DRAIN_LINES):
            self._retry_at = now + RETRY_S
            return False
        if self._outage is not None and not self._waiting.lines:
            self._note_gap(self._outage)
            self._outage = None
        return not self._waiting.lines

    def sync(self) -> None:
        """Wait until the disk has everything; a disk that fails is counted."""
        while (retired := self._next_retired()) is not None:
            self._sync(retired)
            retired.close()
        file = self._file
        if file is not None:
            self._sync(file)

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        return bool(self._retired) or (self._file is not None and self._file.is_dirty)

    def close(self) -> None:
        """Write what waits, if that is possible now, and seal the segment. What still waits is lost, and counted."""
        if self._closed:
            return
        self.retry(at_once=True)
        if self._waiting.lines:
            # Not settled: an intent that stays on disk gives such a decision a record of sorts.
            self._drop(len(self._waiting.lines), settle=False)
            if self._outage is not None:
                self._note_gap(self._outage)
        self._seal()
        self._file = None
        self.sync()
        self._closed = True

    def _keep(self, line: bytes, key: str) -> bool:
        if self._outage is None:
            self._outage = _Outage(self._clock())
        waiting = self._waiting
        waiting.lines.append((line, key))
        waiting.bytes += len(line)
        while waiting.bytes > self._limits.waiting_bytes:
            self._drop(1)
        return self.retry()

    def _drop(self, lines: int, *, settle: bool = True) -> None:
        for _ in range(lines):
            line, key = self._waiting.lines.popleft()
            self._waiting.bytes -= len(line)
            self.lost += 1
            if self._outage is not None:
                self._outage.lost += 1
            if settle:
                self._on_settled(key)

    def _drain(self, most: int | None) -> bool:
        """Write up to `most` waiting lines; False if one could not be written."""
        file = self._file
        if file is None or is_broken(file):
            try:
                self._start()
            except OSError:
                if file is None:
                    return False
            file = self._file
            assert file is not None, "start opens a segment or raises"
        waiting = self._waiting
        while waiting.lines and (most is None or most > 0):
            line, key = waiting.lines[0]
            if not file.append(line):
                return False
            waiting.lines.popleft()
            waiting.bytes -= len(line)
            self._on_settled(key)
            most = None if most is None else most - 1
        return True

    def _seal(self) -> None:
        file = self._file
        if file is None:
            return
        try:
            if file.size == 0:
                file.discard()
                return
            file.rename(file.path.with_name(file.path.name.removesuffix(OPEN) + SEALED))
        except OSError:
            pass  # it stays an open segment without a lock, which recovery seals
        self._retired.append(file)
        # Nobody syncs, it seems: the kernel will, in its own time.
        while len(self._retired) > MOST_RETIRED and (retired := self._next_retired()) is not None:
            retired.close()

    def _next_retired(self) -> AppendFile | None:
        try:
            return self._retired.popleft()
        except IndexError:  # the other thread took it
            return None

    def _sync(self, file: AppendFile) -> None:
        try:
            file.sync()
        except OSError:
            self.sync_errors += 1

    def _note_gap(self, outage: _Outage) -> None:

        note = {
            "kind": self._kind,
            "from": utc_text(outage.began_at),
            "to": utc_text(self._clock()),
            "lost": outage.lost,
        }
        try:
            self._gaps_file.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._gaps_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(fd, msgspec.json.encode(note) + b"\n")
            finally:
                os.close(fd)
        except OSError:
            pass  # the counters still tell


def is_broken(file: AppendFile) -> bool:
    """Whether another file may work where this one failed: it holds something, and the disk is not simply full."""
    error, file.error = file.error, None
    return error is not None and error.errno is not None and error.errno not in NO_SPACE and file.size > 0
