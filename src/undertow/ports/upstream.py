"""An upstream of one tier, as the router sees it: ask, then read one answer whole or event by event.

Retries, endpoints, deadlines and the circuit breaker are the adapter's affair; what is raised here is final for this tier.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

FailureKind = Literal[
    "connect", "timeout", "status", "cut", "garbage", "too_large", "breaker_open", "no_endpoint", "aborted"
]
"""Why a tier failed. `cut`: the answer ended before its end; `aborted`: we closed it ourselves (the caller went away)."""


class UpstreamFailedError(Exception):
    """A tier could not answer.

    Attributes:
        kind: Why.
        status: The upstream's HTTP status for kind `status`, else None.
        body: Its error body for kind `status` (bounded), else empty.
        headers: Its response headers for kind `status`, names in lower case.
        tries: How often it was tried.
    """

    def __init__(
        self,
        kind: FailureKind,
        *,
        status: int | None = None,
        body: bytes = b"",
        headers: Mapping[bytes, bytes] | None = None,
        tries: int = 1,
    ) -> None:
        super().__init__(f"upstream {kind}" + (f" {status}" if status is not None else ""))
        self.kind = kind
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.tries = tries

    @property
    def call_status(self) -> str:
        """What stands in the record's `calls[].status`."""
        return f"http_{self.status}" if self.kind == "status" else self.kind


class UpstreamRequest(msgspec.Struct, frozen=True, gc=False):
    """What a tier is asked.

    Attributes:
        kind: Wire format needed; an endpoint of another kind is not used.
        path: Path below the endpoint's base URL, such as `/chat/completions`.
        body: JSON document, ready to send.
        headers: Further headers (trace context, beta flags). The adapter adds host, length, content type and the key.
        wants_stream: Server-sent events are expected.
    """

    kind: Literal["openai", "anthropic"]
    path: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    wants_stream: bool = False


class UpstreamAnswer(Protocol):
    """An answer with a 2xx status, being read."""

    headers: Mapping[bytes, bytes]
    """Response headers, names in lower case; of a repeated header the last."""
    tries: int

    @property
    def is_event_stream(self) -> bool:
        """Whether the content type is `text/event-stream`."""
        ...

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            UpstreamFailedError: `cut`, `timeout`, `too_large` or `aborted`.
        """
        ...

    async def pump(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        """Hand each piece of the body to `take` as it arrives. Ends normally only where the HTTP message itself is complete.

        Args:
            take: Called from within the event loop's callbacks, so it must be quick. What it raises ends the pumping and is
                raised here. An awaitable that it returns is awaited before the next piece; until then little is read.

        Raises:
            UpstreamFailedError: `cut`, `timeout`, `too_large`, `garbage` or `aborted`.
        """
        ...

    def abort(self) -> None:
        """Close it now; a reader that waits gets `aborted`. Does nothing after the end. Safe to call from a callback."""
        ...


class Upstream(Protocol):
    """One tier's upstreams."""

    async def ask(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send a request and wait for the head of a 2xx answer.

        Raises:
            UpstreamFailedError: Connecting, sending or waiting failed, or the status is not 2xx, after all retries.
        """
        ...

    def speaks(self, kind: Literal["openai", "anthropic"]) -> bool:
        """Whether any endpoint speaks this wire format."""
        ...
