"""Model servers that send exact bytes, for tests of the HTTP client; and a transport without a network."""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Self

from undertow.adapters.upstreams.connection import Connection
from undertow.adapters.upstreams.exchange import Exchange
from undertow.records.serving import EndpointPlan, LimitsPlan, TierPlan

JSON_200 = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def status(code: int, *headers: bytes, body: bytes = b"") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (code, lines, len(body), body)


def run(loop_name: str, main: Awaitable):
    """Run a coroutine in a loop of the named kind."""
    if loop_name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


LOOPS = ("asyncio",) if sys.platform == "win32" else ("asyncio", "uvloop")


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: "ScriptedServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Read one request; returns its head."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                self.server.bodies.append(await self.reader.readexactly(int(value)))
        self.server.heads.append(head)
        return head

    async def send(self, *parts: bytes) -> None:
        """Send bytes; each part in a packet of its own, as far as that can be had."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0.002)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


def answers(*payloads: bytes, closes: bool = False) -> Script:
    """A connection that answers one request after another with exactly these bytes, then closes or stays open."""

    async def script(peer: Peer) -> None:
        for payload in payloads:
            await peer.request()
            await peer.send(payload)
        if closes:
            peer.close()
        else:
            await peer.reader.read()

    return script


class ScriptedServer:
    """Gives each connection the next script; the last one serves all further connections."""

    def __init__(self, *scripts: Script | bytes, ssl=None):
        self.scripts = [answers(*[script] * 1000) if isinstance(script, bytes) else script for script in scripts]
        self.ssl = ssl
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.tasks: set[asyncio.Task] = set()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.ssl)
        self.port = self.server.sockets[0].getsockname()[1]
        self.base_url = f"{'https' if self.ssl else 'http'}://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(Peer(self, reader, writer))
                writer.close()
                await writer.wait_closed()  # what is not sent yet still goes out
        finally:
            writer.transport.abort()
            self.tasks.discard(task)


def endpoint_plan(server: ScriptedServer, **fields) -> EndpointPlan:
    return EndpointPlan(base_url=server.base_url, **fields)


def tier_plan(*endpoints: EndpointPlan) -> TierPlan:
    return TierPlan(name="cheap", model="small", endpoints=endpoints)


def limits(**fields) -> LimitsPlan:
    """Limits that end a hanging test soon."""
    return LimitsPlan(**{"connect_timeout_s": 2.0, "first_byte_timeout_s": 2.0, "total_timeout_s": 5.0, **fields})


def refused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `close` and `abort` report the loss at once."""

    def __init__(self, protocol: Connection):
        super().__init__()
        self.protocol = protocol
        self.written: list[bytes] = []
        self.is_paused = False
        self.is_closed = False

    def write(self, data):
        self.written.append(bytes(data))

    def pause_reading(self):
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self):
        assert self.is_paused
        self.is_paused = False

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.is_closed

    def abort(self):
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    close = abort


class Wire:
    """A connection over a fake transport, within a running loop."""

    def __init__(self):
        self.idle: list[Connection] = []
        self.closed: list[Connection] = []
        self.ended: list[Exchange] = []
        self.connection = Connection(asyncio.get_running_loop(), self.idle.append, self.closed.append)
        self.transport = FakeTransport(self.connection)
        self.connection.connection_made(self.transport)

    def ask(self, *, max_body_bytes=50_000_000, first_byte_s=5.0, total_s=5.0, **fields) -> Exchange:
        exchange = Exchange(self.connection, max_body_bytes=max_body_bytes, on_end=self.ended.append, **fields)
        self.connection.start(exchange, b"HEAD", b"BODY", first_byte_s=first_byte_s, total_s=total_s)
        return exchange

    def receive(self, *parts: bytes) -> None:
        for part in parts:
            if not self.transport.is_closed:
                self.connection.data_received(part)

    def lose(self, error: Exception | None = None) -> None:
        """The connection ends: by a clean close (None) or an error."""
        if error is None:
            self.connection.eof_received()
        if not self.transport.is_closed:
            self.transport.is_closed = True
            self.connection.connection_lost(error)
