"""The job that exports spans: the decision log's lines in, spans to the receiver out, off the request path."""

import logging
from collections.abc import Callable, Mapping
from threading import Event
from typing import Protocol

import msgspec

from undertow.adapters.telemetry.json_logs import fields
from undertow.adapters.telemetry.segment_tail import Chunk, SegmentTail
from undertow.adapters.telemetry.spans import Span, spans_of
from undertow.records.decision import DecisionRecord
from undertow.records.unreadable import UNREADABLE

log = logging.getLogger("undertow.keeper")

MOST_CHUNKS = 200
"""Chunks a run, so that a long backlog shows in the counters while it is worked off."""


class Exporter(Protocol):
    """Where spans go."""

    def export(self, spans: tuple[Span, ...]) -> bool:
        """Send them; False: they were not taken."""
        ...

    def close(self) -> None:
        """Let go of the receiver; an export under way ends early."""
        ...


class ReceiverError(Exception):
    """The receiver took no spans; they will be sent again."""


class Traces:
    """Spans of every decision, each at least once.

    Args:
        tail: The log's lines.
        connect: Opens the exporter; called with the first spans.
        providers: Provider by tier.
    """

    def __init__(self, tail: SegmentTail, connect: Callable[[], Exporter], providers: Mapping[str, str]) -> None:
        self._tail, self._connect, self._providers = tail, connect, providers
        self._decode = msgspec.json.Decoder(DecisionRecord).decode
        self._exporter: Exporter | None = None
        self._stopping = Event()
        self._told_lost = 0

    def run(self) -> Mapping[str, int]:
        """Export what is new.

        Raises:
            ReceiverError: The receiver did not take it.
            OSError: The log cannot be read, or the place in it not be kept.
            ConfigError: The libraries are not installed.
        """
        if not self._tail.own():
            return {}
        exported = unreadable = 0
        for _ in range(MOST_CHUNKS):
            chunk = None if self._stopping.is_set() else self._tail.read()
            if chunk is None:
                break
            spans, bad = self._spans(chunk)
            if spans and not self._connected().export(spans):
                raise ReceiverError(f"{len(spans)} spans were not taken")
            self._tail.commit(chunk)
            exported, unreadable = exported + len(spans), unreadable + bad
        lost = self._tail.lost - self._told_lost
        if lost:
            self._told_lost = self._tail.lost
            log.warning("traces_lost", extra=fields(decisions=lost))
        return {"spans_exported": exported, "trace_lines_unreadable": unreadable, "trace_decisions_lost": lost}

    def stop(self) -> None:
        """End a run in hand soon: what it has not delivered comes again after the next start."""
        self._stopping.set()
        if self._exporter is not None:
            self._exporter.close()

    def _connected(self) -> Exporter:
        if self._exporter is None:
            self._exporter = self._connect()
        return self._exporter

    def _spans(self, chunk: Chunk) -> tuple[tuple[Span, ...], int]:
        spans: list[Span] = []
        bad = 0
        for line in chunk.lines:
            try:
                spans += spans_of(self._decode(line), self._providers)
            except (ValueError, OverflowError, *UNREADABLE):
                bad += 1
        return tuple(spans), bad
