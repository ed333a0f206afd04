"""Gives every decision of a writer that died its record, and seals the segments that it left.

Run at start, and whenever a writer's end is noticed; it never touches what a living writer holds a lock on. It may itself be
killed at any point and run again: orphans become records in a segment of their own, and only when that one is on disk are the
intents removed. Two at once are harmless, for one waits for the other.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from undertow.adapters.store.append_file import AppendFile, sync_folder, try_lock
from undertow.adapters.store.layout import INTENTS, OPEN, OPEN_FOLDER, SEALED, SegmentName, list_segments
from undertow.records.decision import Intent, record_of_dead_process
from undertow.records.unreadable import UNREADABLE

TAIL_STEP = 1 << 16


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery found.

    Attributes:
        orphans: Decisions whose process died before their record; each has one now.
        torn: Incomplete lines, kept in `state/torn/`.
        segments: Segments sealed.
    """

    orphans: int = 0
    torn: int = 0
    segments: int = 0


class _Id(msgspec.Struct, gc=False):
    decision_id: str


class _AnyId(msgspec.Struct, gc=False):
    decision_id: str | None = None
    signal_id: str | None = None


@dataclass(slots=True)
class _Life:
    """What one writer's life has left: its files by kind, in the order in which it made them."""

    intents: list[tuple[SegmentName, Path]] = field(default_factory=list)
    open: list[tuple[SegmentName, Path]] = field(default_factory=list)
    sealed: list[tuple[SegmentName, Path]] = field(default_factory=list)


def recover(store_path: str | Path, at: str) -> Recovered:
    """Settle what dead writers have left behind.

    Args:
        store_path: The store's root folder.
        at: The time now, as records write it; stands in `state/recoveries.jsonl` beside what was found.

    Raises:
        OSError: The store cannot be read or written. Nothing is lost; run it again.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recover(folder, "2026-03-01T12:00:00.000Z")
        Recovered(orphans=0, torn=0, segments=0)
    """
    root = Path(store_path)
    with _alone(root / "state" / "recovery.lock"):
        found = Recovered()
        for life in _lives(root).values():
            found = _sum(found, _recover_life(root, life))
        for _, path in list_segments(root / "signals" / OPEN_FOLDER, OPEN):
            found = _sum(found, _seal_if_dead(root, path))
        if found != Recovered():
            _append(
                root / "state" / "recoveries.jsonl",
                json.dumps(
                    {"at": at, "orphans": found.orphans, "torn": found.torn, "segments": found.segments}
                ).encode(),
            )
        return found


def _sum(one: Recovered, other: Recovered) -> Recovered:
    return Recovered(one.orphans + other.orphans, one.torn + other.torn, one.segments + other.segments)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _lives(root: Path) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    folder = root / "decisions" / OPEN_FOLDER
    for name, path in list_segments(root / "intents", INTENTS):
        lives.setdefault(name.life, _Life()).intents.append((name, path))
    for name, path in list_segments(folder, OPEN):
        lives.setdefault(name.life, _Life()).open.append((name, path))
    for name, path in list_segments(folder, SEALED):
        if name.life in lives:
            lives[name.life].sealed.append((name, path))
    return lives


def _recover_life(root: Path, life: _Life) -> Recovered:
    found = Recovered()
    locked: list[int] = []
    try:
        dead = True
        for _, path in life.intents:
            fd = try_lock(path)
            dead = dead and fd is not None
            if fd is not None:
                locked.append(fd)
        if not dead:
            # Alive, or another file of it was just removed: only segments that it gave up are sealed.
            for _, path in life.open:
                found = _sum(found, _seal_if_dead(root, path))
            return found
        for _, path in life.open:
            fd = try_lock(path)
            if fd is None:
                return found  # its process is only just ending; the next recovery finds everything free
            os.close(fd)
        for _, path in life.open:
            found = _sum(found, _seal_if_dead(root, path))
        if life.intents:
            found = _sum(found, _settle_orphans(root, life))
    finally:
        for fd in locked:
            os.close(fd)
    return found


