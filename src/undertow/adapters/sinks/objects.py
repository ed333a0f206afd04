"""Records and signals into object storage (S3, GCS, Azure, any fsspec file system): gathered in memory, written as whole objects.

    URL/decisions/date=2026-03-01/20260301T120000123Z-lambda-0123456789ab-000001.jsonl
    URL/signals/date=2026-03-01/...

Objects cannot be appended to, so a record waits in memory until `flush`: call it before a function freezes. What was not
flushed when the process is killed is lost, and so is what does not fit into the bound while the storage cannot be reached; the
latter is counted. A process that ends normally flushes a last time, as far as it still can. `undertow audit` reads the objects
once they are copied to disk.
"""

import atexit
import concurrent.futures.thread  # noqa: F401 (registers the end of thread pools, which must come after ours)
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from undertow.adapters.sinks.lines import RecentIds
from undertow.adapters.store.layout import SegmentNames
from undertow.errors import ConfigError
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

log = logging.getLogger("undertow.client")

MOST_BYTES = 16_000_000
"""Most that waits in memory; beyond, the oldest lines are dropped and counted as lost."""
FLUSH_BYTES = 4_000_000
"""When so much has gathered it is written without being asked, in the background."""

Key = tuple[str, str]
"""Kind of rows and UTC day: one object each."""


class ObjectSink:
    """Implements `DecisionLog` and `SignalLog` over an fsspec file system. Any thread may call it.

    Args:
        url: Folder, such as `s3://bucket/undertow`.
        options: Options of the file system (endpoint, profile); credentials are found as fsspec finds them.
        writer: Part of the objects' names.
        open_file_system: (url, options) -> (file system, path); fsspec's own by default.
        most_bytes: Most bytes of lines that wait in memory.
        flush_bytes: From so many bytes on they are written in the background.

    Attributes:
        lost: Lines that were dropped.

    Raises:
        ConfigError: fsspec, or what it needs for this kind of URL, is not installed.
    """

    def __init__(
        self,
        url: str,
        options: dict[str, Any] | None = None,
        *,
        writer: str = "client",
        open_file_system: Callable[[str, dict[str, Any]], tuple[Any, str]] | None = None,
        most_bytes: int = MOST_BYTES,
        flush_bytes: int = FLUSH_BYTES,
    ) -> None:
        self._files, self._folder = (open_file_system or _open_file_system)(url, options or {})
        self._most_bytes, self._flush_bytes = most_bytes, flush_bytes
        self._names = SegmentNames(writer)
        self._encode = msgspec.json.Encoder().encode
        self._lines: dict[Key, deque[bytes]] = {}
        self._objects: dict[Key, str] = {}
        self._bytes = 0
        self._flush_at = flush_bytes
        self._open: set[str] = set()
        self._seen = RecentIds()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._background: threading.Thread | None = None
        self.lost = 0
        _OPEN.add(self)

    @property
    def waiting(self) -> int:
        """Lines that wait for the next flush."""
        with self._lock:
            return sum(map(len, self._lines.values()))

    @property
    def unsettled(self) -> int:
        """Decisions that have begun and have no record yet."""
        return len(self._open)

    def begin(self, intent: Intent) -> None:
        """Note that a decision has begun."""
        self._open.add(intent.decision_id)

    def finish(self, record: DecisionRecord) -> None:
        """Take the record; it is written with the next flush, or in the background when much has gathered."""
        self._open.discard(record.decision_id)
        try:
            line = self._encode(record) + b"\n"
        except UnicodeEncodeError:  # half of a surrogate pair
            self._count_lost(1)
            return
        self._take("decisions", record.event_time[:10], line)

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Write signals now, each id once in this process; the audit drops repeats of others.

        Raises:
            OSError: They could not be written. They stay in memory and are written with the next flush.
        """
        with self._lock:
            is_new = self._seen.fresh(signals)
            for signal in signals:
                self._seen.add(signal.signal_id)
        for signal, new in zip(signals, is_new, strict=True):
            if new:
                self._take("signals", signal.event_time[:10], self._encode(signal) + b"\n")
        self.flush()
        return is_new

    def flush(self) -> None:
        """Write what has gathered, one object a kind and day; returns when the storage has confirmed all of it.

        Raises:
            OSError: It could not be written; it stays in memory.
        """
        with self._writing:
            failed: OSError | None = None
            for key in tuple(self._lines):
                try:
                    self._write(key)
                except OSError as error:
                    failed = error
            with self._lock:
                # After a failure the background waits for more to gather, rather than fail with every record.
                self._flush_at = self._flush_bytes if failed is None else self._bytes + self._flush_bytes // 4
            if failed is not None:
                raise failed

    def close(self) -> None:
        """Flush; nothing is held open."""
        self.flush()
        _OPEN.discard(self)

    def _write(self, key: Key) -> None:
        """Write the lines of one key. A write that failed is repeated under the same name: it may have gone in all the same."""
        with self._lock:
            lines = self._lines.pop(key, None)
            if lines is None:
                return
            name = self._objects.setdefault(key, self._names.next())
        kind, day = key
        content = b"".join(lines)
        try:
            self._files.pipe_file(f"{self._folder}/{kind}/date={day}/{name}.jsonl", content)
        except Exception as error:  # each file system has errors of its own
            with self._lock:
                lines.extend(self._lines.get(key, ()))
                self._lines[key] = lines
                dropped = self._drop_surplus()
            self._count_lost(dropped)
            raise OSError(f"object storage did not take {len(lines):,} lines ({type(error).__name__})") from error
        with self._lock:
            self._bytes -= len(content)
            del self._objects[key]

    def _take(self, kind: str, day: str, line: bytes) -> None:
        with self._lock:
            self._lines.setdefault((kind, day), deque()).append(line)
            self._bytes += len(line)
            dropped = self._drop_surplus()
            is_due = self._bytes >= self._flush_at and (self._background is None or not self._background.is_alive())
            if is_due:
                self._background = threading.Thread(target=self._flush_quietly, name="undertow-objects", daemon=True)
                self._background.start()
        self._count_lost(dropped)

    def _drop_surplus(self) -> int:
        dropped = 0
        for key in tuple(self._lines):
            lines = self._lines[key]
            while lines and self._bytes > self._most_bytes:
                self._bytes -= len(lines.popleft())
                dropped += 1
            if not lines:
                del self._lines[key]
        return dropped

    def _count_lost(self, lines: int) -> None:
        if lines:
            if not self.lost:
                log.error("records_lost", extra={"sink": "objects"})
            self.lost += lines

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except OSError as error:
            log.warning("flush_failed", extra={"sink": "objects", "cause": type(error.__cause__).__name__})


_OPEN: "weakref.WeakSet[ObjectSink]" = weakref.WeakSet()


def _flush_all() -> None:
    for sink in tuple(_OPEN):
        if sink.waiting:
            try:
                sink.flush()
            except OSError:
                log.error("records_lost", extra={"sink": "objects", "lines": sink.waiting})  # noqa: TRY400


# Plain atexit functions run when thread pools take no work any more, and file systems look names up in one.
getattr(threading, "_register_atexit", atexit.register)(_flush_all)


def _open_file_system(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigError("records in object storage need fsspec; install undertow[objects]") from None
    try:
        files, path = fsspec.core.url_to_fs(url, **options)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"the sink {url.split('://', 1)[0]}:// cannot be used: {error}") from None
    return files, path.rstrip("/")
