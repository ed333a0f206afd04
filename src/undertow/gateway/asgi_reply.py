"""An answer on its way to an HTTP caller, over ASGI."""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from undertow.ports.reply import ServedBy

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PASSED_ON = frozenset(
    {
        b"x-request-id", b"request-id", b"retry-after", b"retry-after-ms", b"openai-processing-ms", b"openai-version",
        b"openai-model", b"cf-ray",
    }
)  # fmt: skip
PASSED_ON_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-")
_PLAIN = "!#$&'()*+,/:;=?@[]^`{|}<> "
"""Printable characters that a header's value may have as they are; all others are per-cent escapes of UTF-8."""
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
UNCACHED = (b"cache-control", b"no-cache")
UNBUFFERED = (b"x-accel-buffering", b"no")
NO_RETRY = (b"x-should-retry", b"false")
"""The gateway has retried itself; a client that retries on top multiplies the cost."""
RETRIED = frozenset({408, 409, 429})
"""What clients retry beside 5xx unless told not to."""


def passed_on(headers: Mapping[bytes, bytes]) -> Headers:
    """The upstream's headers that are meant for callers. No others: cookies, servers and internal names stay here."""
    return [
        (name, value) for name, value in headers.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    ]


class AsgiReply:
    """The `Reply` of one ASGI request.

    Args:
        send: The server's `send`.
        connection: The server's connection: `disconnected` and `on_disconnect`.
    """

    __slots__ = ("_connection", "_head", "_send", "started")

    def __init__(self, send: Send, connection: Any) -> None:
        self._send = send
        self._connection = connection
        self._head: dict[str, Any] | None = None
        self.started = False

    @property
    def disconnected(self) -> bool:
        """The caller has gone away."""
        return self._connection.disconnected

    def watch(self, on_disconnect: Callable[[], None] | None) -> None:
        """Have a function called once when the caller goes away."""
        self._connection.on_disconnect = on_disconnect

    async def start(
        self, status: int, upstream_headers: Mapping[bytes, bytes], served: ServedBy, *, is_stream: bool
    ) -> None:
        """Send the head; of a whole answer only together with its body, whose length it bears."""
        headers = passed_on(upstream_headers)
        headers.append((b"x-undertow-decision-id", served.decision_id.encode()))
        if served.tier is not None:
            headers.append((b"x-undertow-tier", _value(served.tier)))
        if served.model is not None:
            headers.append((b"x-undertow-model", _value(served.model)))
        if served.policy is not None:
            headers.append((b"x-undertow-policy", _value(served.policy)))
        if served.confidence is not None:
            headers.append((b"x-undertow-confidence", b"%.6g" % served.confidence))
        if status >= 500 or status in RETRIED:
            headers.append(NO_RETRY)
        head = {"type": "http.response.start", "status": status, "headers": headers}
        self.started = True
        if is_stream:
            headers += (EVENTS, UNCACHED, UNBUFFERED)
            await self._send(head)
        else:
            headers.append(JSON)
            self._head = head

    async def send(self, chunk: bytes) -> None:
        """Send a piece of a stream."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, chunk: bytes) -> None:
        """Send the last piece, or the whole body."""
        if self._head is not None:
            head, self._head = self._head, None
            head["headers"].append((b"content-length", b"%d" % len(chunk)))
            await self._send(head)
        await self._send({"type": "http.response.body", "body": chunk})


@lru_cache(maxsize=1024)
def _value(text: str) -> bytes:
    """A name as a header's value: names of tiers may be in any script, headers are ASCII without control characters."""
    return quote(text, safe=_PLAIN).encode("ascii")