def _settle_orphans(root: Path, life: _Life) -> Recovered:
    folder = root / "decisions" / OPEN_FOLDER
    orphans, torn = _read_intents(root, life)
    if orphans:
        first = life.intents[0][0].sequence
        for name, path in list_segments(folder, SEALED):
            if name.life == life.intents[0][0].life and name.sequence >= first:
                _forget_recorded(path, orphans)
    if orphans:
        file = AppendFile.create(_free_name(folder, life.intents[-1][0]))
        try:
            encode = msgspec.json.Encoder().encode
            for intent in orphans.values():
                if not file.append(encode(record_of_dead_process(intent)) + b"\n"):
                    raise file.error or OSError("the records of a dead writer could not be written")
            file.sync()
            file.rename(file.path.with_name(file.path.name.removesuffix(OPEN) + SEALED))
        finally:
            file.close()
        sync_folder(folder)
    for _, path in life.intents:
        path.unlink(missing_ok=True)
    return Recovered(len(orphans), torn, 1 if orphans else 0)


def _free_name(folder: Path, last: SegmentName) -> Path:
    """A name for the orphans' segment; earlier recoveries that were killed may have used some."""
    for number in range(1, 1_000_000):
        path = folder / f"{last.text}r{number}{OPEN}"
        if not path.exists() and not path.with_name(f"{last.text}r{number}{SEALED}").exists():
            return path
    raise OSError(f"{last.text}: too many recoveries")


def _read_intents(root: Path, life: _Life) -> tuple[dict[str, Intent], int]:
    """Intents by id, and how many lines are no intent; those are kept aside."""
    decode = msgspec.json.Decoder(Intent).decode
    intents: dict[str, Intent] = {}
    torn = 0
    for _, path in life.intents:
        bad: list[bytes] = []
        with path.open("rb") as file:
            for line in file:
                try:
                    intent = decode(line)
                except UNREADABLE:
                    # Its request never reached an upstream: the intent was not whole when the process died.
                    bad.append(line)
                    continue
                intents.setdefault(intent.decision_id, intent)
        if bad:
            _keep_torn(root, path.name, b"".join(bad))
            torn += len(bad)
    return intents, torn


def _forget_recorded(segment: Path, orphans: dict[str, Intent]) -> None:
    """Drop the intents that have a record in `segment`."""
    decode = msgspec.json.Decoder(_Id).decode
    with segment.open("rb") as file:
        for line in file:
            try:
                orphans.pop(decode(line).decision_id, None)
            except UNREADABLE:
                continue  # a damaged line is the conversion's business


def _seal_if_dead(root: Path, path: Path) -> Recovered:
    """Cut the torn tail of an open segment that nobody writes to, and seal it; remove it if nothing is in it."""
    fd = try_lock(path)
    if fd is None:
        return Recovered()
    try:
        torn = _mend_tail(root, path, fd)
        try:
            if os.fstat(fd).st_size == 0:
                path.unlink()
                return Recovered(torn=torn)
            os.fsync(fd)
            path.rename(path.with_name(path.name.removesuffix(OPEN) + SEALED))
        except FileNotFoundError:  # its writer sealed it just before
            return Recovered(torn=torn)
        sync_folder(path.parent)
        return Recovered(torn=torn, segments=1)
    finally:
        os.close(fd)


def _mend_tail(root: Path, path: Path, fd: int) -> int:
    """Make the file end in a whole line; the number of lines cut off (0 or 1)."""
    size = os.fstat(fd).st_size
    tail, start = b"", size
    while start > 0 and b"\n" not in tail:
        step = min(TAIL_STEP, start)
        start -= step
        tail = os.pread(fd, step, start) + tail
    torn = tail[tail.rfind(b"\n") + 1 :]
    if not torn:
        return 0
    if _is_whole(torn):
        # Only the newline is missing.
        os.pwrite(fd, b"\n", size)
        return 0
    _keep_torn(root, path.name.removesuffix(OPEN), torn)
    os.ftruncate(fd, size - len(torn))
    return 1


def _is_whole(line: bytes) -> bool:
    try:
        known = msgspec.json.decode(line, type=_AnyId)
    except UNREADABLE:
        return False
    return known.decision_id is not None or known.signal_id is not None


def _keep_torn(root: Path, name: str, torn: bytes) -> None:
    """Keep the bytes of a torn line. A recovery that was killed after this writes the same again."""
    path = root / "state" / "torn" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        os.write(fd, torn)
        os.fsync(fd)
    finally:
        os.close(fd)


def _append(path: Path, line: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(fd, line + b"\n")
    finally:
        os.close(fd)
