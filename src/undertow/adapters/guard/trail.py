"""The audit trail as lines of JSON, in two copies of which neither need be whole."""

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

import msgspec

from undertow.adapters.ownership import open_or_make
from undertow.adapters.whole_file import PRIVATE
from undertow.records.guard import TrailEntry
from undertow.records.unreadable import UNREADABLE


@dataclass(frozen=True, slots=True)
class TrailCopy:
    """One copy of the trail.

    Attributes:
        entries: What could be read, in the order of the file.
        good_bytes: Up to here it is whole lines; what follows has no end, since a dying process cut it. None: it is there and cannot be read, so
            nothing is added to it.
        problem: Why it cannot be believed: it cannot be read, or a whole line is no entry that this version knows. None: it can.
    """

    entries: tuple[TrailEntry, ...] = ()
    good_bytes: int | None = 0
    problem: str | None = None


def read_trail(path: Path) -> TrailCopy:
    """Read one copy; a file that is missing is an empty one."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return TrailCopy()
    except OSError as error:
        why = f"{path}: cannot be read ({error.strerror or type(error).__name__})"
        return TrailCopy(good_bytes=None, problem=why)
    entries: list[TrailEntry] = []
    good_bytes = content.rfind(b"\n") + 1
    problem = None
    for number, line in enumerate(content[:good_bytes].split(b"\n")[:-1], 1):
        entry = _entry(line)
        if entry is not None:
            entries.append(entry)
        elif problem is None:
            problem = f"{path}, line {number}: no entry of the guard's trail"
    return TrailCopy(tuple(entries), good_bytes, problem)


def append_trail(path: Path, copy: TrailCopy, entries: Sequence[TrailEntry]) -> None:
    """Add entries to one copy, in the place of what a dying process left of its last line.

    Raises:
        OSError: It cannot be written.
    """
    if not entries:
        return
    if copy.good_bytes is None:
        raise PermissionError(errno.EACCES, "the trail in it cannot be read", str(path))
    lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    with os.fdopen(open_or_make(path, os.O_WRONLY | os.O_APPEND, PRIVATE), "ab") as file:
        if file.tell() > copy.good_bytes:
            file.truncate(copy.good_bytes)
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def merged(copies: Iterable[Sequence[TrailEntry]]) -> tuple[TrailEntry, ...]:
    """All entries of all copies, each once, in an order that agrees with that of each copy; where that leaves a choice, by their times.

    Examples:
        >>> one, two, three = (TrailEntry(id=name, at=name, who="guard", kind="hold") for name in "123")
        >>> [entry.id for entry in merged([(one, three), (one, two)])]
        ['1', '2', '3']
    """
    found: list[TrailEntry] = []
    for copy in copies:
        found = _both(found, copy)
    return tuple(found)


def _both(left: Sequence[TrailEntry], right: Sequence[TrailEntry]) -> list[TrailEntry]:
    unique: dict[str, TrailEntry] = {}
    for entry in right:
        unique.setdefault(entry.id, entry)
    places = {entry.id: place for place, entry in enumerate(left)}
    found: list[TrailEntry] = []
    loose: list[TrailEntry] = []
    done = 0
    for entry in unique.values():
        place = places.get(entry.id)
        if place is None:
            loose.append(entry)
        elif place >= done:  # in both: what stands before it in either copy comes before it
            found += [*merge(left[done:place], loose, key=_time), left[place]]
            loose, done = [], place + 1
    return [*found, *merge(left[done:], loose, key=_time)]


def _time(entry: TrailEntry) -> str:
    return entry.at


def _entry(line: bytes) -> TrailEntry | None:
    try:
        return msgspec.json.decode(line, type=TrailEntry)
    except UNREADABLE:
        return None
