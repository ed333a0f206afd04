"""Records and signals into object storage (S3, GCS, Azure, any fsspec file system): gathered in memory, written as whole objects.

    URL/decisions/date=2026-03-01/20260301T120000123Z-lambda-0123456789ab-000001.jsonl
    URL/signals/date=2026-03-01/...

Objects cannot be appended to, so a record waits in memory until `flush`: call it before a function freezes. What was not
flushed when the process is killed is lost, and so is what does not fit into the bound while the storage cannot be reached; the
latter is counted. `undertow audit` reads the objects once they are copied to disk.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from undertow.adapters.sinks.lines import RecentIds
from undertow.adapters.store.layout import SegmentNames
from undertow.errors import ConfigError
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

MOST_BYTES = 16_000_000
FLUSH_BYTES = 4_000_000


class ObjectSink:
    """Implements `DecisionLog` and `SignalLog` over an fsspec file system.

    Args:
        url: Folder, such as `s3://bucket/undertow`.
        options: Options of the file system (endpoint, profile); credentials are found as fsspec finds them.
        writer: Part of the objects' names.
        open_file_system: (url, options) -> (file system, path); fsspec's own by default.

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
    ) -> None:
        self._files, self._folder = (open_file_system or _open_file_system)(url, options or {})
        self._names = SegmentNames(writer)
        self._encode = msgspec.json.Encoder().encode
        self._lines: dict[tuple[str, str], deque[bytes]] = {}
        self._bytes = 0
        self._open: set[str] = set()
        self._seen = RecentIds()
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Lines that wait for the next flush."""
        return sum(map(len, self._lines.values()))

    @property
    def unsettled(self) -> int:
        """Decisions that have begun and have no record yet."""
        return len(self._open)

    def begin(self, intent: Intent) -> None:
        """Note that a decision has begun."""
        self._open.add(intent.decision_id)

    def finish(self, record: DecisionRecord) -> None:
        """Take the record; it is written with the next flush, at the latest when 4 MB have gathered."""
        self._open.discard(record.decision_id)
        self._take("decisions", record.event_time[:10], self._encode(record) + b"\n")
        if self._bytes >= FLUSH_BYTES:
            try:
                self.flush()
            except OSError:
                self._drop_surplus()

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Write signals now, each id once in this process.

        Raises:
            OSError: They could not be written.
        """
        is_new = tuple(self._seen.is_new(signal.signal_id) for signal in signals)
        for signal, fresh in zip(signals, is_new, strict=True):
            if fresh:
                self._take("signals", signal.event_time[:10], self._encode(signal) + b"\n")
        self.flush()
        return is_new

    def flush(self) -> None:
        """Write what has gathered, one object a kind and day.

        Raises:
            OSError: It could not be written; it stays in memory.
        """
        for kind, day in list(self._lines):
            lines = self._lines[kind, day]
            content = b"".join(lines)
            path = f"{self._folder}/{kind}/date={day}/{self._names.next()}.jsonl"
            try:
                self._files.pipe_file(path, content)
            except OSError:
                raise
            except Exception as error:  # each file system has errors of its own
                raise OSError(f"object storage did not take {len(lines):,} lines ({type(error).__name__})") from error
            del self._lines[kind, day]
            self._bytes -= len(content)

    def close(self) -> None:
        """Flush; nothing is held open."""
        self.flush()

    def _take(self, kind: str, day: str, line: bytes) -> None:
        self._lines.setdefault((kind, day), deque()).append(line)
        self._bytes += len(line)

    def _drop_surplus(self) -> None:
        for key in list(self._lines):
            lines = self._lines[key]
            while lines and self._bytes > MOST_BYTES:
                self._bytes -= len(lines.popleft())
                self.lost += 1
            if not lines:
                del self._lines[key]


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
