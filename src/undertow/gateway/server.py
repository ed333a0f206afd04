"""The HTTP server of one worker: it accepts connections, runs the application for each request, and drains.

An own one on httptools and not uvicorn's: see docs/decisions/0015-processes.md.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, Protocol

from undertow.gateway.connection import Connection
from undertow.gateway.exchange import Exchange
from undertow.records.serving import LimitsPlan

LOG = logging.getLogger("undertow.gateway")
SWEEP_S = 0.5
ACCEPT_PAUSE_S = 0.5


class App(Protocol):
    """What the server runs: an ASGI application for http scopes."""

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        ...

    def record_refused(self, status: int, why: str) -> str | None:
        """Write the record of a request that never became one; its decision id, if the caller should be told it."""
        ...


class Server:
    """The HTTP server of one worker.

    Attributes:
        limits: What callers may do.
        connections: Open connections.
        now: Loop time at the last sweep, up to `sweep_s` old; what deadlines are reckoned from.
        date_line: The `date` header with its line end, made anew every sweep.
        is_draining: No new connections, and every response closes its connection.
    """

    def __init__(self, app: App, limits: LimitsPlan, *, sweep_s: float = SWEEP_S) -> None:
        self._app = app
        self._sweep_s = sweep_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrivals: set[asyncio.Task[Any]] = set()
        self._listener: socket.socket | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self.limits = limits
        self.connections: set[Connection] = set()
        self.now = 0.0
        self.date_line = b""
        self.is_draining = False

    def start(self, listener: socket.socket) -> None:
        """Accept connections from a listening socket, which other workers may share. Call it in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._sweep()
        listener.setblocking(False)
        self._listener = listener
        self._listen()

    def _listen(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Take one connection. One a turn, so that workers that wake together share a burst; a server of the loop's own takes all."""
        assert self._listener is not None
        try:
            arrived, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return  # another worker was quicker, or the caller has gone
        except OSError as error:
            # Out of file descriptors, most likely. The socket stays readable: asking again at once would only burn time.
            LOG.error("cannot accept connections: %s", error.strerror)  # noqa: TRY400 (there is nothing else to know)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(ACCEPT_PAUSE_S, self._listen)
            return
        arrived.setblocking(False)
        if arrived.family != socket.AF_UNIX:
            arrived.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: Connection(self), arrived))
        self._arrivals.add(task)
        task.add_done_callback(self._arrivals.discard)

    @property
    def in_flight(self) -> int:
        """Requests whose application runs."""
        return len(self._tasks)

    def run(self, exchange: Exchange) -> None:
        """Run the application for one request."""
        task = self._loop.create_task(exchange.run(self._app))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def record_refused(self, status: int, why: str) -> str | None:
        """Have the application write the record of a request that never became one."""
        return self._app.record_refused(status, why)

    def _sweep(self) -> None:
        self.now = self._loop.time()
        self.date_line = b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode()
        for connection in tuple(self.connections):
            connection.expire_at(self.now)
        self._sweeper = self._loop.call_later(self._sweep_s, self._sweep)

    def stop_accepting(self) -> None:
        """Leave new connections to others; from now on every response closes its connection."""
        self.is_draining = True
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def drain(self, *, in_flight_s: float, idle_s: float) -> bool:
        """Stop accepting and let what is under way end.

        An idle connection stays open for `idle_s`: whoever sends on it meanwhile gets an answer, with `connection: close`,
        and never a closed connection.

        Args:
            in_flight_s: Seconds that requests may still take.
            idle_s: Seconds that idle connections stay; at most `in_flight_s` counts.

        Returns:
            Whether everything ended by itself; False: requests were cut off.
        """
        self.stop_accepting()
        began = self._loop.time()
        while self.connections or self._tasks or self._arrivals:
            waited_s = self._loop.time() - began
            if waited_s >= idle_s:
                for connection in tuple(self.connections):
                    connection.close_if_idle()
            if waited_s >= in_flight_s:
                break
            await asyncio.sleep(min(0.05, in_flight_s))
        is_clean = not self._tasks
        if not is_clean:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0.05)  # their last words leave
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # connections learn of their end
        if self._sweeper is not None:
            self._sweeper.cancel()
        return is_clean
