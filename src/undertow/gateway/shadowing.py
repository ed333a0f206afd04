"""Hands requests that were drawn for a second answer to the keeper, off the request path.

A worker keeps them in bounded memory until the keeper's socket has taken them; a keeper that is away for a while finds them there when
it is back. What does not fit is shed and counted: no caller ever waits for this.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from undertow.records.serving import ShadowPlan
from undertow.records.shadow_frame import MAX_FRAME_BYTES, encode_frame
from undertow.records.watched import ShadowRequest

MAX_WAITING_BYTES = 16_000_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
CONNECT_S = 5.0


class ShadowSender:
    """Sends the shadow requests of one worker. For its event loop's thread alone.

    Args:
        path: The keeper's stream socket; it may come and go. Empty: there is no keeper, and all is shed.
        plan: Of `[shadow]`.
        count_shed: Told how many requests were shed.
        max_bytes: Most bytes of requests that wait.

    Examples:
        >>> shed = []
        >>> sender = ShadowSender("", ShadowPlan(max_waiting=1), shed.append)
        >>> request = ShadowRequest(
        ...     decision_id="d", event_time="2026-03-01T12:00:00.000Z", endpoint="messages", tier="cheap", inclusion_probability=0.1,
        ...     stratum="tail", body=b"{}", prompt="", answer="",
        ... )
        >>> sender.take(request), shed
        (None, [1])
    """

    def __init__(
        self, path: str, plan: ShadowPlan, count_shed: Callable[[int], None], *, max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self._path, self._most, self._max_bytes, self._count_shed = path, plan.max_waiting, max_bytes, count_shed
        self._waiting: deque[ShadowRequest] = deque()
        self._bytes = 0
        self._came = asyncio.Event()
        self._is_closed = not path

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def take(self, request: ShadowRequest) -> None:
        """Take a request, or shed it where too much waits. Never blocks."""
        size = _size(request)
        if (
            self._is_closed
            or len(self._waiting) >= self._most
            or self._bytes + size > self._max_bytes
            or size > MAX_FRAME_BYTES
        ):
            self._count_shed(1)
            return
        self._waiting.append(request)
        self._bytes += size
        self._came.set()

    async def run(self) -> None:
        """Send what is taken until cancelled. A keeper that is away is looked for again and again, at growing intervals."""
        pause_s = FIRST_PAUSE_S
        while not self._is_closed:
            await self._some()
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:  # a time-out is one too
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                await self._send_all(reader, writer)
            except OSError:  # it went away: what still waits goes to the next one
                await asyncio.sleep(pause_s)
            finally:
                writer.transport.abort()  # one that hangs would never take what is left
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def close(self) -> None:
        """Take no more; what waits is shed. Cancel `run` yourself."""
        if self._waiting:
            self._count_shed(len(self._waiting))
            self._waiting.clear()
        self._bytes = 0
        self._is_closed = True

    async def _some(self) -> None:
        while not self._waiting:
            self._came.clear()
            await self._came.wait()

    async def _send_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send for as long as the connection lasts. One that breaks costs what was on its way: that is counted as shed.

        Raises:
            OSError: It has broken.
        """
        transport = writer.transport
        transport.set_write_buffer_limits(0)  # what the keeper does not take must count as waiting
        while True:
            await self._some()
            if transport.is_closing() or reader.at_eof():
                raise ConnectionResetError("the keeper went away")
            request = self._waiting.popleft()
            self._bytes -= _size(request)
            frame = encode_frame(request)
            if frame is None:
                self._count_shed(1)
                continue
            try:
                writer.write(frame)
                await writer.drain()
            except (OSError, asyncio.CancelledError):
                self._count_shed(1)
                raise


def _size(request: ShadowRequest) -> int:
    """Bytes that a request takes, near enough: texts beyond ASCII take more."""
    return len(request.body) + len(request.prompt) + len(request.answer)
