"""Takes the workers' datagrams with turns (`undertow.records.turn`) and keeps them until the job for implicit signals comes.

A thread of its own empties the socket: its queue is short, and a sender whose datagram does not fit drops it.
"""

import contextlib
import socket
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from threading import Lock, Thread

from undertow.keeper.sockets import OwnSocket
from undertow.records.turn import MAX_DATAGRAM_BYTES, Message, decode_messages

MAX_WAITING = 50_000
RECEIVE_BUFFER_BYTES = 4_000_000
STOP_CHECK_S = 0.2


class TurnInbox:
    """Messages that arrived.

    Args:
        path: Where to bind the datagram socket.
        most: Most messages that wait; beyond, new ones are dropped and counted.

    Raises:
        OSError: The socket cannot be bound.
    """

    def __init__(self, path: Path, most: int = MAX_WAITING) -> None:
        self._most = most
        self._waiting: deque[Message] = deque()
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._own = OwnSocket(path, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            self._own.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._own.socket.settimeout(STOP_CHECK_S)
        self._is_closing = False
        self._thread = Thread(target=self._receive, name="undertow-turns", daemon=True)
        self._thread.start()

    def take(self) -> tuple[list[Message], Mapping[str, int]]:
        """All that waits, in order of arrival, and what was counted since the last call: `turns_dropped`, `turns_broken`."""
        with self._lock:
            messages, counts = list(self._waiting), self._counts
            self._waiting.clear()
            self._counts = Counter()
        return messages, counts

    def close(self) -> None:
        """Stop listening; what waits can still be taken."""
        self._is_closing = True
        self._thread.join()
        self._own.close()

    def _receive(self) -> None:
        while not self._is_closing:
            try:
                datagram = self._own.socket.recv(MAX_DATAGRAM_BYTES + 1)
            except TimeoutError:
                continue
            except OSError:
                with self._lock:
                    self._counts["turns_broken"] += 1
                continue
            messages, broken = decode_messages(datagram)
            with self._lock:
                kept = messages[: max(0, self._most - len(self._waiting))]
                self._waiting.extend(kept)
                self._counts["turns_dropped"] += len(messages) - len(kept)
                self._counts["turns_broken"] += broken
