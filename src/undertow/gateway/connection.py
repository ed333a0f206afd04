"""One caller's connection: HTTP/1.1 framing by llhttp, and the limits that keep one caller from taking what is everybody's.

What llhttp refuses by itself (a test holds each): Content-Length beside Transfer-Encoding, repeated or odd lengths, bare line
feeds, folded headers, spaces before colons, control characters. What is added here: bounds on the size and time of heads and
bodies, on headers, connections and pipelined requests; exactly one Host; no transfer coding but chunked; no CONNECT and no change
of protocol. What is refused gets an error of OpenAI's shape, one decision record, and the end of its connection; answers
to requests that came before it are finished first.

Deadlines are looked at by the server's sweep, twice a second, so that a request costs no timer.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httptools

from undertow.gateway.exchange import RESUME_BYTES, Exchange
from undertow.gateway.framing import body_parser, split_target
from undertow.gateway.http_errors import CALLER_LEFT, HttpError, error_response

if TYPE_CHECKING:
    from undertow.gateway.server import Server

ASGI = {"version": "3.0", "spec_version": "2.4"}
NEVER: Final = float("inf")
MAX_PIPELINED: Final = 8
LINGER_S: Final = 2.0
"""After an early answer, this long is still read (and thrown away), so that closing does not destroy the answer on its way."""
LINGER_BYTES: Final = 64_000_000
STALL_S: Final = 30.0
"""A caller that takes not one byte of its answer for this long is cut off."""

# What arrives next. (Plain integers: they are compared with several times a request.)
IDLE: Final = 0
"""Nothing, or line ends, since the last request."""
HEAD: Final = 1
BODY: Final = 2
ANSWER: Final = 3
"""The request is complete, its answer is not."""
CLOSING: Final = 4
"""Nothing that arrives is looked at any more."""

PARSED = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers that this module looks at."""


