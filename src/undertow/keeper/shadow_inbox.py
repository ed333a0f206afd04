"""Takes the workers' shadow requests (`undertow.records.shadow_frame`) and keeps them in bounded memory until they are answered.

It always reads, so no worker is held up: what does not fit is shed first. What is no frame, or a longer one than is allowed, ends its
connection, and is counted. Requests are never written to a disk.
"""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

from undertow.keeper.sockets import OwnSocket
from undertow.records.shadow_frame import LENGTH_BYTES, MAX_FRAME_BYTES, FrameError, decode_frame
from undertow.records.watched import ShadowRequest

log = logging.getLogger("undertow.keeper")

MAX_CONNECTIONS = 256
MAX_WAITING_BYTES = 64_000_000
FRAME_S = 10.0
"""A frame that has begun must end within this."""
REMEMBERED = 4_096
"""Ids by which a request that comes twice is known."""


class ShadowInbox:
    """Requests that arrived. For one event loop.

    Args:
        path: Where to bind the stream socket.
        most: Most requests that wait.
        on_shed: Told of each request that was shed.
        count: Counts `shadow_received`, `shadow_shed`, `shadow_refused` (frames that were none) and `shadow_repeated`.
        max_bytes: Most bytes of requests that wait.
    """

    def __init__(
        self,
        path: Path,
        most: int,
        on_shed: Callable[[ShadowRequest], None],
        count: Callable[[str], None],
        *,
        max_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._path, self._most, self._on_shed, self._count, self._max_bytes = path, most, on_shed, count, max_bytes
        self._waiting: deque[tuple[ShadowRequest, int]] = deque()
        self._bytes = 0
        self._came = asyncio.Condition()
        self._seen: dict[str, None] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._own: OwnSocket | None = None
        self._server: asyncio.Server | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The socket cannot be bound.
            ConfigError: Its path is too long.
        """
        self._own = OwnSocket(self._path, socket.SOCK_STREAM)
        self._server = await asyncio.start_unix_server(self._serve, sock=self._own.socket)

    async def take(self) -> ShadowRequest:
        """The request that has waited longest; waits for one."""
        async with self._came:
            await self._came.wait_for(lambda: self._waiting)
            request, size = self._waiting.popleft()
            self._bytes -= size
            return request

    async def close(self) -> None:
        """Stop listening, hang up, and shed what waits."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._own is not None:
            self._own.close()
        while self._waiting:
            self._shed(self._waiting.popleft()[0])
        self._bytes = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a server's callback runs in a task"
        if len(self._open) >= MAX_CONNECTIONS:
            self._count("shadow_refused")
            writer.close()
            return
        self._open.add(task)
        try:
            while await self._read_frame(reader):
                pass
        except FrameError as error:
            self._count("shadow_refused")
            log.warning("shadow_frame_refused", extra={"why": str(error)})
        except (OSError, asyncio.CancelledError):
            pass  # it went away, or the keeper ends
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read_frame(self, reader: asyncio.StreamReader) -> bool:
        """Read one frame; False: the connection has ended.

        Raises:
            FrameError: It is none, or was cut.
        """
        try:
            head = await reader.readexactly(LENGTH_BYTES)
            size = int.from_bytes(head, "big")
            if not 0 < size <= MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {size} bytes; expected 1 to {MAX_FRAME_BYTES}")
            async with asyncio.timeout(FRAME_S):
                payload = await reader.readexactly(size)
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                raise FrameError("a frame was cut") from None
            return False
        except TimeoutError:
            raise FrameError(f"a frame did not end within {FRAME_S:g} s") from None
        await self._keep(decode_frame(payload), size)
        return True

    async def _keep(self, request: ShadowRequest, size: int) -> None:
        self._count("shadow_received")
        if request.decision_id in self._seen:
            self._count("shadow_repeated")
            return
        self._seen[request.decision_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if len(self._waiting) >= self._most or self._bytes + size > self._max_bytes:
            self._shed(request)
            return
        async with self._came:
            self._waiting.append((request, size))
            self._bytes += size
            self._came.notify()

    def _shed(self, request: ShadowRequest) -> None:
        self._count("shadow_shed")
        self._on_shed(request)
