"""Reads each line of the decision log once, from the segments that are being written and those that were just sealed.

How far each segment was read stands in `state/trace-offsets.json` and is written after a chunk was delivered: a crash repeats
at most one chunk and loses none. The conversion to Parquet removes sealed segments; one that is not read to its end yet is
kept under a second name (a hard link), up to a bound, beyond which the oldest is given up and its lines are counted as lost.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import msgspec

from undertow.adapters.store.layout import OPEN, OPEN_FOLDER, SEALED, list_segments
from undertow.records.unreadable import UNREADABLE

OFFSETS_FILE = "trace-offsets.json"
LOCK_FILE = "trace-tail.lock"
LINKS_FOLDER = "trace-tail"
CHUNK_LINES = 512
CHUNK_BYTES = 4_000_000
MAX_LINE_BYTES = 64_000_000
KEPT_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one segment, and where they end in it."""

    segment: str
    lines: tuple[bytes, ...]
    end: int


class SegmentTail:
    """Follows the decisions of a store. May be used from several threads.

    Args:
        store: The store's root folder.
        kept_bytes: Most bytes of sealed segments that are kept for reading.

    Attributes:
        lost: Lines that were given up, so far.
    """

    def __init__(self, store: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self.lost = 0
        self._open_folder = store / "decisions" / OPEN_FOLDER
        self._links = store / "state" / LINKS_FOLDER
        self._offsets_file = store / "state" / OFFSETS_FILE
        self._kept_bytes = kept_bytes
        self._lock = Lock()
        self._owner_fd: int | None = None
        self._offsets = _read_offsets(self._offsets_file)

    def own(self) -> bool:
        """Be the only one who follows this store, until `close`; False: another process does.

        Raises:
            OSError: The state folder cannot be written.
        """
        with self._lock:
            if self._owner_fd is not None:
                return True
            lock = self._offsets_file.with_name(LOCK_FILE)
            lock.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            self._owner_fd = fd
            self._offsets = _read_offsets(self._offsets_file)
            return True

    def close(self) -> None:
        """Let another process follow."""
        with self._lock:
            if self._owner_fd is not None:
                os.close(self._owner_fd)
                self._owner_fd = None

    def hold(self) -> None:
        """Keep what is not read yet. Call it before sealed segments are converted.

        Raises:
            OSError: The state folder cannot be written.
        """
        with self._lock:
            self._links.mkdir(parents=True, exist_ok=True)
            for name, path in list_segments(self._open_folder, SEALED):
                if self._unread(name.text, path):
                    self._link(path)
            self._give_up_beyond_bound()

    def read(self) -> Chunk | None:
        """The next lines that were not delivered yet, or None: there are none now.

        Raises:
            OSError: A segment cannot be read.
        """
        with self._lock:
            for name, path in self._segments():
                chunk = self._read_segment(name, path)
                if chunk is not None:
                    return chunk
            return None

    def commit(self, chunk: Chunk) -> None:
        """Note that a chunk was delivered.

        Raises:
            OSError: It could not be noted; the chunk will come again.
        """
        with self._lock:
            self._offsets[chunk.segment] = chunk.end
            self._forget()
            self._write_offsets()

    def _segments(self) -> Iterator[tuple[str, Path]]:
        """Segments by name, oldest first; where a segment has two names, the kept one."""
        found: dict[str, Path] = {}
        for folder, ending in ((self._open_folder, OPEN), (self._open_folder, SEALED), (self._links, SEALED)):
            found |= {name.text: path for name, path in list_segments(folder, ending)}
        yield from sorted(found.items())

    def _read_segment(self, name: str, path: Path) -> Chunk | None:
        offset = self._offsets.get(name, 0)
        for candidate in (path, path.with_name(f"{name}{SEALED}")):  # it may be sealed meanwhile
            try:
                with candidate.open("rb") as file:
                    file.seek(offset)
                    data = file.read(CHUNK_BYTES)
                    while data and b"\n" not in data and len(data) < MAX_LINE_BYTES:
                        more = file.read(CHUNK_BYTES)
                        if not more:
                            return None  # the line is not whole yet
                        data += more
            except FileNotFoundError:
                continue
            if not data:
                return None
            end = data.rfind(b"\n") + 1 or len(data)
            lines = data[:end].split(b"\n")[:CHUNK_LINES]
            size = min(end, sum(len(line) + 1 for line in lines))
            return Chunk(name, tuple(line for line in lines if line), offset + size)
        return None

    def _unread(self, name: str, path: Path) -> int:
        try:
            return max(0, path.stat().st_size - self._offsets.get(name, 0))
        except FileNotFoundError:
            return 0

    def _link(self, path: Path) -> None:
        try:
            os.link(path, self._links / path.name)
        except (FileExistsError, FileNotFoundError):
            pass
        except OSError:
            # No hard links here. The segment stays readable for the grace period after its conversion, which is what is left.
            return

    def _give_up_beyond_bound(self) -> None:
        kept = [(name.text, path, path.stat().st_size) for name, path in list_segments(self._links, SEALED)]
        total = sum(size for _, _, size in kept)
        for name, path, size in kept:
            if total <= self._kept_bytes:
                return
            self.lost += _count_lines(path, self._offsets.get(name, 0))
            self._offsets[name] = size
            path.unlink(missing_ok=True)
            total -= size

    def _forget(self) -> None:
        """Remove links that were read to their end, and offsets of segments that are gone."""
        for name, path in list_segments(self._links, SEALED):
            if not self._unread(name.text, path):
                path.unlink(missing_ok=True)
        present = {name for name, _ in self._segments()}
        self._offsets = {name: offset for name, offset in self._offsets.items() if name in present}

    def _write_offsets(self) -> None:
        self._offsets_file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._offsets_file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(self._offsets))
        fresh.replace(self._offsets_file)


def _read_offsets(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, *UNREADABLE):
        return {}


def _count_lines(path: Path, offset: int) -> int:
    lines = 0
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return lines