class Connection(asyncio.Protocol):
    """One caller's connection.

    Attributes:
        deadline: Loop time at which `expire` is due.
        phase: What arrives next.
        is_write_paused: The caller reads more slowly than is written.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._limits = server.limits
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._running: Exchange | None = None
        self._arriving: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._refusal: tuple[int, str] | None = None
        self._client: tuple[str, int] | None = None
        self._local: tuple[str, int] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_read_paused = False
        self._is_surplus = False
        self._unread_bytes = 0
        self._discarded_bytes = 0
        self._raw_head_bytes = 0
        self._chunk_bytes = 0
        self._silent_bytes = 0
        self.phase = IDLE
        self.deadline = NEVER
        self.is_write_paused = False
        self._write_deadline = NEVER

    # -- transport

    def connection_made(self, transport: Any) -> None:
        """A caller has connected."""
        self._transport = transport
        server = self._server
        count = len(server.connections)
        if count >= 2 * self._limits.max_connections:
            self.phase = CLOSING
            transport.abort()
            return
        # Refused when it asks something: only a request has a record.
        self._is_surplus = count >= self._limits.max_connections
        server.connections.add(self)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = (peer[0], peer[1]) if isinstance(peer, tuple) else None
        self._local = (local[0], local[1]) if isinstance(local, tuple) else None
        self.deadline = server.now + self._limits.header_timeout_s

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is gone, whoever closed it."""
        self._server.connections.discard(self)
        self._resume_writer()
        if self._running is not None:
            self._running.disconnect()
        for _ in self._queue:
            self._server.record_refused(CALLER_LEFT, "caller_left")
        self._queue.clear()
        if self._refusal is not None:
            # It waited for an answer before it, which nobody reads any more.
            self._server.record_refused(*self._refusal)
            self._refusal = None
        elif self.phase == HEAD:
            self._server.record_refused(CALLER_LEFT, "caller_left")
        self.phase = CLOSING
        self.deadline = self._write_deadline = NEVER
        self._parser = None  # it refers back to this object

    def eof_received(self) -> None:
        """The caller has closed its side. That it only half closed cannot be told from having gone: it has gone."""

    def data_received(self, data: bytes) -> None:
        """Bytes from the caller."""
        if self.phase == CLOSING:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > LINGER_BYTES:
                self._transport.abort()
            return
        before = self.phase
        self._chunk_bytes = len(data)
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # HTTP/2 was offered, and the offer is ignored, as HTTP allows. The parser stopped behind the head.
            if self._has_offered_body:
                self._parser = body_parser(self, self._content_length)
                self._has_offered_body = False
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
            return
        except httptools.HttpParserError as error:
            self._unparsable(error)
            return
        if self.phase == HEAD and before <= HEAD:
            self._raw_head_bytes += len(data)
            if self._raw_head_bytes > self._limits.max_header_bytes:
                self._refuse(431, "headers_too_large")
        elif self.phase == BODY and self._silent_bytes > self._limits.max_header_bytes + len(data):
            # Trailers and chunk extensions are headers in all but name, and the parser gathers each until it ends.
            self._refuse(431, "headers_too_large")

    def pause_writing(self) -> None:
        """The write buffer is full: whoever sends has to wait."""
        self.is_write_paused = True
        self._unread_bytes = self._transport.get_write_buffer_size()
        self._write_deadline = self._server.now + STALL_S

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self.is_write_paused = False
        self._write_deadline = NEVER
        self._resume_writer()

    def _resume_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # -- parser

    def on_message_begin(self) -> None:
        """The first byte of a request line."""
        if self._is_surplus:
            raise HttpError(503, "too_many_connections")
        self.phase = HEAD
        self.deadline = self._server.now + self._limits.header_timeout_s
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._raw_head_bytes = self._silent_bytes = 0
        self._hosts = 0
        self._content_length = 0
        self._has_coding = False
        self._has_offered_body = False
        self._expects_continue = False
        self._upgrade = b""

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._url += url
        if len(self._url) > self._limits.max_header_bytes // 2:
            raise HttpError(414, "url_too_long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is dropped, nothing after the body may pass for a header."""
        if self.phase == HEAD:
            name = name.lower()
            self._headers.append((name, value))
            if name in PARSED:
                self._parse_header(name, value)

    def _parse_header(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._content_length = int(value)
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise HttpError(501, "unsupported_coding")
            self._has_coding = True
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        else:
            self._upgrade = value.lower()

    def on_headers_complete(self) -> None:
        """All of the head is there: check it, and begin or queue its exchange."""
        headers, limits, parser = self._headers, self._limits, self._parser
        if len(headers) > limits.max_headers:
            raise HttpError(431, "too_many_headers")
        # Only where more bytes came than a head may have can the head be too large.
        if self._raw_head_bytes + self._chunk_bytes > limits.max_header_bytes and (
            sum([len(name) + len(value) for name, value in headers]) + len(self._url) > limits.max_header_bytes
        ):
            raise HttpError(431, "headers_too_large")
        version: str = parser.get_http_version()
        method: bytes = parser.get_method()
        if version not in {"1.1", "1.0"}:
            raise HttpError(505, "unsupported_version")
        if method == b"CONNECT":
            raise HttpError(405, "connect_refused")
        if self._hosts != 1 and (self._hosts or version == "1.1"):
            raise HttpError(400, "bad_host")
        if self._has_coding and version == "1.0":
            raise HttpError(400, "framing_conflict")
        if self._content_length > limits.max_body_bytes:
            raise HttpError(413, "body_too_large")
        if parser.should_upgrade() and self._upgrade != b"h2c":
            raise HttpError(400, "upgrade_refused")
        if len(self._queue) >= MAX_PIPELINED:
            raise HttpError(400, "too_many_pipelined")
        # Java's client offers HTTP/2 with its first request, body and all.
        self._has_offered_body = parser.should_upgrade() and (self._content_length > 0 or self._has_coding)
        raw_path, query = split_target(self._url)
        path = raw_path.decode("ascii")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": self._local,
        }
        exchange = Exchange(
            self,
            scope,
            peer="" if self._client is None else self._client[0],
            keep_alive=version == "1.1" and parser.should_keep_alive() and not self._has_offered_body,
            expects_continue=self._expects_continue,
        )
        scope["extensions"] = {"undertow": exchange}
        self.phase = BODY
        self.deadline = self._server.now + self._limits.body_timeout_s
        self._arriving = exchange
        if self._running is None:
            self._begin(exchange)
        else:
            # Reading goes on, or nobody would notice that the caller goes; how many can wait is bounded.
            self._queue.append(exchange)

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        self._silent_bytes = 0
        if self._arriving is not None and self._arriving.feed(body) > RESUME_BYTES:
            self._pause_reading()

    def on_message_complete(self) -> None:
        """The request is there in full."""
        if self._has_offered_body:
            return  # the parser takes what follows for another protocol
        self.phase = ANSWER
        self.deadline = NEVER
        if self._arriving is not None:
            self._arriving.end_body()
            self._arriving = None
            # Whoever takes the body now is no longer the one that arrives: nobody else would have the next request read, or its caller's going.
            self._resume_reading()

    def _unparsable(self, error: Exception) -> None:
        cause = error.__context__
        if isinstance(cause, HttpError):
            self._refuse(cause.status, cause.why)
        elif self.phase == ANSWER and "close" in str(error).lower():
            # More came after a request that said `connection: close`: HTTP has it ignored.
            self.phase = CLOSING
        else:
            is_framing = "Content-Length" in str(error) or "Transfer-Encoding" in str(error)
            self._refuse(400, "framing_conflict" if is_framing else "malformed_request")

    # -- exchanges

    def _begin(self, exchange: Exchange) -> None:
        self._running = exchange
        self._server.run(exchange)

    def exchange_done(self, exchange: Exchange) -> None:
        """The whole response was written: go on with the next request, or close."""
        self._running = None
        server = self._server
        if self._transport.is_closing():
            return
        if not exchange.keeps_alive:
            self._close(lingers=self.phase != ANSWER)
        elif self._queue:
            following = self._queue.popleft()
            if following is self._arriving:
                self.deadline = server.now + self._limits.body_timeout_s
            self._begin(following)
        elif self._refusal is not None:
            status, why = self._refusal
            self._refusal = None
            self._write_refusal(status, why)
        elif self.phase == ANSWER:
            self.phase = IDLE
            self.deadline = server.now + self._limits.idle_timeout_s

    def exchange_failed(self, exchange: Exchange) -> None:
        """The application ended without a whole response."""
        if exchange.disconnected or self._transport.is_closing():
            self._running = None
        elif exchange.is_response_started:
            # The caller sees an unfinished chunked body, or one that is too short.
            self._running = None
            self._transport.abort()
        else:
            self._running = None
            exchange.is_complete = True
            status, why = exchange.refusal or (500, "internal_error")
            self._transport.write(error_response(status, why, date=self.date_line))
            self._close(lingers=True)

    def body_taken(self, exchange: Exchange) -> None:
        """The application has room for more of the body."""
        if exchange is self._arriving:
            self._resume_reading()

    # -- writing

    @property
    def date_line(self) -> bytes:
        """The `date` header of responses."""
        return self._server.date_line

    @property
    def is_last_response(self) -> bool:
        """The server is being replaced or stopped, and no request waits here: the response that begins closes the connection."""
        return self._server.is_draining and not self._queue

    def write(self, data: bytes) -> None:
        """Send bytes to the caller."""
        self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the caller has read enough, or has gone."""
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()
        await self._writable

    def _pause_reading(self) -> None:
        if not self._is_read_paused:
            self._is_read_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_read_paused:
            self._is_read_paused = False
            self._transport.resume_reading()

    # -- refusing and closing

    def _refuse(self, status: int, why: str) -> None:
        """Stop looking at what arrives, and answer why, after the answers that are still owed."""
        arriving, self._arriving = self._arriving, None
        was_body = self.phase == BODY
        self.phase = CLOSING
        self.deadline = NEVER
        if was_body and arriving is not None:
            # The application has this request, or will have it: it answers, and writes the record.
            arriving.refuse_body(status, why)
            self._resume_reading()
        elif self._running is not None:
            self._refusal = (status, why)
            self._resume_reading()
        else:
            self._write_refusal(status, why)

    def _write_refusal(self, status: int, why: str) -> None:
        decision_id = self._server.record_refused(status, why)
        self._transport.write(error_response(status, why, date=self.date_line, decision_id=decision_id))
        self._close(lingers=True)

    def _close(self, *, lingers: bool) -> None:
        self.phase = CLOSING
        if lingers and self._transport.can_write_eof():
            # Closing with unread bytes would reset the connection and may destroy the answer on its way.
            self._transport.write_eof()
            self._resume_reading()
            self.deadline = self._server.now + LINGER_S
        else:
            self._transport.close()
            self.deadline = self._server.now + STALL_S
        self._unread_bytes = self._transport.get_write_buffer_size()

    def close_if_idle(self) -> None:
        """Close the connection if no request is under way, for the end of draining."""
        if self._running is None and not self._queue and self.phase == IDLE:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        self._transport.abort()

    def expire_at(self, now: float) -> None:
        """Do what is due, if a deadline has passed."""
        if self._write_deadline <= now and not self._has_progress(now):
            self._transport.abort()
        elif self.deadline > now:
            return
        elif self.phase == HEAD:
            self._refuse(408, "header_timeout")
        elif self.phase == BODY:
            if self._running is self._arriving:
                self._refuse(408, "body_timeout")
            else:
                self.deadline = now + self._limits.body_timeout_s  # it waits for the answers before it
        elif self.phase == CLOSING:
            if self._transport.get_write_buffer_size() == 0 or not self._has_progress(now):
                self._transport.abort()
        else:
            self._transport.close()

    def _has_progress(self, now: float) -> bool:
        """Whether the caller has read something since the last look; it then gets more time."""
        unread = self._transport.get_write_buffer_size()
        has_progress = unread < self._unread_bytes
        self._unread_bytes = unread
        if has_progress:
            if self._write_deadline <= now:
                self._write_deadline = now + STALL_S
            if self.deadline <= now:
                self.deadline = now + STALL_S
        return has_progress
