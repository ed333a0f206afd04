"""HTTP by hand, for requests that no client library would send: byte by byte, half, twice, or wrong.

with RawConnection(port) as connection:
    connection.send(b"POST /v1/chat/completions HTTP/1.1\\r\\nhost: x\\r\\n", b"content-length: nine\\r\\n\\r\\n")
    assert connection.read_answer().status == 400
"""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer.

    Attributes:
        status: HTTP status; 0 where the connection ended before a status line.
        headers: Names in lower case; of a repeated header the last.
        body: Out of its chunks where it was chunked.
        is_whole: The HTTP message was complete.
        head: Status line and headers as they came.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = True
    head: bytes = b""

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        """The blocks of an event stream, without their empty lines; the last may be unfinished."""
        return [block for block in self.body.split(b"\n\n") if block]


@dataclass(slots=True)
class RawConnection:
    """A connection to a loopback port. Use it as a context manager."""

    port: int
    timeout_s: float = 10.0
    _socket: socket.socket = field(init=False)
    _unread: bytes = b""

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), self.timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def send(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        """Send pieces one after another, each as a segment of its own where `pause_s` is above 0."""
        for piece in pieces:
            self._socket.sendall(piece)
            if pause_s:
                time.sleep(pause_s)

    def finish(self) -> None:
        """Send no more; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a reset, as a process that is killed does with unread data."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def read_some(self) -> bytes:
        """What arrives next; empty at the end of the connection."""
        if self._unread:
            result, self._unread = self._unread, b""
            return result
        try:
            return self._socket.recv(65536)
        except ConnectionError:
            return b""

    def read_until(self, mark: bytes) -> bytes:
        """All up to and including a mark, or up to the end of the connection."""
        seen = b""
        while mark not in seen:
            piece = self.read_some()
            if not piece:
                return seen
            seen += piece
        end = seen.index(mark) + len(mark)
        self._unread = seen[end:]
        return seen[:end]

    def read_all(self) -> bytes:
        """All up to the end of the connection."""
        pieces = []
        while piece := self.read_some():
            pieces.append(piece)
        return b"".join(pieces)

    def read_answer(self) -> RawAnswer:
        """The next answer, whole or as far as it came."""
        head = self.read_until(b"\r\n\r\n")
        if not head.endswith(b"\r\n\r\n"):
            return RawAnswer(0, body=head, is_whole=False)
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        status = int(first.split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "chunked" in headers.get("transfer-encoding", ""):
            body, is_whole = self._read_chunks()
        elif "content-length" in headers:
            size = int(headers["content-length"])
            body = self._read_exactly(size)
            is_whole = len(body) == size
        elif status < 200 or status in {204, 304}:
            body, is_whole = b"", True
        else:
            body, is_whole = self.read_all(), True
        return RawAnswer(status, headers, body, is_whole, head)

    def _read_exactly(self, size: int) -> bytes:
        seen = b""
        while len(seen) < size:
            piece = self.read_some()
            if not piece:
                return seen
            seen += piece
        self._unread = seen[size:] + self._unread
        return seen[:size]

    def _read_chunks(self) -> tuple[bytes, bool]:
        body = b""
        while True:
            line = self.read_until(b"\r\n")
            if not line.endswith(b"\r\n"):
                return body, False
            size = int(line.split(b";")[0], 16)
            piece = self._read_exactly(size + 2)
            body += piece[:size]
            if len(piece) < size + 2:
                return body, False
            if size == 0:
                return body, True


def request_bytes(
    path: str, body: bytes | object = b"", *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> bytes:
    """A well-formed request. A body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(content))}
    named |= headers or {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + content


def exchange(port: int, *pieces: bytes, pause_s: float = 0.0, timeout_s: float = 10.0) -> RawAnswer:
    """Send pieces on a connection of their own and read one answer. A server that stops reading early is no error."""
    with RawConnection(port, timeout_s) as connection:
        with contextlib.suppress(ConnectionError):
            connection.send(*pieces, pause_s=pause_s)
        return connection.read_answer()


def post(port: int, path: str, body: bytes | object, **headers: str) -> RawAnswer:
    """One well-formed POST; `authorization` and the like as keywords, underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(port, request_bytes(path, body, headers=named))


def get(port: int, path: str, **headers: str) -> RawAnswer:
    """One well-formed GET."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange(port, request_bytes(path, method="GET", headers=named))
