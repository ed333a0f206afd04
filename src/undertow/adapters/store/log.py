"""The decision log of one data-plane process: an intent before the first upstream call, a record before the answer's last byte.

Two files are written side by side, `intents/SEG.intents` and `decisions/open/SEG.jsonl.open`, and they are followed together by
the next pair. Intents that are still open then are copied into the new intents file before the old one goes. From this follows
what recovery relies on: an intents file that is gone has no open intent, and the record of an intent stands in the segment of
the same number or a later one.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.layout import INTENTS, OPEN, OPEN_FOLDER, SegmentNames
from undertow.adapters.store.segments import SegmentLimits, SegmentWriter, is_broken
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.serving import StorePlan

RECENT_RECORDS = 2_000
RECENT_BYTES = 4_000_000


class StoreDecisionLog:
    """Implements `undertow.ports.decision_log.DecisionLog` in a local folder.

    One process, one thread: everything but `sync` and `is_dirty` must be called from the thread that made it, after any fork.
    Nothing raises or waits for a disk. Call `tick` a few times a second and `sync` in the background
    (`undertow.adapters.store.syncing.sync_loop` does both).

    Args:
        store: Path and rotation of the store.
        writer: Name of this writer, part of the names of its segments: `w0`.
        waiting_bytes: Most bytes of records that wait in memory while the store cannot be written.
        clock: Seconds since 1970.
        monotonic: Seconds of a clock that is never set.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> log = StoreDecisionLog(StorePlan(path=folder.name), "w0")
        >>> log.begin(Intent(decision_id="d1", event_time="2026-03-01T12:00:00.000Z"))
        >>> log.unsettled
        1
        >>> log.finish(DecisionRecord(decision_id="d1", event_time="2026-03-01T12:00:00.000Z", tier="cheap"))
        >>> log.unsettled, log.waiting, log.lost
        (0, 0, 0)
        >>> log.close()
        >>> folder.cleanup()
    """

    def __init__(
        self,
        store: StorePlan,
        writer: str,
        *,
        waiting_bytes: int = 16_000_000,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        root = Path(store.path)
        self._open_folder = root / "decisions" / OPEN_FOLDER
        self._intents_folder = root / "intents"
        self._names = SegmentNames(writer, clock)
        self._encode = _encoder()
        self._in_flight: dict[str, bytes] = {}
        self._unwritten: dict[str, bytes] = {}
        self._intents: AppendFile | None = None
        self._outlived: deque[AppendFile] = deque()
        self._recent = _Recent(RECENT_RECORDS, RECENT_BYTES)
        self._records = SegmentWriter(
            "decisions",
            root / "state" / "gaps.jsonl",
            self._open_pair,
            SegmentLimits(store.segment_bytes, store.segment_s, waiting_bytes),
            on_settled=self._settle,
            clock=clock,
            monotonic=monotonic,
        )
        self._records.retry()

    def begin(self, intent: Intent) -> None:
        """Write an intent, before the first upstream call. Returns once the operating system has it, if it can be written."""
        line = self._encode(intent) + b"\n"
        self._in_flight[intent.decision_id] = line
        file = self._intents
        if file is None or not file.append(line):
            self._unwritten[intent.decision_id] = line
            self._records.retry()

    def finish(self, record: DecisionRecord) -> None:
        """Write the record, before the last byte of the answer, and settle the intent of the same id."""
        key = record.decision_id
        line = self._encode(record) + b"\n"
        records = self._records
        if records.append(line, key):
            self._in_flight.pop(key, None)
        if self._unwritten:
            # Its record is in the segment or waits for it: the intent has nothing more to tell.
            self._unwritten.pop(key, None)
        self._recent.add(key, line)
        if records.is_due:
            records.rotate()

    def recent(self, decision_id: str) -> bytes | None:
        """The JSON line of one of the last records of this process, or None."""
        return self._recent.get(decision_id)

    @property
    def unsettled(self) -> int:
        """Intents whose record has not been written yet."""
        return len(self._in_flight)

    @property
    def waiting(self) -> int:
        """Records in memory that could not be written yet."""
        return self._records.waiting

    @property
    def lost(self) -> int:
        """Records that could not be kept since the process began."""
        return self._records.lost

    @property
    def sync_errors(self) -> int:
        """How often the disk failed to confirm what was written."""
        return self._records.sync_errors

    def tick(self) -> None:
        """What time brings: try again what waits, rotate by age. Cheap; call it a few times a second."""
        self._records.tick()
        if self._outlived:
            self._drop_outlived()
        intents = self._intents
        if intents is None:
            return
        if self._unwritten:
            self._write_intents(intents)
        if intents.was_removed or (self._unwritten and is_broken(intents)):
            self._records.rotate()

    def sync(self) -> None:
        """Wait until the disk has everything that was written; may run in another thread."""
        self._records.sync()
        intents = self._intents
        if intents is not None:
            try:
                intents.sync()
            except OSError:
                self._records.sync_errors += 1

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        return self._records.is_dirty or (self._intents is not None and self._intents.is_dirty)

    def close(self) -> None:
        """Seal the segment. The intents file goes, unless an intent is open: recovery gives it its record."""
        self._records.close()
        self._drop_outlived()
        intents, self._intents = self._intents, None
        if intents is None:
            return
        if self._in_flight:
            self._write_intents(intents)
            intents.close()
            return
        try:
            # An older file that could not be removed must be closed by recovery, and that needs this one's segment unconverted.
            if not self._outlived:
                intents.discard()
        except OSError:
            pass  # recovery removes it
        finally:
            intents.close()
            for file in self._outlived:
                file.close()

    def _settle(self, key: str) -> None:
        self._in_flight.pop(key, None)

    def _open_pair(self) -> None:
        """Open the next pair of files, with the open intents in it, and leave the pair before."""
        name = self._names.next()
        intents = AppendFile.create(self._intents_folder / f"{name}{INTENTS}")
        try:
            carried = b"".join(self._in_flight.values())
            if carried and not intents.append(carried):
                raise intents.error or OSError("the open intents could not be copied")
            records = AppendFile.create(self._open_folder / f"{name}{OPEN}")
        except OSError:
            try:
                intents.discard()
            finally:
                intents.close()
            raise
        self._unwritten.clear()
        before, self._intents = self._intents, intents
        self._records.switch(records)
        if before is not None:
            self._outlived.append(before)
            self._drop_outlived()

    def _drop_outlived(self) -> None:
        """Remove intents files that have no open intent any more, oldest first: one that stays keeps those after it."""
        while self._outlived:
            try:
                self._outlived[0].discard()
            except OSError:
                return
            self._outlived.popleft()

    def _write_intents(self, file: AppendFile) -> None:
        if self._unwritten and file.append(b"".join(self._unwritten.values())):
            self._unwritten.clear()


def _encoder() -> Callable[[DecisionRecord | Intent], bytes]:
    encode = msgspec.json.Encoder().encode

    def encode_any(value: DecisionRecord | Intent) -> bytes:
        try:
            return encode(value)
        except UnicodeEncodeError:  # half of a surrogate pair, from a header or a cut text
            return encode(_without_surrogates(msgspec.to_builtins(value)))

    return encode_any


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value


class _Recent:
    """The last so many lines by id, and no more than so many bytes of them."""

    __slots__ = ("_bytes", "_lines", "_most", "_most_bytes", "_order")

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lines: dict[str, bytes] = {}
        # The ids apart: the first key of a dict that loses its first keys is ever further from its start.
        self._order: deque[str] = deque()
        self._bytes = 0

    def add(self, key: str, line: bytes) -> None:
        before = self._lines.get(key)
        if before is None:
            self._order.append(key)
        else:
            self._bytes -= len(before)
        self._lines[key] = line
        self._bytes += len(line)
        while self._bytes > self._most_bytes or len(self._order) > self._most:
            self._bytes -= len(self._lines.pop(self._order.popleft()))

    def get(self, key: str) -> bytes | None:
        return self._lines.get(key)
