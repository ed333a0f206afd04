"""A scriptable upstream on a loopback port, speaking chat completions, Anthropic messages and OpenAI responses.

    with FakeUpstream() as upstream:
        upstream.script(Reply(status=503), Reply(text="second try"))   # for the next requests, in order
        upstream.answer("small", Reply(confidence=0.2))                # for every request to this model
        ...                                                            # anything else: by model name, see `reply`
        assert upstream.requests[0].json["model"] == "small"

It runs in a thread with a loop of its own, so that sync and async tests use it alike. Nothing else is needed to stop it than
the end of the `with` block.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from gateway_fakes import bodies
from gateway_fakes.reply import Reply, reply_for, with_offered_tools

ENDPOINTS = ("/chat/completions", "/messages", "/responses")


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived.

    Attributes:
        method: HTTP method.
        path: Request target as sent.
        headers: Names in lower case; of a repeated header the last.
        header_lines: All headers as sent, in order.
        body: The body, out of its chunks where it was chunked.
        connection: Number of the connection, from 0: equal numbers mean a connection was used again.
        at_s: When it was complete, on the monotonic clock.
    """

    method: str
    path: str
    headers: dict[str, str]
    header_lines: list[tuple[str, str]]
    body: bytes
    connection: int
    at_s: float

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class _StopError(Exception):
    """The connection is to end now; `how` as in `Reply.cut_how`."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


@dataclass(slots=True)
class FakeUpstream:
    """The upstream. Use it as a context manager.

    Attributes:
        tls: A server's context, to speak TLS.
        requests: What arrived, oldest first.
        connections: Connections accepted so far.
        aborted: Answers that the other side closed before their end.
        finished: Answers given to their end.
    """

    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    aborted: int = 0
    finished: int = 0
    port: int = 0
    _scripted: deque[Reply] = field(default_factory=deque)
    _answers: dict[str, Reply] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    # --- for tests

    @property
    def base_url(self) -> str:
        """Address up to and including /v1."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these, in order of arrival, whatever their models."""
        self._scripted.extend(replies)

    def answer(self, model: str, reply: Reply) -> None:
        """Answer every request to `model` with this, unless something is scripted."""
        self._answers[model] = reply

    def asked(self, model: str) -> list[Received]:
        """The requests to this model."""
        return [request for request in self.requests if request.body and request.json.get("model") == model]

    def wait_until(self, holds: Callable[[Self], bool], timeout_s: float = 5.0) -> None:
        """Wait until something holds, such as `lambda upstream: upstream.aborted == 1`.

        Raises:
            AssertionError: It did not within `timeout_s`.
        """
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), timeout_s), f"not within {timeout_s} s: {self!r}"

    def close_idle(self) -> None:
        """Close every connection, as a server does after its keep-alive time."""
        asyncio.run_coroutine_threadsafe(self._drop_connections(), self._loop).result(5)

    def refuse(self) -> None:
        """From now on connecting is refused; `listen` takes it back."""
        asyncio.run_coroutine_threadsafe(self._close_listener(), self._loop).result(5)

    def listen(self) -> None:
        """Listen again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._open_listener(), self._loop).result(5)

    # --- start and stop

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-upstream", daemon=True)
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_exception: object) -> None:
        async def stop() -> None:
            await self._close_listener()
            await self._drop_connections()

        assert self._thread is not None
        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _open_listener(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.tls, limit=1 << 20, start_serving=True, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close_listener(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _drop_connections(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = self.connections
        self._note(connections=1)
        how = "close"
        try:
            early = b""
            while (received := await _read_request(reader, number, early)) is not None:
                with self._changed:
                    self.requests.append(received)
                    self._changed.notify_all()
                early = await self._answer(received, reader, writer)
                self._note(finished=1)
        except _StopError as stop:
            how = stop.how
            if how == "hang":
                with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                    await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            self._note(aborted=1)
        except asyncio.CancelledError:
            how = "reset"
        finally:
            _close(writer, reset=how == "reset")
            self._tasks.discard(task)

    def _note(self, *, connections: int = 0, aborted: int = 0, finished: int = 0) -> None:
        with self._changed:
            self.connections += connections
            self.aborted += aborted
            self.finished += finished
            self._changed.notify_all()

    def _reply(self, request: dict[str, Any]) -> Reply:
        if self._scripted:
            return self._scripted.popleft()
        model = str(request.get("model", ""))
        return self._answers.get(model) or reply_for(model)

    async def _answer(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Answer one request; returns what was read of the next one already."""
        path = received.path.partition("?")[0].removeprefix("/v1")
        if received.method == "GET" and path == "/models":
            listed = [{"id": "fake", "object": "model", "created": 0, "owned_by": "fake"}]
            await _send(writer, 200, {}, json.dumps({"object": "list", "data": listed}).encode())
            return b""
        try:
            request = json.loads(received.body)
            assert isinstance(request, dict)
        except (ValueError, AssertionError):
            request = None
        if received.method != "POST" or path not in ENDPOINTS or request is None:
            status = 404 if path not in ENDPOINTS else 400
            await _send(writer, status, {}, bodies.error(path, status, "no such thing here"))
            return b""
        offered = [
            str(tool.get("function", tool).get("name")) for tool in request.get("tools") or [] if isinstance(tool, dict)
        ]
        reply = with_offered_tools(self._reply(request), offered)
        # Notices a caller that goes away while this side still writes. Normally nothing arrives before the answer has ended.
        gone = asyncio.ensure_future(reader.read(1))
        work = asyncio.ensure_future(_carry_out(path, request, reply, writer))
        try:
            await asyncio.wait((gone, work), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and gone.exception() is None and gone.result():
                await work  # the next request came early: not gone
            elif not work.done():
                raise ConnectionResetError("the caller went away")
            work.result()
        finally:
            for pending in (gone, work):
                pending.cancel()
            await asyncio.gather(gone, work, return_exceptions=True)
        return b"" if gone.cancelled() or gone.exception() else gone.result()


async def _carry_out(path: str, request: dict[str, Any], reply: Reply, writer: asyncio.StreamWriter) -> None:
    if reply.delay_s:
        await asyncio.sleep(reply.delay_s)
    if reply.no_head:
        raise _StopError(reply.cut_how)
    if reply.raw is not None:
        writer.write(reply.raw)
        await writer.drain()
        raise _StopError("close")
    if reply.status >= 300 and reply.body is None:
        body = bodies.error(path, reply.status, f"status {reply.status} as asked")
        return await _send(writer, reply.status, reply.headers, body)
    is_stream = reply.answers_as == "sse" or (reply.answers_as is None and bool(request.get("stream")))
    if reply.endless is not None:
        return await _go_on(path, request, reply, writer)
    if reply.body is not None or not is_stream:
        body = bodies.whole(path, request, reply) if reply.body is None else reply.body
        kind = {"content-type": "text/event-stream"} if reply.answers_as == "sse" else {}
        return await _send(writer, reply.status, {**kind, **reply.headers}, body, reply)
    return await _stream(path, bodies.events(path, request, reply), reply, writer)


async def _stream(path: str, events: list[bytes], reply: Reply, writer: asyncio.StreamWriter) -> None:
    writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **reply.headers}))
    await writer.drain()
    end = len(events) if reply.cut_after is None else min(reply.cut_after, len(events))
    for number, event in enumerate(events[:end]):
        if number and reply.gap_s:
            await asyncio.sleep(reply.gap_s)
        await _write(writer, event, bytewise=reply.bytewise)
    if reply.cut_after is not None:
        if reply.cut_inside and end < len(events):
            await _write(writer, events[end][: len(events[end]) // 2], bytewise=False)
        if reply.cut_how == "error":
            await _write(writer, bodies.error_event(path), bytewise=False)
        if reply.cut_how not in {"end", "error"}:
            await asyncio.sleep(0.01)  # let what was written be read before a reset discards it
            raise _StopError(reply.cut_how)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _go_on(path: str, request: dict[str, Any], reply: Reply, writer: asyncio.StreamWriter) -> None:
    """Write until the other side has had enough."""
    kind = "application/json" if reply.endless == "body" else "text/event-stream"
    writer.write(_head(200, {"content-type": kind, "transfer-encoding": "chunked", **reply.headers}))
    first, event, *_ = bodies.events(path, request, Reply(text="more " * 200, pieces=1))
    if reply.endless in {"drip", "flood"}:
        await _write(writer, first, bytewise=False)
    elif reply.endless == "event":
        await _write(writer, b'data: {"choices":[{"index":0,"delta":{"content":"', bytewise=False)
    else:
        await _write(
            writer, b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"', bytewise=False
        )
    piece = event if reply.endless in {"drip", "flood"} else b"a" * 65536
    while True:
        await _write(writer, piece, bytewise=False)
        await asyncio.sleep(0.05 if reply.endless == "drip" else 0)


async def _write(writer: asyncio.StreamWriter, event: bytes, *, bytewise: bool) -> None:
    """One event as one chunk, or each of its bytes as one."""
    for piece in [event[at : at + 1] for at in range(len(event))] if bytewise else [event]:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()


async def _send(
    writer: asyncio.StreamWriter, status: int, headers: Any, body: bytes, reply: Reply | None = None
) -> None:
    length = len(body) + (reply.pads_length if reply else 0)
    framing = {} if status == 204 else {"content-length": str(length)}
    head = _head(status, {"content-type": "application/json", **framing, **headers})
    cut = reply is not None and (reply.cut_after is not None or reply.pads_length)
    if reply is not None and reply.cut_after is not None:
        body = body[: reply.cut_after]
    if reply is not None and reply.bytewise:
        for at in range(len(head + body)):
            writer.write((head + body)[at : at + 1])
            await writer.drain()
    else:
        writer.write(head + body)
        await writer.drain()
    if cut and reply is not None:
        await asyncio.sleep(0.01)
        raise _StopError("close" if reply.cut_how in {"end", "error"} else reply.cut_how)


def _head(status: int, headers: dict[str, str]) -> bytes:
    named = {"x-request-id": "req_fake", **headers}
    return f"HTTP/1.1 {status} X\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in named.items()).encode() + b"\r\n"


async def _read_request(reader: asyncio.StreamReader, connection: int, early: bytes) -> Received | None:
    """The next request of a connection, of which `early` was read already, or None where it ended between two."""
    try:
        head = early + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _version = first.split(" ")
    header_lines = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = {name.lower(): value for name, value in header_lines}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, header_lines, body, connection, time.monotonic())


def _close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    sock = writer.get_extra_info("socket")
    if reset and sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if reset else writer.close()


def closed_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
