"""Answers to what never became a request: malformed, too large, too slow, or one too many. In OpenAI's error shape."""

from http import HTTPStatus

import msgspec

RETRY_AFTER_S = 1

SENTENCES: dict[str, str] = {
    "malformed_request": "This is not a well-formed HTTP/1.1 request.",
    "framing_conflict": "Content-Length and Transfer-Encoding contradict each other.",
    "unsupported_coding": "The only transfer coding that is understood is chunked.",
    "unsupported_version": "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    "bad_host": "A request needs exactly one Host header.",
    "connect_refused": "This server is no proxy.",
    "upgrade_refused": "This server does not switch protocols.",
    "url_too_long": "The request target is too long.",
    "headers_too_large": "Request line and headers are too large.",
    "too_many_headers": "The request has too many headers.",
    "body_too_large": "The request body is too large.",
    "header_timeout": "The headers did not arrive in time.",
    "body_timeout": "The request body did not arrive in time.",
    "too_many_pipelined": "Too many requests were sent without waiting for an answer.",
    "too_many_connections": "All connections of this server are taken. Try again.",
    "caller_left": "The caller closed the connection before its request was complete.",
    "stopping": "The gateway is stopping, and the answer was not ready in time. Try again.",
    "internal_error": "The gateway failed.",
}
"""Why -> what the caller reads. These words are also what the decision record says."""

CALLER_LEFT = 499
"""Status of a request whose caller has gone: nobody reads it; nginx's number for it, for the record."""


class HttpError(Exception):
    """Raised inside the parser's callbacks to stop it.

    Attributes:
        status: HTTP status.
        why: One of `SENTENCES`.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why


def error_response(status: int, why: str, *, date: bytes = b"", decision_id: str | None = None) -> bytes:
    r"""A whole HTTP response that closes the connection.

    Args:
        status: HTTP status.
        why: One of `SENTENCES`.
        date: A `date: ...` header line with its end, or nothing.
        decision_id: Id of the record that was written for it, if one was.

    Examples:
        >>> error_response(413, "body_too_large").partition(b"\r\n")[0]
        b'HTTP/1.1 413 Request Entity Too Large'
    """
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": SENTENCES[why], "type": kind, "param": None, "code": why}
    body = msgspec.json.encode({"error": error})
    head = [
        status_line(status),
        date,
        b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body),
    ]
    if status == 503:
        head.append(b"retry-after: %d\r\n" % RETRY_AFTER_S)
    if decision_id:
        head.append(b"x-undertow-decision-id: %s\r\n" % decision_id.encode())
    return b"".join((*head, b"\r\n", body))


def status_line(status: int) -> bytes:
    r"""The first line of a response.

    Examples:
        >>> status_line(200), status_line(599)
        (b'HTTP/1.1 200 OK\r\n', b'HTTP/1.1 599 \r\n')
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
