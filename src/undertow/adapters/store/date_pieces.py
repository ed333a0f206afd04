"""Sorts a segment's lines by UTC date, and keeps apart those that are not as they should be.

Types are checked here and not by the engine, which would say that a line is bad but not let the rest pass.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from undertow.records.decision import DecisionRecord
from undertow.records.signal import SignalRecord
from undertow.records.unreadable import UNREADABLE

LONGEST_LINE = 16_000_000
LONG_LINES, PIECE_BYTES = 8_000, 16_000_000
"""A date whose lines are longer than this on average is cut into pieces of this size: the engine takes 2,048 lines at a time."""
MOST_OPEN_DATES = 64
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What the reader takes for a time; see its row rules."""

Part = Literal["decisions", "signals"]


class _DecisionKey(msgspec.Struct, gc=False):
    decision_id: str
    event_time: str


class _SignalKey(msgspec.Struct, gc=False):
    signal_id: str
    event_time: str


_RECORDS: dict[Part, type[DecisionRecord] | type[SignalRecord]] = {"decisions": DecisionRecord, "signals": SignalRecord}
_KEYS: dict[Part, type[_DecisionKey] | type[_SignalKey]] = {"decisions": _DecisionKey, "signals": _SignalKey}


@dataclass(slots=True)
class Piece:
    """Lines of one date in a file of their own, each with its newline.

    Attributes:
        date: UTC, `YYYY-MM-DD`.
        number: From 1; more than one where the lines are long.
        path: The file.
        rows: Lines in it.
        bytes: Its length.
        longest_bytes: Length of its longest line.
    """

    date: str
    number: int
    path: Path
    rows: int = 0
    bytes: int = 0
    longest_bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the next line belongs into another piece."""
        return self.bytes >= PIECE_BYTES and self.bytes > LONG_LINES * self.rows


def split_by_date(part: Part, path: Path, folder: Path, rejects: Path) -> tuple[list[Piece], int]:
    """Write a segment's lines to `folder` by UTC date of event_time, and to `rejects` those with something of no type.

    A line that has at least an id and a time goes to both; one that has not, or that no engine reads, to `rejects` only.

    Args:
        part: What the lines are.
        path: The segment.
        folder: An empty folder.
        rejects: Written anew, so that doing all of it again gives the same; not made if every line is good.

    Returns:
        The pieces, and the number of lines in `rejects`.

    Raises:
        OSError: Something cannot be read or written.
    """
    record, key = msgspec.json.Decoder(_RECORDS[part]).decode, msgspec.json.Decoder(_KEYS[part]).decode
    bad: list[bytes] = []
    with ExitStack() as stack:
        pieces = _Pieces(folder, stack)
        for raw in stack.enter_context(path.open("rb")):
            line = raw if raw.endswith(b"\n") else raw + b"\n"
            is_good, date = True, None
            try:
                date = _date(record(line).event_time)
            except UNREADABLE:
                is_good = False
                try:
                    date = _date(key(line).event_time)
                except UNREADABLE:
                    date = None
            if date is None or not _is_readable(line):
                bad.append(line)
                continue
            if not is_good:
                bad.append(line)
            pieces.add(date, line)
    if bad:
        rejects.parent.mkdir(parents=True, exist_ok=True)
        rejects.touch(0o640)  # it holds whole lines
        with rejects.open("wb") as kept:
            kept.writelines(bad)
            kept.flush()
            os.fsync(kept.fileno())
    return pieces.all, len(bad)


class _Pieces:
    """The pieces of one segment, a bounded number of files open."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.all: list[Piece] = []
        self._folder, self._stack = folder, stack
        self._latest: dict[str, Piece] = {}
        self._files: dict[Path, BinaryIO] = {}

    def add(self, date: str, line: bytes) -> None:
        piece = self._latest.get(date)
        if piece is None or piece.is_full:
            number = 1 if piece is None else piece.number + 1
            piece = self._latest[date] = Piece(date, number, self._folder / f"{date}.{number}.jsonl")
            self.all.append(piece)
        file = self._files.get(piece.path)
        if file is None:
            if len(self._files) == MOST_OPEN_DATES:
                self._files.pop(next(iter(self._files))).close()
            file = self._files[piece.path] = self._stack.enter_context(piece.path.open("ab"))
        file.write(line)
        piece.rows += 1
        piece.bytes += len(line)
        piece.longest_bytes = max(piece.longest_bytes, len(line))


def _is_readable(line: bytes) -> bool:
    """Whether the engine can read the line at all; decoding looks at known fields only."""
    if len(line) > LONGEST_LINE or b"\x01" in line:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _date(event_time: str) -> str | None:
    try:
        at = datetime.fromisoformat(event_time)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.date().isoformat() if EARLIEST <= at < LATEST else None
