"""Connections to one endpoint that stay open between requests: last used first, bounded, with a queue when all are busy."""

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from typing import Any

from undertow.adapters.upstreams.connection import Connection


class PoolFullError(Exception):
    """All connections stayed busy for as long as connecting may take. Says nothing about the endpoint's health."""


class Pool:
    """Connections of one event loop to one host and port.

    A pool that is used in another loop than before forgets the connections of the old one: they cannot be used there. Call
    `aclose` in the old loop first, so that they are closed.

    Args:
        host: Name or address.
        port: TCP port.
        context: TLS context, or None: plain HTTP.
        max_connections: Most connections that are open at once, at least 1.
    """

    __slots__ = ("_context", "_host", "_idle", "_loop", "_max_connections", "_open", "_opening", "_port", "_waiters")

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None, max_connections: int) -> None:
        self._host = host
        self._port = port
        self._context = context
        self._max_connections = max_connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    def __len__(self) -> int:
        """Connections that are open or being opened."""
        return len(self._open) + self._opening

    def take_idle(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """The connection that was used last, or None: open one with `connect`."""
        if loop is not self._loop:
            self._move_to(loop)
        now_s = loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh(now_s):
                return connection
            connection.close()
        return None

    async def connect(self, timeout_s: float) -> Connection:
        """A new connection; where the bound is reached, the next one that is given back.

        Raises:
            OSError: Refused, unreachable, unknown host, TLS refused. TimeoutError is one.
            PoolFullError: None became free within `timeout_s`.
        """
        has_slot = False
        try:
            async with asyncio.timeout(timeout_s):
                if len(self) < self._max_connections:
                    self._opening += 1
                elif self._idle:
                    # Asked for although one is idle: that one is not trusted. Its place is taken over.
                    self._forget(self._idle.pop(0))
                    self._opening += 1
                else:
                    connection = await self._wait()
                    if connection is not None:
                        return connection
                has_slot = True
                return await self._open_one(timeout_s)
        except TimeoutError:
            if has_slot:
                raise
            raise PoolFullError(f"all {self._max_connections} connections are busy") from None

    async def aclose(self) -> None:
        """Close all connections; running exchanges end as `aborted`. The pool can be used again afterwards."""
        if self._loop is not asyncio.get_running_loop():
            return
        self._idle.clear()
        for connection in list(self._open):
            connection.fail("aborted")
        for _ in range(100):
            if not self._open:
                break
            await asyncio.sleep(0)

    async def _open_one(self, timeout_s: float) -> Connection:
        """Open a connection in a slot that is already counted in `_opening`."""
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = (
            {"ssl": self._context, "server_hostname": self._host, "ssl_handshake_timeout": max(timeout_s, 0.001)}
            if self._context is not None
            else {}
        )
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(loop, self._give_back, self._closed), self._host, self._port, **tls
            )
        except BaseException:
            if loop is self._loop:
                self._opening -= 1
                self._grant_slot()
            raise
        if loop is not self._loop:
            connection.close()
            raise ConnectionAbortedError("the pool moved to another event loop")
        self._opening -= 1
        if not connection.is_open:
            self._grant_slot()
            raise ConnectionResetError("closed by the peer right after it was opened")
        self._open.add(connection)
        return connection

    async def _wait(self) -> Connection | None:
        """A connection that was given back, or None: a slot is counted for the caller."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # It was served in the very moment it gave up.
                connection = waiter.result()
                if connection is not None:
                    self._give_back(connection)
                else:
                    self._opening -= 1
                    self._grant_slot()
            raise

    def _give_back(self, connection: Connection) -> None:
        """An exchange is over and the connection can be used again."""
        if connection not in self._open:
            connection.close()
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def _closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._grant_slot()

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()

    def _grant_slot(self) -> None:
        """A place is free: let the first in the queue open a connection."""
        while self._waiters and len(self) < self._max_connections:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._opening += 1
                waiter.set_result(None)

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        abandoned = list(self._open)
        self._idle.clear()
        self._open.clear()
        self._waiters.clear()
        self._opening = 0
        self._loop = loop
        for connection in abandoned:
            with suppress(RuntimeError):  # their loop may be closed
                connection.close()
