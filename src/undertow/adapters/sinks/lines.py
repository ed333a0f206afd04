"""Records and signals as JSON lines to a stream, for platforms that collect standard output.

A line is `{"undertow": "decision", ...}` or `{"undertow": "signal", ...}` with the columns of the canonical files beside the mark;
`jq -c 'select(.undertow == "decision") | del(.undertow)'` makes a decision log of them.
"""

import logging
import sys
from collections.abc import Callable
from threading import Lock

import msgspec

from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

log = logging.getLogger("undertow.client")

REMEMBERED_IDS = 10_000


class RecentIds:
    """The last so many ids, to know a signal that is sent again within one process."""

    def __init__(self, most: int = REMEMBERED_IDS) -> None:
        self._ids: dict[str, None] = {}
        self._most = most

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def add(self, name: str) -> None:
        """Remember an id."""
        self._ids[name] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]

    def fresh(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """For each signal, whether its id is new: neither remembered nor that of one before it. Remembers none of them."""
        seen: set[str] = set()
        is_new = []
        for signal in signals:
            is_new.append(signal.signal_id not in self._ids and signal.signal_id not in seen)
            seen.add(signal.signal_id)
        return tuple(is_new)


class LineSink:
    r"""Implements `DecisionLog` and `SignalLog` over a function that writes bytes. Any thread may call it.

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
        self._lock = Lock()
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
        with self._lock:
            try:
                self._write(b'{"undertow":"decision",' + self._encode(record)[1:] + b"\n")
            except (OSError, UnicodeEncodeError):
                self.lost += 1
                is_first = self.lost == 1
            else:
                return
        if is_first:
            log.error("records_lost", extra={"sink": "lines"})

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Write signals, each id once in this process; the audit drops repeats of others.

        Raises:
            OSError: They could not be written.
        """
        with self._lock:
            is_new = self._seen.fresh(signals)
            fresh = [signal for signal, new in zip(signals, is_new, strict=True) if new]
            for signal in fresh:
                self._write(b'{"undertow":"signal",' + self._encode(signal)[1:] + b"\n")
                self._seen.add(signal.signal_id)
            return is_new

    def flush(self) -> None:
        """Nothing waits here: a line has left the process when it was taken."""

    def close(self) -> None:
        """Nothing is held open."""


def write_to_standard_output(line: bytes) -> None:
    """Write a line to standard output, whatever stands there.

    Raises:
        OSError: It cannot be written.
    """
    out = sys.stdout
    try:
        binary = getattr(out, "buffer", None)
        if binary is None:  # a notebook's, or a test's
            out.write(line.decode())
        else:
            out.flush()
            binary.write(line)
        out.flush()
    except (ValueError, AttributeError) as error:  # closed, or there is none
        raise OSError(f"standard output cannot be written ({type(error).__name__})") from error
