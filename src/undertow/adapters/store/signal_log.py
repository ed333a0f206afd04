"""Keeps signals in segments, each id once, whatever process receives it and however often it is sent."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import msgspec

from undertow.adapters.store.append_file import AppendFile
from undertow.adapters.store.layout import OPEN, OPEN_FOLDER, SegmentNames
from undertow.adapters.store.segments import SegmentLimits, SegmentWriter
from undertow.adapters.store.signal_ids import SignalIds
from undertow.records.serving import StorePlan
from undertow.records.signal import SignalRecord

IDS_FILE = "signal-ids.sqlite"


class StoreSignalLog:
    """Implements `undertow.ports.decision_log.SignalLog` in a local folder.

    Signals are looked up, written, and then remembered by their ids. A crash between the last two can make a signal appear
    twice in the files, which the reader drops by its id; it cannot lose one that a caller was told is kept.

    Any thread may call it, one at a time gets in; it may wait for other processes, so keep it off an event loop. Make it
    after any fork.

    Args:
        store: Path and rotation of the store.
        writer: Name of this writer, part of the names of its segments: `w0`.
        clock: Seconds since 1970.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> log = StoreSignalLog(StorePlan(path=folder.name), "w0")
        >>> thumb = SignalRecord(
        ...     signal_id="s1", event_time="2026-03-01T12:00:00.000Z", decision_id="d1", kind="thumb", name="helpful", value=1.0
        ... )
        >>> log.add((thumb,)), log.add((thumb,))
        ((True,), (False,))
        >>> log.close()
        >>> folder.cleanup()
    """

    def __init__(self, store: StorePlan, writer: str, *, clock: Callable[[], float] = time.time) -> None:
        root = Path(store.path)
        self._folder = root / "signals" / OPEN_FOLDER
        self._names = SegmentNames(writer, clock)
        self._encode = msgspec.json.Encoder().encode
        self._ids = SignalIds(root / "state" / IDS_FILE, clock)
        self._lock = Lock()
        limits = SegmentLimits(store.segment_bytes, store.segment_s)
        self._segments = SegmentWriter("signals", root / "state" / "gaps.jsonl", self._open, limits, clock=clock)
        self._in_use = False

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Keep signals; for each, whether it was new (False: a known id, or one that stands before it in `signals`).

        Raises:
            OSError: It could not be written; the caller must be told to send all of them again.
        """
        with self._lock, self._ids.exclusively() as ids:
            keys = [_key(signal) for signal in signals]
            known = ids.known(keys)
            fresh: dict[str, bytes] = {}
            is_new: list[bool] = []
            for key, signal in zip(keys, signals, strict=True):
                is_new.append(key not in known and key not in fresh)
                if is_new[-1]:
                    fresh[key] = self._encode(signal) + b"\n"
            if fresh:
                # One write for all of them: either all are kept, or the caller sends all again.
                self._segments.append_now(b"".join(fresh.values()))
                self._in_use = True
                ids.add(tuple(fresh))
        return tuple(is_new)

    def tick(self) -> None:
        """What time brings: rotate by age. May wait for a call of `add`; see `sync`."""
        with self._lock:
            if self._in_use:
                self._segments.tick()

    def sync(self) -> None:
        """Rotate by age, and wait until the disk has everything; for another thread than the event loop's."""
        self.tick()
        self._segments.sync()

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        return self._segments.is_dirty or self._segments.is_due

    def close(self) -> None:
        """Seal the segment."""
        with self._lock:
            self._segments.close()
            self._ids.close()

    def _open(self) -> None:
        self._segments.switch(AppendFile.create(self._folder / f"{self._names.next()}{OPEN}"))


def _key(signal: SignalRecord) -> str:
    """What is kept once: an id, and each correction of it."""
    return f"{signal.signal_id}\x1f{signal.revision}" if signal.revision else signal.signal_id
