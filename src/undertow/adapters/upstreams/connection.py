"""One HTTP/1.1 connection: a request out in one write, an answer in through llhttp (strict), one exchange at a time.

Rules of the wire that llhttp leaves to us:

- A body is framed by its length or by chunks; only without both does it last until the peer closes. A framed body that the peer
  ends early is `cut`. A transfer coding other than `chunked` is `garbage`, and llhttp refuses a length beside chunks.
- At most `MAX_SILENT_BYTES` may come without a byte of body: that bounds heads, trailers, chunk extensions and interim answers.
- Bytes that nobody asked for close the connection: the next request must not be answered by them.

One timer serves all exchanges of a connection. It is armed for a deadline and looks, when it fires, whether there is a later
one by then; so a request that is answered in time touches no timer at all.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn, cast

import httptools

from undertow.adapters.upstreams.exchange import MAX_UNREAD_BYTES, Exchange
from undertow.ports.upstream import FailureKind

MAX_SILENT_BYTES = 65_536
"""Longest response head, and longest stretch of an answer without a byte of body."""
MAX_INTERIM_ANSWERS = 8
"""1xx answers before the final one."""
JOIN_BYTES = 65_536
"""A body up to this length is copied behind its head, so that both leave in one write."""
MAX_IDLE_S = 55.0
"""An idle connection is not used after this; many servers close after 60 to 75 seconds."""
MAX_AGE_S = 600.0
"""A connection takes no further request after this, so that a changed DNS entry is seen."""

_HTTP_VERSIONS = ("1.1", "1.0")
_WITHOUT_BODY = (204, 304)


class Connection(asyncio.Protocol):
    """A connection to one endpoint.

    Attributes:
        is_reused: It has answered before.
        is_open: It can take a request, as far as is known.
        idle_since_s: Loop time of its last answer's end.
    """

    __slots__ = (
        "_born_s",
        "_deadline_s",
        "_exchange",
        "_has_head",
        "_headers",
        "_interim_answers",
        "_is_complete",
        "_is_framed",
        "_is_interim",
        "_is_paused",
        "_keeps_alive",
        "_loop",
        "_on_closed",
        "_on_idle",
        "_parser",
        "_refusal",
        "_room_bytes",
        "_silent_bytes",
        "_timer",
        "_timer_at_s",
        "_total_deadline_s",
        "_transport",
        "idle_since_s",
        "is_open",
        "is_reused",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[["Connection"], None],
        on_closed: Callable[["Connection"], None],
    ) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0
        self._deadline_s = 0.0
        self._total_deadline_s = 0.0
        self._exchange: Exchange | None = None
        self._headers: dict[bytes, bytes] = {}
        self._silent_bytes = 0
        self._interim_answers = 0
        self._room_bytes = 0
        self._refusal: FailureKind | None = None
        self._has_head = False
        self._is_interim = False
        self._is_framed = False
        self._is_complete = False
        self._keeps_alive = False
        self._is_paused = False
        self._born_s = self.idle_since_s = loop.time()
        self.is_open = False
        self.is_reused = False

    # Requests.

    def start(self, exchange: Exchange, head: bytes, body: bytes, *, first_byte_s: float, total_s: float) -> None:
        """Send a request.

        Args:
            exchange: Where its answer goes.
            head: Request line and headers with the empty line.
            body: Body, of the length that the head states.
            first_byte_s: Deadline of the answer's head, seconds from now.
            total_s: Deadline of its end, seconds from now.
        """
        assert self._exchange is None
        assert self._transport is not None
        now_s = self._loop.time()
        self._exchange = exchange
        self._headers = {}
        self._silent_bytes = 0
        self._interim_answers = 0
        self._room_bytes = exchange.max_body_bytes
        self._has_head = self._is_interim = self._is_complete = False
        self._total_deadline_s = now_s + total_s
        self._arm(now_s + min(first_byte_s, total_s))
        if len(body) <= JOIN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def fail(self, kind: FailureKind) -> None:
        """End the running exchange, if any, and close the connection."""
        self.close()
        if self._exchange is not None:
            self._end(kind)

    def close(self) -> None:
        """Close it at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def is_fresh(self, now_s: float) -> bool:
        """Whether it may take another request at loop time `now_s`."""
        return (
            self.is_open
            and now_s - self.idle_since_s < MAX_IDLE_S
            and now_s - self._born_s < MAX_AGE_S
            and not cast("asyncio.Transport", self._transport).is_closing()
        )

    def resume_reading(self) -> None:
        """Read on; does nothing where reading was not paused."""
        if self._is_paused:
            self._is_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    def shorten_deadline(self, seconds: float) -> None:
        """Let the running exchange end at most `seconds` from now."""
        deadline_s = self._loop.time() + seconds
        if deadline_s < self._deadline_s:
            self._arm(deadline_s)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; asyncio calls this."""
        if self._exchange is None:
            self.close()
            return
        if len(data) > MAX_SILENT_BYTES and not self._has_head:
            # A head must not pass its bound by arriving in one large read.
            for start in range(0, len(data), MAX_SILENT_BYTES):
                self._feed(data[start : start + MAX_SILENT_BYTES])
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.close()
            return
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._is_complete:
                self.fail(self._refusal or "garbage")
                return
            self._keeps_alive = False
        if self._is_complete:
            self._finish()
        elif self._silent_bytes > MAX_SILENT_BYTES:
            self.fail("garbage")
        elif exchange.unread:
            exchange.wake()
            if exchange.unread_bytes > MAX_UNREAD_BYTES and not exchange.wants_whole and not self._is_paused:
                self._is_paused = True
                cast("asyncio.Transport", self._transport).pause_reading()

    def eof_received(self) -> None:
        """The peer will send no more: the end of a body without frame, and a cut everywhere else. asyncio calls this."""
        if self._exchange is not None and self._has_head and not self._is_framed:
            self._keeps_alive = False
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; asyncio calls this."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._exchange is not None:
            if exc is None and self._has_head and not self._is_framed:
                self._end(None)
            else:
                self._end("cut")
        self._on_closed(self)

    # httptools

    def on_message_begin(self) -> None:
        """The first byte of a message."""
        if self._is_complete:
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer, which is dropped."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Status and headers are there."""
        if self._is_complete:
            self._keeps_alive = False
            return
        parser, headers, exchange = self._parser, self._headers, self._exchange
        assert exchange is not None
        self._headers = {}
        status = parser.get_status_code()
        if not self.is_reused and parser.get_http_version() not in _HTTP_VERSIONS:
            self._refuse("garbage")
        if not 200 <= status <= 599:
            self._interim_answers += 1
            if not 100 <= status < 200 or status == 101 or self._interim_answers > MAX_INTERIM_ANSWERS:
                self._refuse("garbage")
            self._is_interim = True
            return
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.strip().lower() != b"chunked":
            self._refuse("garbage")
        length = headers.get(b"content-length")
        self._is_framed = coding is not None or length is not None or status in _WITHOUT_BODY
        if length is not None and int(length) > self._room_bytes and not exchange.is_head_request:
            self._refuse("too_large")
        encoding = headers.get(b"content-encoding")
        if encoding is not None and encoding.lower() != b"identity" and status < 300 and not exchange.is_passthrough:
            self._refuse("garbage")
        self._has_head = True
        self._keeps_alive = parser.should_keep_alive()
        self._deadline_s = self._total_deadline_s
        exchange.begin(status, headers)
        if exchange.is_head_request:
            # llhttp would wait for the body that the headers describe; the connection is not used again.
            self._keeps_alive = False
            self._is_complete = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._is_complete:
            self._keeps_alive = False
            return
        exchange = self._exchange
        assert exchange is not None
        size = len(data)
        self._silent_bytes = 0
        self._room_bytes -= size
        if self._room_bytes < 0:
            self._refuse("too_large")
        exchange.unread.append(data)
        exchange.unread_bytes += size

    def on_message_complete(self) -> None:
        """The end of a message, interim ones included."""
        if self._is_interim:
            self._is_interim = False
        else:
            self._is_complete = True

    # Ends.

    def _refuse(self, kind: FailureKind) -> NoReturn:
        """Leave the parser: it reports an error, and the exchange fails with `kind`."""
        self._refusal = kind
        raise ValueError(kind)

    def _finish(self) -> None:
        """The message is complete: give the connection back first, so that whoever wakes finds it."""
        transport = cast("asyncio.Transport", self._transport)
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        if not self._keeps_alive or transport.get_write_buffer_size():
            self.close()
        else:
            self.resume_reading()
            self.is_reused = True
            self.idle_since_s = self._loop.time()
            self._on_idle(self)
        exchange.end(None)

    def _end(self, kind: FailureKind | None) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.is_stale = kind == "cut" and self.is_reused and not self._silent_bytes and not self._has_head
        exchange.end(kind)

    # Time.

    def _arm(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        if self._timer is not None:
            if self._timer_at_s <= deadline_s:
                return
            self._timer.cancel()
        self._timer_at_s = deadline_s
        self._timer = self._loop.call_at(deadline_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        if self._exchange is None:
            if self.is_fresh(now_s):
                self._arm(self.idle_since_s + MAX_IDLE_S)
            else:
                self.close()
        elif now_s + 0.002 >= self._deadline_s:  # timers have the resolution of a millisecond
            self.fail("timeout")
        else:
            self._arm(self._deadline_s)
