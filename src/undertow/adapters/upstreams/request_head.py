"""Request heads as bytes: what is the same for all requests of an endpoint is made once, the rest is checked each time."""

import re
from collections.abc import Iterable
from typing import Literal

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch

ANTHROPIC_VERSION = b"2023-06-01"

OWNED = frozenset(
    {
        *(
            b"host",
            b"content-length",
            b"transfer-encoding",
            b"connection",
            b"keep-alive",
            b"te",
            b"trailer",
            b"upgrade",
        ),
        *(b"expect", b"proxy-authorization", b"proxy-authenticate", b"proxy-connection", b"http2-settings"),
        *(b"accept-encoding", b"authorization", b"x-api-key", b"api-key", b"cookie"),
    }
)
"""Headers that a caller cannot set: those that frame a message or belong to one hop, and credentials, since a caller's are
meant for the gateway."""


def auth_header(kind: Literal["openai", "anthropic"], key: str | None) -> bytes:
    """The line that carries the key, or nothing.

    Raises:
        ValueError: The key holds a character that no header may hold; the message does not repeat it.
    """
    if key is None:
        return b""
    try:
        value = key.encode("ascii")
    except UnicodeEncodeError:
        value = b"\n"
    if not value or not _VALUE(value) or value != value.strip():
        raise ValueError(
            "the key is empty, or holds a line break, a space at an end, or another character that no header may"
        )
    return b"authorization: Bearer " + value + b"\r\n" if kind == "openai" else b"x-api-key: " + value + b"\r\n"


def fixed_head(method: str, target: str, authority: str, auth: bytes) -> bytes:
    """Request line and headers that do not change, without the empty line.

    Args:
        method: Method, checked by the caller.
        target: Path and query, checked by the caller.
        authority: Host and port.
        auth: A line of `auth_header`.
    """
    return (
        f"{method} {target} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: undertow\r\naccept-encoding: identity\r\n".encode(
            "ascii"
        )
        + auth
    )


def header_lines(headers: Iterable[tuple[bytes, bytes]], *, without: frozenset[bytes] = OWNED) -> bytes:
    r"""Further headers as bytes, those in `without` left out.

    Raises:
        ValueError: A name or value that would break the head (line breaks, NUL); the message names the header at most.

    Examples:
        >>> header_lines([(b"X-Trace", b"1"), (b"Host", b"elsewhere")])
        b'x-trace: 1\r\n'
    """
    lines = []
    for name, value in headers:
        lower = name.lower()
        if not _NAME(lower):
            raise ValueError("a header name holds a character that no name may hold")
        if not _VALUE(value):
            raise ValueError(f"the value of header {lower.decode('ascii')!r} holds a line break or control character")
        if lower not in without:
            lines.append(b"%b: %b\r\n" % (lower, value))
    return b"".join(lines)
