"""The way back to the caller, as the router sees it: an HTTP response in the gateway, an object in the in-process client."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec


class ServedBy(msgspec.Struct, frozen=True, gc=False):
    """What the caller is told beside the answer (the `x-undertow-*` headers).

    Attributes:
        decision_id: Always there.
        tier: Tier that answered, or None: nothing was served.
        model: Model that the tier was asked for.
        policy: Policy that decided, or None: the caller named a tier.
        confidence: Where there is one.
    """

    decision_id: str
    tier: str | None = None
    model: str | None = None
    policy: str | None = None
    confidence: float | None = None


class Reply(Protocol):
    """One answer on its way to the caller. Nothing here waits; sending to a caller that has gone away does nothing.

    A router that sends a stream looks at `is_congested` after each piece, and awaits `room` where it is.
    """

    @property
    def disconnected(self) -> bool:
        """The caller has gone away."""
        ...

    def watch(self, on_disconnect: Callable[[], None] | None) -> None:
        """Have a function called once when the caller goes away, until another one, or None, takes its place."""
        ...

    @property
    def is_congested(self) -> bool:
        """The caller takes what is sent more slowly than it comes."""
        ...

    async def room(self) -> None:
        """Wait until the caller has taken most of what was sent, or has gone."""
        ...

    def start(self, status: int, upstream_headers: Mapping[bytes, bytes], served: ServedBy, *, is_stream: bool) -> None:
        """Send the head. Of the upstream's headers the implementation passes on those that are meant for callers."""
        ...

    def send(self, chunk: bytes) -> None:
        """Send a piece of a stream."""
        ...

    def end(self, chunk: bytes) -> None:
        """Send the last piece, or the whole body."""
        ...
