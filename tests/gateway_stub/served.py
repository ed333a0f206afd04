"""The gateway's own HTTP server with a tiny ASGI application, in a thread: what the tests of connections talk to."""

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field

import uvloop

from undertow.gateway.server import Server
from undertow.records.serving import LimitsPlan


@dataclass
class TinyApp:
    """`/echo` returns the body, `/early` answers before it reads it, `/wait` answers once released, `/stream` streams."""

    refused: list[tuple[int, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    bodies_refused: list[tuple[int, str]] = field(default_factory=list)
    sent_bytes: int = 0
    loop: asyncio.AbstractEventLoop | None = None
    released: asyncio.Event | None = None

    async def __call__(self, scope, receive, send):
        connection = scope["extensions"]["undertow"]
        path = scope["path"]
        self.seen.append(path)
        self.headers.append(scope["headers"])
        connection.on_disconnect = lambda: self.gone.append(path)
        body, more = b"", path != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                if connection.refusal is not None:
                    self.bodies_refused.append(connection.refusal)
                return
            body += message["body"]
            more = message["more_body"]
        if path == "/wait":
            await self.released.wait()
        if path == "/fail":
            raise ValueError("SECRET PROMPT")
        if path == "/fail-late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ValueError("SECRET PROMPT")
        if path == "/inject":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b\r\nset-cookie: c")]})
        if path == "/short":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"short"})
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"x-version", scope["http_version"].encode())]}
        )
        if path == "/stream":
            for piece in (b"one ", b"two ", b"three"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        elif path == "/huge":
            for _ in range(640):
                if connection.disconnected:
                    return
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                self.sent_bytes += 100_000
        await send(
            {"type": "http.response.body", "body": b"" if path in {"/stream", "/huge"} else body or path.encode()}
        )

    def record_refused(self, status, why):
        self.refused.append((status, why))
        return f"refused-{len(self.refused)}"


@dataclass
class Served:
    port: int
    app: TinyApp
    server: Server
    loop: asyncio.AbstractEventLoop

    def release(self):
        """Let `/wait` answer."""
        self.loop.call_soon_threadsafe(self.app.released.set)

    def call(self, coroutine):
        """Run something in the server's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def begin(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def wait_until(self, holds, timeout_s=5.0):
        until = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.005)


@contextlib.contextmanager
def served(app=None, **limits):
    """A running server with these limits, of the tiny application or another; its sweep comes every 20 ms."""
    app = TinyApp() if app is None else app
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    ready = threading.Event()
    box = {}

    async def main():
        app.released = asyncio.Event()
        server = Server(app, LimitsPlan(**limits), sweep_s=0.02)
        server.start(listener)
        box.update(loop=asyncio.get_running_loop(), server=server, stop=asyncio.Event())
        ready.set()
        await box["stop"].wait()
        await server.drain(in_flight_s=0, idle_s=0)

    thread = threading.Thread(target=uvloop.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield Served(port, app, box["server"], box["loop"])
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)
        listener.close()
