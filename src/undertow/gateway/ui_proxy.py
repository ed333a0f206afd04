"""`/ui`: requests for the dashboard, passed on to its process over a Unix socket, and its answers as they come.

Nothing of the dashboard is in a worker. Who asks is found out by the dashboard; a worker only tells it from which address the request
came, in a header that no caller can set. A request under /ui is no decision and leaves no record.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import httptools

from undertow.gateway.reply import Send
from undertow.records.runtime_files import UI_PEER_HEADER
from undertow.records.serving import UiPlan

PREFIX = "/ui"
MAX_BODY_BYTES = 250_000
"""Of a form; anybody may send one, so that it is kept small."""
MAX_BODIES = 64
"""Forms that a worker takes in at a time, before it is known who sends them."""
MAX_AT_ONCE = 32
"""Requests that a worker passes on at a time."""
ANSWER_S = 60.0
"""Seconds until the first byte of an answer, and between two pieces of one."""
WHOLE_ANSWER_S = 300.0
"""Seconds of a whole answer: who reads as slowly as he can takes a place from others for no longer."""
PIECE_BYTES = 65_536

PASSED = frozenset(
    {
        b"host", b"cookie", b"accept", b"accept-encoding", b"accept-language", b"content-type", b"origin", b"referer", b"user-agent",
        b"if-none-match", b"if-modified-since", b"range", b"last-event-id", b"x-csrf", b"forwarded", b"x-forwarded-for",
        b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"via",
    }
)  # fmt: skip
"""Headers that the dashboard gets to see, beside those of `PASSED_PREFIXES` and the one that names a user."""
PASSED_PREFIXES = (b"sec-fetch-", b"hx-")
NOT_PASSED_BACK = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"trailer", b"upgrade", b"date", b"server"}
)
METHODS = frozenset({"GET", "HEAD", "POST"})

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">{again}<title>{title}: Undertow</title></head>
<body><h1>{title}</h1><p>{said}</p></body></html>
"""
BUSY = "The dashboard has more to do than it can just now."
_AGAIN = '<meta http-equiv="refresh" content="2">'


class _AwayError(Exception):
    """The dashboard's process does not answer."""


def is_for_ui(path: str) -> bool:
    """Whether a path is the dashboard's.

    Examples:
        >>> is_for_ui("/ui"), is_for_ui("/ui/ledger"), is_for_ui("/uis"), is_for_ui("/v1/models")
        (True, True, False, False)
    """
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class UiProxy:
    """Passes requests on.

    Args:
        socket: Path of the dashboard's socket; it may not be there.
        plan: Names the header with a proxy's user, which has to be passed on, too.
    """

    def __init__(self, socket: str, plan: UiPlan) -> None:
        self._socket = socket
        self._passed = PASSED | ({plan.user_header.lower().encode()} if plan.user_header else frozenset())
        self._running = self._bodies = 0

    async def pass_on(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send
    ) -> None:
        """Answer one request, by the dashboard or with a page that says why not."""
        if scope["method"] not in METHODS:
            await _say(send, 405, "Not this way", "The dashboard is read with GET, and told with POST.")
            return
        caller = scope["extensions"]["undertow"]
        if self._bodies >= MAX_BODIES:
            await _away(scope["method"], send, BUSY)
            return
        self._bodies += 1
        try:
            body = await _body(receive, caller)
        finally:
            self._bodies -= 1
        if body is None:
            if not caller.disconnected:
                text = f"What was sent is larger than {MAX_BODY_BYTES:,} bytes, or did not come in time."
                await _say(send, 413, "Too much", text)
            return
        if self._running >= MAX_AT_ONCE:
            await _away(scope["method"], send, BUSY)
            return
        self._running += 1
        try:
            async with asyncio.timeout(WHOLE_ANSWER_S):
                await self._ask(scope, body, send, caller)
        except (_AwayError, OSError, TimeoutError, httptools.HttpParserError):
            # Once the head is on its way the caller sees an answer without an end.
            if not caller.is_response_started and not caller.disconnected:
                await _away(
                    scope["method"],
                    send,
                    "The dashboard is starting, or has just died and is started again. The gateway serves meanwhile.",
                )
        finally:
            self._running -= 1

    async def _ask(self, scope: dict[str, Any], body: bytes, send: Send, caller: Any) -> None:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=PIECE_BYTES)
        try:
            caller.on_disconnect = writer.transport.abort
            if caller.disconnected:
                return
            writer.write(self._head(scope, body) + body)
            await _stream(reader, send, is_head=scope["method"] == "HEAD")
        finally:
            caller.on_disconnect = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _head(self, scope: dict[str, Any], body: bytes) -> bytes:
        query = scope.get("query_string", b"")
        target = scope["raw_path"] + (b"?" + query if query else b"")
        lines = [b"%s %s HTTP/1.1" % (scope["method"].encode(), target)]
        lines += [
            b"%s: %s" % (name, value)
            for name, value in scope["headers"]
            if name in self._passed or name.startswith(PASSED_PREFIXES)
        ]
        if (
            scope["http_version"] == "1.0"
        ):  # no browser asks so, but proxies do, and not all of them say that they are some
            lines.append(b"via: 1.0 unnamed")
        client = scope.get("client")
        peer = client[0] if client else ""
        lines += [
            b"%s: %s" % (UI_PEER_HEADER.encode(), peer.encode()),
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        return b"\r\n".join((*lines, b"", b""))


class _Answer:
    """What the parser calls."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = self.is_complete = False
        self.pieces: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


async def _stream(reader: asyncio.StreamReader, send: Send, *, is_head: bool) -> None:
    answer = _Answer()
    parser: Any = httptools.HttpResponseParser(answer)
    is_begun = False
    while not answer.is_complete:
        async with asyncio.timeout(ANSWER_S):
            data = await reader.read(PIECE_BYTES)
        if not data:
            raise _AwayError
        parser.feed_data(data)
        if not answer.has_head:
            continue
        if not is_begun:
            is_begun = True
            kept = [(name, value) for name, value in answer.headers if name not in NOT_PASSED_BACK]
            await send({"type": "http.response.start", "status": parser.get_status_code(), "headers": kept})
            if is_head:  # its length is that of a body which does not come
                break
        if answer.pieces and not answer.is_complete:
            body = b"".join(answer.pieces)
            answer.pieces.clear()
            await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"".join(answer.pieces)})


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]], caller: Any) -> bytes | None:
    """The whole body; None: it is too large, or does not come."""
    whole = caller.whole_body()
    if whole is not None:
        return whole if len(whole) <= MAX_BODY_BYTES else None
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _away(method: str, send: Send, said: str) -> None:
    if method == "POST":
        await _say(send, 503, "Not done", f"{said} Go back, and send it once more in a few seconds.")
    else:
        await _say(send, 503, "Back in a moment", f"{said} This page tries again by itself.", again=_AGAIN)


async def _say(send: Send, status: int, title: str, said: str, *, again: str = "") -> None:
    page = _PAGE.format(title=title, said=said, again=again).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(page)),
        (
            b"content-security-policy",
            b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"2"))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD, POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": page})
