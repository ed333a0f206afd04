"""One answer being read: what a connection fills and what the router reads, whole or piece by piece.

An exchange belongs to its connection until the message ends; then the two part, so that a late `abort` can never hit a
connection that already serves somebody else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn, Protocol

from undertow.ports.upstream import FailureKind, UpstreamFailedError

MAX_UNREAD_BYTES = 262_144
"""More than this waiting for its reader, and the connection stops reading: a slow caller must not fill our memory."""


Taker = Callable[[bytes], Awaitable[None] | None]
"""Takes one piece of a body; returns what to await before the next one, or None."""


class Carrier(Protocol):
    """The connection, as its exchange sees it."""

    def fail(self, kind: FailureKind) -> None:
        """End the exchange and close the connection."""
        ...

    def resume_reading(self) -> None:
        """Read on; does nothing where reading was not paused."""
        ...

    def shorten_deadline(self, seconds: float) -> None:
        """Let the exchange end at most `seconds` from now."""
        ...


class Exchange:
    """An `undertow.ports.upstream.UpstreamAnswer`, and the part of it that its connection writes to.

    Attributes:
        status: HTTP status; 0 until the head has come.
        headers: Response headers, names in lower case; of a repeated header the last.
        tries: How often the tier was tried, this answer included.
        failure: Why it ended early, or None.
        has_ended: The message is complete or has failed.
        is_stale: It went out on a connection that the peer had closed by then: nothing of an answer came.
        was_slow_reader: Its reader left more than `MAX_UNREAD_BYTES` unread when it failed.
        is_passthrough: An answer with a content encoding is taken; otherwise a 2xx with one fails as `garbage`.
        is_head_request: The answer has no body whatever its headers say.
        max_body_bytes: A longer body fails as `too_large`.
        unread: Pieces of the body that nobody has taken.
        unread_bytes: Their length.
        wants_whole: The reader waits for the end, so no piece needs to wake it and nothing is paused.
    """

    __slots__ = (
        "_body_waiter",
        "_carrier",
        "_fault",
        "_head_waiter",
        "_on_end",
        "_stalled",
        "_taker",
        "failure",
        "has_ended",
        "headers",
        "is_head_request",
        "is_passthrough",
        "is_stale",
        "max_body_bytes",
        "status",
        "tries",
        "unread",
        "unread_bytes",
        "wants_whole",
        "was_slow_reader",
    )

    def __init__(
        self,
        carrier: Carrier,
        *,
        max_body_bytes: int,
        on_end: Callable[["Exchange"], None],
        is_passthrough: bool = False,
        is_head_request: bool = False,
    ) -> None:
        self._carrier: Carrier | None = carrier
        self._on_end = on_end
        self._head_waiter: asyncio.Future[None] | None = None
        self._body_waiter: asyncio.Future[None] | None = None
        self._taker: Taker | None = None
        self._stalled: Awaitable[None] | None = None
        self._fault: BaseException | None = None
        self.status = 0
        self.headers: Mapping[bytes, bytes] = {}
        self.tries = 1
        self.failure: FailureKind | None = None
        self.has_ended = False
        self.is_stale = False
        self.was_slow_reader = False
        self.is_passthrough = is_passthrough
        self.is_head_request = is_head_request
        self.max_body_bytes = max_body_bytes
        self.unread: list[bytes] = []
        self.unread_bytes = 0
        self.wants_whole = False

    def __repr__(self) -> str:
        return f"<Exchange {self.status or 'waiting'}{' ended' if self.has_ended else ''} {self.failure or ''}>"

    # The reader's side.

    @property
    def is_event_stream(self) -> bool:
        """Whether the content type is `text/event-stream`."""
        return self.headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")

    async def head(self) -> None:
        """Wait until status and headers are there.

        Raises:
            UpstreamFailedError: The exchange failed before.
        """
        if not self.status and not self.has_ended:
            self._head_waiter = asyncio.get_running_loop().create_future()
            try:
                await self._head_waiter
            except asyncio.CancelledError:
                self.abort()
                raise
        if not self.status or self.failure == "aborted":
            self._raise()

    async def read(self) -> bytes:
        """The whole body. Being cancelled here closes the connection.

        Raises:
            UpstreamFailedError: `cut`, `timeout`, `too_large`, `garbage` or `aborted`.
        """
        self.wants_whole = True
        if not self.has_ended:
            assert self._carrier is not None
            self._carrier.resume_reading()
            try:
                await self._wait()
            except asyncio.CancelledError:
                self.abort()
                raise
        if self.failure is not None:
            self._raise()
        return self._take()

    async def read_at_most(self, size: int, seconds: float) -> bytes:
        """The first `size` bytes of the body, or as many as come within `seconds`. A failure only ends it early."""
        if self._carrier is not None:
            self._carrier.shorten_deadline(seconds)
        pieces: list[bytes] = []
        missing = size
        try:
            async for piece in self:
                pieces.append(piece[:missing])
                missing -= len(pieces[-1])
                if not missing:
                    break
        except UpstreamFailedError:
            pass
        finally:
            self.abort()
        return b"".join(pieces)

    def chunks(self) -> "Exchange":
        """The body as it arrives. Ends normally only where the HTTP message is complete.

        Pieces that came before a failure are given first. Whoever stops before the end must call `abort`; a task that is
        cancelled between two pieces may come back for the next one.

        Raises:
            UpstreamFailedError: `cut`, `timeout`, `too_large`, `garbage` or `aborted`, from the iteration.
        """
        return self

    def __aiter__(self) -> "Exchange":
        return self

    async def __anext__(self) -> bytes:
        while not self.unread:
            if self.failure is not None:
                self._raise()
            if self.has_ended:
                raise StopAsyncIteration
            await self._wait()
        if self.failure == "aborted":
            self._raise()
        piece = self._take()
        if self._carrier is not None:
            self._carrier.resume_reading()
        return piece

    async def pump(self, take: Taker) -> None:
        """Hand each piece to `take` as it arrives, from within the connection's own callback: no task wakes for it.

        See `undertow.ports.upstream.UpstreamAnswer.pump`. Whoever gets an error other than `UpstreamFailedError` here must call
        `abort`.
        """
        while True:
            stalled, self._stalled = self._stalled, None
            if stalled is not None:
                await stalled
            while self.unread and self.failure != "aborted":
                stalled = take(self._take())
                if stalled is not None:
                    await stalled
            if self.failure is not None:
                self._raise()
            if self.has_ended:
                return
            if self._carrier is not None:
                self._carrier.resume_reading()
            self._taker = take
            try:
                await self._wait()
            finally:
                self._taker = None
            if self._fault is not None:
                raise self._fault

    def abort(self) -> None:
        """Close it now; a reader that waits gets `aborted`. Does nothing after the end."""
        if self._carrier is not None:
            self._carrier.fail("aborted")

    def _take(self) -> bytes:
        unread = self.unread
        piece = unread[0] if len(unread) == 1 else b"".join(unread)
        self.unread = []
        self.unread_bytes = 0
        return piece

    async def _wait(self) -> None:
        self._body_waiter = asyncio.get_running_loop().create_future()
        try:
            await self._body_waiter
        finally:
            self._body_waiter = None

    def _raise(self) -> NoReturn:
        raise UpstreamFailedError(self.failure or "cut", tries=self.tries)

    # The connection's side.

    def begin(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        """The head has come."""
        self.status = status
        self.headers = headers
        waiter = self._head_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def wake(self) -> None:
        """Further pieces are unread."""
        waiter = self._body_waiter
        take = self._taker
        if take is not None and waiter is not None:
            try:
                self._stalled = take(self._take())
            except Exception as error:  # noqa: BLE001 (the reader's own, which `pump` raises where the reader waits)
                self._fault = error
            if self._stalled is None and self._fault is None:
                return
            self._taker = None
        if waiter is not None and not self.wants_whole and not waiter.done():
            waiter.set_result(None)

    def end(self, failure: FailureKind | None) -> None:
        """The message is complete (None) or has failed; called once."""
        self._carrier = None
        self.has_ended = True
        self.failure = failure
        if failure is not None:
            self.was_slow_reader = self.unread_bytes > MAX_UNREAD_BYTES and not self.wants_whole
        for waiter in (self._head_waiter, self._body_waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self._on_end(self)
