"""Records and signals as JSON lines to a stream, for platforms that collect standard output.

A line is `{"undertow": "decision", ...}` or `{"undertow": "signal", ...}` with the columns of the canonical files beside the mark;
`jq -c 'select(.undertow == "decision") | del(.undertow)'` makes a decision log of them.
"""

from collections.abc import Callable

import msgspec

from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

REMEMBERED_IDS = 10_000


class RecentIds:
    """The last so many ids, to know a signal that is sent again within one process."""

    def __init__(self, most: int = REMEMBERED_IDS) -> None:
        self._ids: dict[str, None] = {}
        self._most = most

    def is_new(self, name: str) -> bool:
        """Whether the id was not seen; it is now."""
        if name in self._ids:
            return False
        self._ids[name] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]
        return True


class LineSink:
    r"""Implements `DecisionLog` and `SignalLog` over a function that writes bytes.

    Intents are not written: a platform that collects lines has no store in which recovery could find them. What cannot be
    written is counted as lost.

    Args:
        write: Writes one line; raises OSError where it cannot.

    Examples:
        >>> lines = []
        >>> sink = LineSink(lines.append)
        >>> sink.finish(DecisionRecord(decision_id="d", event_time="2026-01-01T00:00:00.000Z"))
        >>> lines[0]
        b'{"undertow":"decision","decision_id":"d","event_time":"2026-01-01T00:00:00.000Z"}\n'
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._open: set[str] = set()
        self._seen = RecentIds()
        self._encode = msgspec.json.Encoder().encode
        self.waiting = 0
        self.lost = 0

    @property
    def unsettled(self) -> int:
        """Decisions that have begun and have no record yet."""
        return len(self._open)

    def begin(self, intent: Intent) -> None:
        """Note that a decision has begun."""
        self._open.add(intent.decision_id)

    def finish(self, record: DecisionRecord) -> None:
        """Write the record."""
        self._open.discard(record.decision_id)
        try:
            self._write(b'{"undertow":"decision",' + self._encode(record)[1:] + b"\n")
        except OSError:
            self.lost += 1

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Write signals, each id once in this process; the audit drops repeats of others.

        Raises:
            OSError: They could not be written.
        """
        is_new = tuple(self._seen.is_new(signal.signal_id) for signal in signals)
        for signal, fresh in zip(signals, is_new, strict=True):
            if fresh:
                self._write(b'{"undertow":"signal",' + self._encode(signal)[1:] + b"\n")
        return is_new

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is held open."""
