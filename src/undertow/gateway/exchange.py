"""One request and its response: the ASGI application's `receive` and `send`, and what it may know of its caller.

The exchange is also `scope["extensions"]["undertow"]`: `disconnected`, `on_disconnect` and `peer` tell the application that its
caller has gone without a task that waits in `receive` for it, and `refusal` why the rest of a body will not come.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.gateway.http_errors import status_line

if TYPE_CHECKING:
    from undertow.gateway.connection import Connection

LOG = logging.getLogger("undertow.gateway")
STATUS_LINES = {status: status_line(status) for status in range(200, 600)}
BODILESS = frozenset({204, 304})
RESUME_BYTES = 65_536
"""A body that has not been taken is read up to here, then the caller has to wait."""


class Exchange:
    """One request and its response.

    Attributes:
        scope: ASGI scope.
        peer: Address of the caller, without its port.
        disconnected: The caller has gone. What is sent then goes nowhere.
        on_disconnect: Called once when the caller goes, if the application sets it.
        refusal: Status and reason for which the rest of the body will not come, or None. The application may still answer.
        is_complete: The whole response was handed to the connection.
        has_whole_body: The request has arrived in full.
    """

    __slots__ = (
        "_body", "_connection", "_expects_continue", "_head", "_is_chunked", "_keep_alive", "_missing_bytes", "_waiter",
        "disconnected", "has_whole_body", "is_complete", "is_head", "on_disconnect", "peer", "refusal",
        "scope", "status",
    )  # fmt: skip

    def __init__(
        self, connection: "Connection", scope: dict[str, Any], *, peer: str, keep_alive: bool, expects_continue: bool
    ) -> None:
        self.scope = scope
        self.peer = peer
        self.disconnected = False
        self.on_disconnect: Callable[[], None] | None = None
        self.refusal: tuple[int, str] | None = None
        self.is_complete = False
        self.has_whole_body = False
        self.is_head = scope["method"] == "HEAD"
        self.status = 0
        self._connection = connection
        self._keep_alive = keep_alive
        self._expects_continue = expects_continue
        self._body = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._head: bytes | None = None
        self._is_chunked = False
        self._missing_bytes: int | None = None

    @property
    def keeps_alive(self) -> bool:
        """The connection may be used again after this response."""
        return self._keep_alive and self.has_whole_body and self.refusal is None

    # -- what the connection tells

    def feed(self, data: bytes) -> int:
        """Take a piece of the body; returns how many bytes wait for the application."""
        self._body += data
        self._wake()
        return len(self._body)

    def end_body(self) -> None:
        """The request is there in full."""
        self.has_whole_body = True
        self._wake()

    def refuse_body(self, status: int, why: str) -> None:
        """The rest of the body will not come; `receive` says so, and the application may answer why."""
        self.refusal = (status, why)
        self._wake()

    def disconnect(self) -> None:
        """The caller has gone."""
        if self.disconnected or self.is_complete:
            return
        self.disconnected = True
        callback, self.on_disconnect = self.on_disconnect, None
        self._wake()
        if callback is not None:
            callback()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- the application's side

    async def run(self, app: Any) -> None:
        """Run the application; whatever it does, the caller gets a whole answer or sees that there is none."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            # Draining took too long: an error, or a response that ends unfinished, which the caller can see.
            self.refusal = self.refusal or (503, "stopping")
            self._connection.exchange_failed(self)
            raise
        except Exception as error:  # noqa: BLE001 (the edge of one request)
            LOG.error("the application failed: %s", _where(error))  # noqa: TRY400 (a message may hold what the caller sent)
        if not self.is_complete:
            self._connection.exchange_failed(self)

    def whole_body(self) -> bytes | None:
        """The body, where all of it is there and none was taken; else None, and `receive` has it piece by piece."""
        if not self.has_whole_body or self._body is _TAKEN or self.disconnected or self.refusal is not None:
            return None
        body = bytes(self._body)
        self._body = _TAKEN
        self._connection.body_taken(self)
        return body

    async def receive(self) -> dict[str, Any]:
        """The next piece of the body, or that nothing more will come."""
        if self._expects_continue and not self.has_whole_body:
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects_continue = False
        while True:
            if self.disconnected or self.is_complete or self.refusal is not None:
                return {"type": "http.disconnect"}
            if self._body or (self.has_whole_body and self._body is not _TAKEN):
                body = bytes(self._body)
                self._body = _TAKEN if self.has_whole_body else bytearray()
                self._connection.body_taken(self)
                return {"type": "http.request", "body": body, "more_body": not self.has_whole_body}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None

    async def send(self, message: dict[str, Any]) -> None:
        """Send the head or a piece of the body, as ASGI has it; waits while the caller reads too slowly."""
        if message["type"] == "http.response.start":
            self.start(message["status"], message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unknown message {message['type']!r}")
        if self.is_congested:
            await self.room()

    @property
    def is_congested(self) -> bool:
        """The caller reads more slowly than is sent."""
        return self._connection.is_write_paused and not self.disconnected

    async def room(self) -> None:
        """Wait until the caller has read most of what was sent, or has gone."""
        await self._connection.writable()

    @property
    def is_response_started(self) -> bool:
        """The head of the response is on its way."""
        return self.status != 0 and self._head is None

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head, or keep it until the first piece of the body goes with it. Does not wait.

        Raises:
            RuntimeError: It was sent already, or a header holds a line break.
        """
        if self.status:
            raise RuntimeError("the response has already started")
        parts = [STATUS_LINES[status], self._connection.date_line]
        is_closing = False
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                self._missing_bytes = int(value)
            elif name == b"connection":
                is_closing = is_closing or b"close" in value.lower()
        if is_closing:
            self._keep_alive = False
        elif not self.keeps_alive or self._connection.is_last_response:
            self._keep_alive = False
            parts.append(b"connection: close\r\n")
        head = b"".join(parts)
        # One line end a header and two lines before them: a value that holds a line break would make more.
        lines = len(headers) + 1 + (self._connection.date_line != b"") + (not self._keep_alive and not is_closing)
        if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            raise RuntimeError("a response header holds a line break or a NUL")
        self.status = status
        if self._missing_bytes is not None or self.is_head or status in BODILESS:
            self._head = head + b"\r\n"  # goes out with the body, in one piece
        else:
            self._head = head

    def send_body(self, body: bytes, *, more: bool) -> None:
        """Send a piece of the body, the last one where there is no more. Does not wait; see `is_congested`.

        Raises:
            RuntimeError: There is no head yet, the response is complete, or its length is not the announced one.
        """
        if self.is_complete:
            raise RuntimeError("the response is already complete")
        if not self.status:
            raise RuntimeError("a body was sent before http.response.start")
        if self.is_head or self.status in BODILESS:
            data = b""
        elif self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                data += b"0\r\n\r\n"
        else:
            data = self._unchunked(body, more=more)
        head, self._head = self._head, None
        if head is not None:
            data = head + data
        if not more:
            self.is_complete = True
        if data and not self.disconnected:
            self._connection.write(data)
        if not more:
            self._connection.exchange_done(self)

    def _unchunked(self, body: bytes, *, more: bool) -> bytes:
        """A body whose length was announced, or (first piece only) the choice of how to frame it."""
        if self._missing_bytes is None and self._head is not None:
            if not more:
                self._head += b"content-length: %d\r\n\r\n" % len(body)
                return body
            if self.scope["http_version"] == "1.1":
                self._is_chunked = True
                self._head += b"transfer-encoding: chunked\r\n\r\n"
                return b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._head += b"\r\n"  # HTTP/1.0: the end of the connection ends the body
            return body
        if self._missing_bytes is not None:
            self._missing_bytes -= len(body)
            if self._missing_bytes < 0 or (not more and self._missing_bytes):
                raise RuntimeError("the body is not as long as content-length says")
        return body


_TAKEN = bytearray()
"""Stands for a body that was given to the application in full."""


def _where(error: BaseException) -> str:
    """An error's type and the last places of its traceback, without its message: that may hold a prompt."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"
