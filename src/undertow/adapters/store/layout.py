"""Where things lie in a store, and how segments are named.

    decisions/open/SEG.jsonl.open         the segment that a writer appends to; locked for as long as it does
    decisions/open/SEG.jsonl              sealed: complete, waiting for conversion
    decisions/open/SEG.done               its Parquet files are complete; it is kept a while for readers that listed it before
    decisions/date=YYYY-MM-DD/SEG.parquet converted, by UTC date of event_time; SEG.2.parquet and so on where lines are long
    signals/...                           the same
    intents/SEG.intents                   what the writer of SEG has begun; locked for as long as the writer lives
    state/                                ids of signals, locks, gaps, torn lines, rejects

A segment's name is `TIME-WRITER-RANDOM-SEQUENCE`: names sort by the time at which they were opened, and WRITER-RANDOM is one
writer's life. An `r` and a number after the sequence mark what recovery wrote for a writer that had died.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time

OPEN, SEALED, DONE, INTENTS = ".jsonl.open", ".jsonl", ".done", ".intents"
OPEN_FOLDER = "open"
_NAME = re.compile(
    r"(?P<time>\d{8}T\d{9}Z)-(?P<writer>[A-Za-z0-9_]+)-(?P<life>[0-9a-f]{12})-(?P<seq>\d{6,})(?P<tail>r\d+)?"
)


@dataclass(frozen=True, slots=True)
class SegmentName:
    """A segment's name, taken apart.

    Attributes:
        text: The whole name.
        life: Writer and random part: the same for all segments of one writer's life.
        sequence: Number of the segment in that life, from 1.
    """

    text: str
    life: str
    sequence: int


def parse_name(text: str) -> SegmentName | None:
    """The parts of a segment's name (without ending); None if it is none of ours.

    Examples:
        >>> parse_name("20260301T120000123Z-w0-0123456789ab-000007")
        SegmentName(text='20260301T120000123Z-w0-0123456789ab-000007', life='w0-0123456789ab', sequence=7)
    """
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    return SegmentName(text, f"{match['writer']}-{match['life']}", int(match["seq"]))


class SegmentNames:
    """The names of one writer's segments, one after the other.

    Args:
        writer: Who writes: `w0`. Characters that a file name should not have become `_`.
        clock: Seconds since 1970.
    """

    def __init__(self, writer: str, clock: Callable[[], float] = time) -> None:
        self._life = f"{re.sub(r'[^A-Za-z0-9_]', '_', writer) or 'w'}-{os.urandom(6).hex()}"
        self._clock = clock
        self._sequence = 0

    def next(self) -> str:
        """A name that no other segment has."""
        self._sequence += 1
        at = datetime.fromtimestamp(self._clock(), UTC)
        return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}Z-{self._life}-{self._sequence:06d}"


def list_segments(folder: Path, ending: str) -> Iterator[tuple[SegmentName, Path]]:
    """Files of `folder` that are named for a segment and end in `ending`, in the order of their names; none if it is missing."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    for name in names:
        parsed = parse_name(name.removesuffix(ending)) if name.endswith(ending) else None
        if parsed is not None:
            yield parsed, folder / name


def utc_text(at_s: float) -> str:
    """Seconds since 1970 as the records write times.

    Examples:
        >>> utc_text(0.25)
        '1970-01-01T00:00:00.250Z'
    """
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
