"""What callers send to the gateway's port: HTTP framing, request targets, headers. The first byte says how the rest is cut into packets."""

import asyncio
import re
from contextlib import suppress

from outside_bytes.target import CANARY, Target, check_message, in_time
from scripted_http import FakeTransport
from undertow.gateway.arrival import ArrivalError, read_headers
from undertow.gateway.connection import Connection
from undertow.gateway.framing import split_target
from undertow.gateway.http_errors import HttpError
from undertow.gateway.server import Server
from undertow.records.serving import LimitsPlan

LIMITS = LimitsPlan(max_header_bytes=4_096, max_headers=20, max_body_bytes=8_192)


class Socket(FakeTransport):
    """Can be closed for writing alone, as a socket can."""

    def can_write_eof(self):
        return True

    def write_eof(self):
        pass


class Echo:
    """Reads the whole body and answers what it read; keeps count of what was refused before it."""

    def __init__(self) -> None:
        self.asked = 0
        self.refused: list[tuple[int, str]] = []

    async def __call__(self, scope, receive, send):
        self.asked += 1
        assert scope["path"].startswith("/") or scope["path"] == "*"
        assert all(name == name.lower() for name, _ in scope["headers"])
        with suppress(ArrivalError):
            read_headers(scope["headers"])
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
            assert size <= LIMITS.max_body_bytes
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % size})

    def record_refused(self, status, why):
        self.refused.append((status, why))
        return "0" * 32


async def _serve(data: bytes, step: int) -> tuple[Echo, bytes]:
    app = Echo()
    server = Server(app, LIMITS)
    server._loop = asyncio.get_running_loop()
    connection = Connection(server)
    transport = Socket(connection)
    connection.connection_made(transport)
    for at in range(0, len(data), step):
        if transport.is_closed:
            break
        connection.data_received(data[at : at + step])
        await asyncio.sleep(0)
    for _ in range(8):
        await asyncio.sleep(0)
    if not transport.is_closed:
        connection.connection_lost(None)
    while server._tasks:
        await asyncio.wait(server._tasks)
    assert not server.connections
    return app, b"".join(transport.written)


def read(data: bytes) -> None:
    """Nothing but answers and counted refusals, whatever comes, and no byte of it in a refusal."""
    cut, data = data[:1] or b"\0", data[1:]
    with in_time():
        app, written = asyncio.run(_serve(data, 1 + cut[0] * 16))
    assert not written or written.startswith(b"HTTP/1.1 ")
    answers = len(re.findall(rb"HTTP/1\.1 \d{3} ", written))
    assert answers <= app.asked + len(app.refused) + data.lower().count(b"100-continue")
    assert CANARY.encode() not in written
    with suppress(HttpError):
        split_target(data[:2_000])
    head = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in data.split(b"\r\n"))]
    try:
        read_headers(head)
    except ArrivalError as error:
        check_message(str(error), canary="")


_HEADERS = b"host: x\r\nauthorization: Bearer canary4711\r\nx-undertow-segment-intent: bill%20ing\r\ntraceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n"  # fmt: skip
SEEDS = (
    b"\xffPOST /v1/chat/completions?canary4711 HTTP/1.1\r\n"
    + _HEADERS
    + b"content-length: 13\r\n\r\n"
    + b'{"model":"a"}',
    b"\x00POST /v1/messages HTTP/1.1\r\n"
    + _HEADERS
    + b"transfer-encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n0\r\nx: y\r\n\r\n",
    b"\x03GET http://x/v1/models HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n",
    b"\x10POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\nx-stainless-retry-count: 2\r\n\r\nabc",
    b"\x01GET /v1/models HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nab",
    b"\x40OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\nmore",
)
TARGET = Target("http_requests", read, SEEDS)
