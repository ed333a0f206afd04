"""Finds one record by its id in the segments that are still JSON lines, without the engine.

Reads in blocks rather than through a memory map: the pages of a map would count towards the memory of a data-plane worker.
"""

import re
from pathlib import Path

import msgspec

from undertow.adapters.store.layout import OPEN, OPEN_FOLDER, SEALED, list_segments
from undertow.records.unreadable import UNREADABLE

BLOCK = 1 << 20
CLOCK_SLACK_S = 60.0
LINE_LIMIT = 64 << 20
_ID = re.compile(r"[0-9a-f]{32}")


class _Id(msgspec.Struct, gc=False):
    decision_id: str


def find_record(store_path: str | Path, decision_id: str) -> bytes | None:
    """The JSON line of a decision (without its newline), or None: it is not in these segments.

    A record that was converted and whose grace period is over is found by `find_in_parquet` only. Reads a few hundred MB
    at worst, so keep it off an event loop.

    Args:
        store_path: The store's root folder.
        decision_id: 32 hex digits, of which the first 12 are the milliseconds of its event_time; anything else is not found.
    """
    if not _ID.fullmatch(decision_id):
        return None
    began_s = int(decision_id[:12], 16) / 1000
    folder = Path(store_path) / "decisions" / OPEN_FOLDER
    segments = {path for ending in (OPEN, SEALED) for _, path in list_segments(folder, ending)}
    for path in sorted(segments, reverse=True):
        line = _search(path, decision_id, began_s)
        if line is not None:
            return line
    return None


def _search(path: Path, decision_id: str, began_s: float) -> bytes | None:
    # No blank: that is how the segments are encoded.
    needle = b'"decision_id":"' + decision_id.encode() + b'"'
    for candidate in (path, path.with_name(path.name.removesuffix(OPEN) + SEALED)):  # it may be sealed meanwhile
        try:
            with candidate.open("rb") as file:
                # A segment that was last written to before the request came cannot hold its record.
                if candidate.stat().st_mtime < began_s - CLOCK_SLACK_S:
                    return None
                offset = 0
                rest = b""
                while block := file.read(BLOCK):
                    data = rest + block
                    start = data.find(needle)
                    while start >= 0:
                        line = _line_at(candidate, offset - len(rest) + start)
                        if line is not None and _id_of(line) == decision_id:
                            return line
                        start = data.find(needle, start + 1)
                    offset += len(block)
                    rest = data[-(len(needle) - 1) :]
                return None
        except FileNotFoundError:
            continue
    return None


def _line_at(path: Path, position: int) -> bytes | None:
    """The whole line around a position, or None where it has no end yet."""
    with path.open("rb") as file:
        start = position
        head = b""
        while start > 0 and b"\n" not in head and len(head) < LINE_LIMIT:
            step = min(4096, start)
            start -= step
            file.seek(start)
            head = file.read(step) + head
        file.seek(position - len(head) + head.rfind(b"\n") + 1)
        line = file.readline(LINE_LIMIT)
    return line[:-1] if line.endswith(b"\n") else None


def _id_of(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Id).decision_id
    except UNREADABLE:
        return None
