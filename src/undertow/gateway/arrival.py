"""What the head of a request says: key, labels, ids, trace context, and what goes on to the upstream.

Only headers named here are looked at, and only those of `FORWARDED` go on: a caller controls neither the upstream's address
nor its credentials.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

SEGMENT = b"x-undertow-segment-"
CONVERSATION = (b"x-undertow-conversation-id", b"x-conversation-id", b"x-session-id", b"x-claude-code-session-id")
USER = b"x-undertow-user-id"
ORIGIN = b"x-undertow-origin"
FORWARDED = frozenset({b"anthropic-beta", b"anthropic-version", b"openai-beta", b"tracestate"})
"""Headers that go on to the upstream as they are (`traceparent` goes on too, with our own span in it)."""

MAX_LABELS = 32
MAX_CHARS = 512
_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_LABEL_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ArrivalError(ValueError):
    """A header that cannot be meant: what was seen and what was expected."""


@dataclass(slots=True)
class Arrival:
    """The head of one request.

    Attributes:
        key: The gateway key that was presented, or None.
        labels: From `x-undertow-segment-KEY` headers.
        conversation_id: As given, or None.
        user_id: As given, or None.
        forwarded: Headers for the upstream.
        trace_id: From `traceparent`, or None.
        parent_span_id: From `traceparent`, or None.
        flags: Of `traceparent`, two hex digits.
        client_retry: From `x-stainless-retry-count`, or None.
        content_length: As announced, or None.
        content_encoding: As announced, or None.
        idempotency_key: Or None.
        origin: `suite` where the caller says that the request is a test case of its own, else `live`.
        is_from_page: A browser sent it for a page; only browsers send `sec-fetch-site`, and no page can change it.
    """

    key: bytes | None = None
    labels: dict[str, str] = field(default_factory=dict)
    conversation_id: str | None = None
    user_id: str | None = None
    forwarded: list[tuple[bytes, bytes]] = field(default_factory=list)
    trace_id: str | None = None
    parent_span_id: str | None = None
    flags: str = "01"
    client_retry: int | None = None
    content_length: int | None = None
    content_encoding: bytes | None = None
    idempotency_key: str | None = None
    is_from_page: bool = False
    origin: str = "live"
    conversation_rank: int = len(CONVERSATION)
    """Place in `CONVERSATION` of the header that the conversation's id was taken from."""


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> Arrival:
    """Read the headers of a request, names in lower case.

    Raises:
        ArrivalError: A label or id that is too long, has control characters, or is no UTF-8.

    Examples:
        >>> arrival = read_headers([(b"x-undertow-segment-intent", b"billing"), (b"authorization", b"Bearer k")])
        >>> arrival.labels, arrival.key
        ({'intent': 'billing'}, b'k')
    """
    arrival = Arrival()
    for name, value in headers:
        if name not in _READ:  # most headers
            if name.startswith(SEGMENT):
                _read_label(arrival, name[len(SEGMENT) :], value)
        elif name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                arrival.key = token.strip()
        elif name == b"content-length":
            arrival.content_length = int(value) if value.isdigit() else None
        elif name == b"x-api-key":
            arrival.key = arrival.key or value
        else:
            _read_rest(arrival, name, value)
    return arrival


_READ = frozenset(
    {
        b"authorization",
        b"content-length",
        b"x-api-key",
        *CONVERSATION,
        USER,
        ORIGIN,
        *FORWARDED,
        b"traceparent",
        b"x-stainless-retry-count",
        b"content-encoding",
        b"idempotency-key",
        b"sec-fetch-site",
    }
)


def _read_rest(arrival: Arrival, name: bytes, value: bytes) -> None:
    if name in CONVERSATION:
        rank = CONVERSATION.index(name)  # ours comes before those of other tools, in whatever order they were sent
        if rank < arrival.conversation_rank:
            arrival.conversation_id, arrival.conversation_rank = _text(name, value), rank
    elif name == USER:
        arrival.user_id = _text(name, value)
    elif name == ORIGIN:
        if value not in {b"live", b"suite"}:
            raise ArrivalError("the header x-undertow-origin says neither live nor suite")
        arrival.origin = value.decode()
    elif name == b"traceparent":
        match = _TRACEPARENT.fullmatch(value)
        if match is not None:
            trace, span, flags = match.groups()
            arrival.trace_id, arrival.parent_span_id, arrival.flags = trace.decode(), span.decode(), flags.decode()
    elif name == b"x-stainless-retry-count":
        arrival.client_retry = int(value) if value.isdigit() and len(value) < 6 else None
    elif name == b"content-encoding":
        arrival.content_encoding = value
    elif name == b"sec-fetch-site":
        arrival.is_from_page = value != b"none"
    elif name == b"idempotency-key":
        # For signals. It does not go on: two tiers are two requests, and one key would make the second a repeat of the first.
        arrival.idempotency_key = _text(name, value)
    else:
        arrival.forwarded.append((name, value))


def _read_label(arrival: Arrival, key: bytes, value: bytes) -> None:
    text = key.decode("ascii", "replace")
    if not _LABEL_KEY.fullmatch(text):
        raise ArrivalError("the name of an x-undertow-segment header has characters other than a-z, 0-9, _, . and -")
    if len(arrival.labels) >= MAX_LABELS:
        raise ArrivalError(f"more than {MAX_LABELS} x-undertow-segment headers")
    arrival.labels[text] = _text(SEGMENT + key, value)


def _text(name: bytes, value: bytes) -> str:
    """A header's value as text: UTF-8, per-cent escapes resolved, printable, bounded."""
    shown = name.decode("ascii", "replace")
    try:
        text = unquote(value.decode("utf-8"), errors="strict").strip()
    except UnicodeDecodeError:
        raise ArrivalError(f"the header {shown} is not UTF-8") from None
    if len(text) > MAX_CHARS:
        raise ArrivalError(f"the header {shown} has more than {MAX_CHARS} characters")
    if _CONTROL.search(text):
        raise ArrivalError(f"the header {shown} has control characters")
    if not text:
        raise ArrivalError(f"the header {shown} is empty")
    return text
