"""A stream being passed on to its caller, piece by piece."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

from undertow.ports.reply import Reply, ServedBy
from undertow.ports.upstream import UpstreamAnswer
from undertow.ports.wire import StreamPiece, StreamReader
from undertow.records.answer import AnswerFacts

END_S = 1.0
"""An upstream may take this long to end its message after the last event; the answer is whole by then."""


class Serving(Protocol):
    """The request that a stream is for, as the stream sees it; see `undertow.services.account.Account`."""

    reply: Reply
    done: bool
    sent_chars: int
    ttft_ms: float | None

    def elapsed_ms(self) -> float:
        """Since the request arrived."""
        ...

    def good_status(self) -> str:
        """Status of an answer that was served whole."""
        ...

    def served_by(self, tier: str | None) -> ServedBy:
        """What the caller is told beside the answer."""
        ...

    def record(
        self, facts: AnswerFacts | None, *, status: str, tier: str | None = None, error: str | None = None
    ) -> None:
        """Write the one record."""
        ...


class Streaming(Protocol):
    """The call whose stream is passed on; see `undertow.services.open_call.OpenCall`."""

    tier: str
    reader: StreamReader

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The upstream's response headers."""
        ...

    def ended(self, facts: AnswerFacts | None, status: str) -> int:
        """Note that it is over; returns its place among the calls."""
        ...

    def abort(self) -> None:
        """Close its connection now, if it has one that is still open."""
        ...


class LiveStream:
    """A stream being passed on: takes pieces from within the upstream's callbacks, and sends them on without a task waking up.

    Until the first piece of the answer itself, everything is kept back, so that another tier can still answer.
    """

    __slots__ = ("call", "ending", "reader", "run", "started", "waiting")

    def __init__(self, run: Serving, call: Streaming) -> None:
        self.run = run
        self.call = call
        self.reader = call.reader
        self.started = False
        self.waiting = b""
        self.ending: asyncio.TimerHandle | None = None

    def resume(self, held: bytes, last: bytes, *, has_content: bool) -> None:
        """Begin with what was held back until now.

        Args:
            held: Events that have come, without those that end the stream.
            last: The events that end it, or nothing: it goes on.
            has_content: A piece of the answer itself is among them.
        """
        if last:
            self.end(held + last)
        elif has_content:
            self.start()
            self.run.reply.send(held)
        else:
            self.waiting = held

    def take(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a chunk; what is returned is to be awaited before the next one."""
        run, reply = self.run, self.run.reply
        piece = self.reader.feed(chunk)
        if piece.error is not None:
            if self.started and piece.forward:
                reply.send(piece.forward)  # what came before the error counts as delivered, so it is
            raise ValueError(piece.error)
        if run.done:
            return None  # the rest of the HTTP message, so that the connection can be used again
        if piece.last:
            self.end(self.waiting + piece.forward + piece.last)
            return None
        if self.started:
            if piece.forward:
                reply.send(piece.forward)
        else:
            self.waiting += piece.forward
            if not piece.has_content:
                return None
            self.start()
            waiting, self.waiting = self.waiting, b""
            reply.send(waiting)
        return reply.room() if reply.is_congested else None

    def start(self) -> None:
        """The answer itself begins."""
        run = self.run
        self.started = True
        run.ttft_ms = run.elapsed_ms()
        run.reply.start(200, self.call.headers, run.served_by(self.call.tier), is_stream=True)

    def end(self, rest: bytes) -> None:
        """The stream's end has come: the record, then its last events."""
        run, facts = self.run, self.reader.facts()
        is_first = not self.started
        if is_first:
            run.ttft_ms = run.elapsed_ms()
        self.call.ended(facts, "ok")
        run.sent_chars = facts.chars
        is_gone = run.reply.disconnected
        status = "abandoned" if is_gone else "error" if facts.is_empty else run.good_status()
        served = None if is_gone and is_first else self.call.tier
        run.record(facts, status=status, tier=served, error="client_closed" if is_gone else None)
        if is_first:
            self.start()
        run.reply.end(rest)
        run.done = True
        self.ending = asyncio.get_running_loop().call_later(END_S, self.call.abort)

    def close(self) -> None:
        """Wait no longer for the end of the upstream's message."""
        if self.ending is not None:
            self.ending.cancel()


def expect_events(answer: UpstreamAnswer) -> None:
    """See that an answer is a stream.

    Raises:
        ValueError: It is not.
    """
    if not answer.is_event_stream:
        raise ValueError("no event stream")


def next_piece(reader: StreamReader, chunk: bytes) -> StreamPiece:
    """What the next chunk becomes; an error that the upstream reports in its stream is raised like any other fault of it."""
    piece = reader.feed(chunk)
    if piece.error is not None:
        raise ValueError(piece.error)
    return piece
