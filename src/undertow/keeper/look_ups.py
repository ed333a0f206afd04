"""Answers workers that look for a decision which is no longer in any segment: the keeper has the engine, they have not.

One line with a decision's id in, one line with its JSON record, or an empty one, out. Connections, lines, time and the number
of searches at once are bounded: beyond, the answer is empty, as if the record were not there yet.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from undertow.keeper.sockets import OwnSocket

log = logging.getLogger("undertow.keeper")

MAX_CONNECTIONS = 64
MAX_SEARCHES = 16
MAX_LINE_BYTES = 256
IDLE_S = 10.0


class LookUps:
    """The server.

    Args:
        path: Where to bind the stream socket.
        find: Finds the JSON line of a decision; called in a thread, one search at a time.
    """

    def __init__(self, path: Path, find: Callable[[str], bytes | None]) -> None:
        self._path, self._find = path, find
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="undertow-look-up")
        self._open: set[asyncio.Task[None]] = set()
        self._searches = 0
        self._own: OwnSocket | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The socket cannot be bound.
        """
        self._own = OwnSocket(self._path, socket.SOCK_STREAM)
        self._server = await asyncio.start_unix_server(self._serve, sock=self._own.socket, limit=MAX_LINE_BYTES)

    async def close(self) -> None:
        """Stop listening, and hang up."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._threads.shutdown(cancel_futures=True)
        if self._own is not None:
            self._own.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a server's callback runs in a task"
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._answer_all(reader, writer)
        except (OSError, TimeoutError, ValueError, UnicodeDecodeError):
            pass  # it went away, was idle, or sent a line that is no id
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                return
            writer.write((await self._look_up(line.decode("ascii").strip()) or b"") + b"\n")
            async with asyncio.timeout(IDLE_S):
                await writer.drain()

    async def _look_up(self, decision_id: str) -> bytes | None:
        if self._searches >= MAX_SEARCHES:
            return None
        self._searches += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._find, decision_id)
        except OSError:
            log.exception("look_up_failed")
            return None
        finally:
            self._searches -= 1
