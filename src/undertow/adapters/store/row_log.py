"""Rows beside the log (texts drawn for review, pairs, calls made for watching, votes): JSON lines in segments, a folder a kind.

They are few, so they stay JSON lines. A reader sees sealed and open segments alike; a line that its writer has not ended, or that is
no row, is counted and left. Segments are named by the time they were opened, which is how old ones are found.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from undertow.adapters.store.append_file import AppendFile, try_lock
from undertow.adapters.store.layout import OPEN, SEALED, SegmentNames, list_segments
from undertow.adapters.store.segments import SegmentLimits, SegmentWriter
from undertow.records.unreadable import UNREADABLE

SAMPLED, PAIRS, CALLS, VOTES, SKETCHES = "sampled", "pairs", "calls", "votes", "sketches"
"""Folders of a store: `SampledText`, `AnswerPair`, `WatchingCall`, `Vote`, `TextSketch` of `undertow.records.watched`."""

SEGMENT_S = 86_400.0
"""Segments are closed after a day at most, so that what is too old can be removed by whole files."""

Row = TypeVar("Row", bound=msgspec.Struct)


class RowLog:
    """Appends rows of one kind. One thread at a time gets in. Make it after any fork.

    Args:
        root: The store's root folder.
        folder: `SAMPLED`, `PAIRS`, `CALLS`, `VOTES` or `SKETCHES`.
        writer: Name of this writer, part of the names of its segments.
        clock: Seconds since 1970.
        monotonic: Seconds of a clock that is never set.

    Examples:
        >>> import tempfile
        >>> from undertow.records.watched import WatchingCall
        >>> folder = tempfile.TemporaryDirectory()
        >>> log = RowLog(Path(folder.name), CALLS, "w0")
        >>> log.append(WatchingCall(decision_id="d", at="2026-03-01T12:00:00.000Z", purpose="shadow", tier="capable"))
        >>> [row.tier for row in read_rows(Path(folder.name), CALLS, WatchingCall).rows]
        ['capable']
        >>> log.close()
        >>> folder.cleanup()
    """

    def __init__(
        self,
        root: Path,
        folder: str,
        writer: str,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = root / folder
        self._names = SegmentNames(writer, clock)
        self._encode = msgspec.json.Encoder().encode
        self._lock = Lock()
        limits = SegmentLimits(segment_s=SEGMENT_S)
        self._segments = SegmentWriter(
            folder, root / "state" / "gaps.jsonl", self._open, limits, clock=clock, monotonic=monotonic
        )

    def append(self, *rows: msgspec.Struct) -> None:
        """Write rows, all or none.

        Raises:
            OSError: They could not be written.
        """
        lines = b"".join(self._encode(row) + b"\n" for row in rows)
        with self._lock:
            if self._segments.is_due:
                self._segments.rotate()
            self._segments.append_now(lines)

    def tick(self) -> None:
        """Begin a new segment where this one is full or a day old, so that a log which nothing is added to does not keep old rows."""
        with self._lock:
            if self._segments.is_due:
                self._segments.rotate()

    def sync(self) -> None:
        """Wait until the disk has everything; for another thread than an event loop's."""
        self._segments.sync()

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        return self._segments.is_dirty

    def close(self) -> None:
        """Seal the segment."""
        with self._lock:
            self._segments.close()

    def _open(self) -> None:
        self._segments.switch(AppendFile.create(self._folder / f"{self._names.next()}{OPEN}"))


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """Rows read, in the order of their segments.

    Attributes:
        rows: The rows.
        broken: Lines that are none; the last line of an open segment is not counted.
    """

    rows: list[Row]
    broken: int


def read_rows(root: Path, folder: str, type_: type[Row], since: datetime | None = None) -> Rows[Row]:
    """All rows of a kind.

    Args:
        root: The store's root folder; one without the folder has no rows.
        folder: Which kind.
        type_: What a row is.
        since: Leave out segments that nothing later than this can be in; rows in the others are not looked at. None: all.

    Raises:
        OSError: A segment cannot be read.
    """
    decoder = msgspec.json.Decoder(type_)
    rows: list[Row] = []
    broken = 0
    for line in row_lines(root, folder, since):
        try:
            rows.append(decoder.decode(line))
        except UNREADABLE:
            broken += 1
    return Rows(rows, broken)


def row_lines(root: Path, folder: str, since: datetime | None = None) -> Iterator[bytes]:
    """The lines of all rows of a kind, one segment in memory at a time; arguments and errors as of `read_rows`."""
    for path in _paths(root / folder, since):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # sealed or removed meanwhile
            sealed = path.with_name(path.name.removesuffix(OPEN) + SEALED)
            content = sealed.read_bytes() if sealed != path and sealed.exists() else b""
        yield from content.split(b"\n")[:-1]


def remove_older(root: Path, folder: str, before: datetime) -> int:
    """Remove segments in which nothing is younger than `before`; those that are being written stay. Returns how many went.

    Raises:
        OSError: One cannot be removed.
    """
    removed = 0
    for ending in (SEALED, OPEN):
        for _, path in list_segments(root / folder, ending):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= before:
                continue
            if ending == OPEN:
                fd = try_lock(path)
                if fd is None:
                    continue
                os.close(fd)
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _paths(folder: Path, since: datetime | None) -> Iterator[Path]:
    found = sorted([*list_segments(folder, SEALED), *list_segments(folder, OPEN)], key=lambda each: each[0].text)
    for _, path in found:
        try:
            if since is not None and datetime.fromtimestamp(path.stat().st_mtime, UTC) < since:
                continue
        except FileNotFoundError:
            pass
        yield path
