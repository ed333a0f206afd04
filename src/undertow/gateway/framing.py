"""Two small readers beside the parser: of a request target, and of a body whose head was read by another parser."""

from typing import Any, Protocol

import httptools

from undertow.gateway.http_errors import HttpError


class BodyReceiver(Protocol):
    """What takes a body."""

    def on_body(self, body: bytes) -> None:
        """Take a piece."""
        ...

    def on_message_complete(self) -> None:
        """All of it was there."""
        ...


class _BodyOnly:
    """What a parser that is to read a body alone calls."""

    def __init__(self, receiver: BodyReceiver) -> None:
        self.on_body = receiver.on_body
        self.on_message_complete = receiver.on_message_complete


def body_parser(receiver: BodyReceiver, content_length: int) -> Any:
    """A parser that expects a body, of this length or (0) in chunks; whatever comes behind it is an error."""
    parser: Any = httptools.HttpRequestParser(_BodyOnly(receiver))
    framing = b"content-length: %d" % content_length if content_length else b"transfer-encoding: chunked"
    parser.feed_data(b"POST / HTTP/1.1\r\nconnection: close\r\n%b\r\n\r\n" % framing)
    return parser


def split_target(url: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target; of the absolute form, too, whose host is not looked at.

    Raises:
        HttpError: It is none.

    Examples:
        >>> split_target(b"/v1/models?limit=2"), split_target(b"http://elsewhere/v1/models")
        ((b'/v1/models', b'limit=2'), (b'/v1/models', b''))
    """
    if not url.startswith(b"/"):
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            if url == b"*":
                return url, b""
            raise HttpError(400, "malformed_request") from None
        return parsed.path or b"/", parsed.query or b""
    path, _, query = url.partition(b"?")
    return path, query
