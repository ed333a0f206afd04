"""An answer on its way to an HTTP caller."""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from undertow.ports.reply import ServedBy

if TYPE_CHECKING:
    from undertow.gateway.exchange import Exchange

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


class HttpReply:
    """The `Reply` of one HTTP request.

    Args:
        exchange: The server's side of the request.
    """

    __slots__ = ("_exchange",)

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    @property
    def disconnected(self) -> bool:
        """The caller has gone away."""
        return self._exchange.disconnected

    @property
    def is_congested(self) -> bool:
        """The caller reads more slowly than is sent."""
        return self._exchange.is_congested

    async def room(self) -> None:
        """Wait until the caller has read most of what was sent, or has gone."""
        await self._exchange.room()

    def watch(self, on_disconnect: Callable[[], None] | None) -> None:
        """Have a function called once when the caller goes away."""
        self._exchange.on_disconnect = on_disconnect

    def start(self, status: int, upstream_headers: Mapping[bytes, bytes], served: ServedBy, *, is_stream: bool) -> None:
        """Send the head, together with what comes next."""
        headers = passed_on(upstream_headers)
        headers.append((b"x-undertow-decision-id", served.decision_id.encode()))
        headers += _names(served.tier, served.model, served.policy)
        if served.confidence is not None:
            headers.append((b"x-undertow-confidence", b"%.6g" % served.confidence))
        if status >= 500 or status in RETRIED:
            headers.append(NO_RETRY)
        if is_stream:
            headers += (EVENTS, UNCACHED, UNBUFFERED)
        else:
            headers.append(JSON)
        self._exchange.start(status, headers)

    def send(self, chunk: bytes) -> None:
        """Send a piece of a stream."""
        self._exchange.send_body(chunk, more=True)

    def end(self, chunk: bytes) -> None:
        """Send the last piece, or the whole body."""
        self._exchange.send_body(chunk, more=False)


@lru_cache(maxsize=1024)
def _names(tier: str | None, model: str | None, policy: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that say who served: the same few again and again."""
    given = ((b"x-undertow-tier", tier), (b"x-undertow-model", model), (b"x-undertow-policy", policy))
    return tuple((name, _value(value)) for name, value in given if value is not None)


def _value(text: str) -> bytes:
    """A name as a header's value: names of tiers may be in any script, headers are ASCII without control characters."""
    return quote(text, safe=_PLAIN).encode("ascii")
