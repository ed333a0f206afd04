"""Tells the keeper of conversations' turns, off the request path: for the implicit signals.

Turns are gathered for a tick and sent as few datagrams; what the keeper's socket does not take is dropped and counted, since a
worker never waits for the keeper.
"""

import socket
from collections.abc import Callable
from datetime import datetime

from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.turn import Handover, Message, Turn, encode_messages
from undertow.services.routing import Incoming

MAX_WAITING = 4_096


class TurnSender:
    """Sends the turns of one worker.

    Args:
        path: The keeper's datagram socket; it may come and go.
        enabled: Implicit signals are wanted.
        count_dropped: Told how many turns were dropped.
    """

    def __init__(self, path: str, enabled: bool, count_dropped: Callable[[int], None]) -> None:
        self._path = path
        self._enabled = enabled and bool(path) and hasattr(socket, "AF_UNIX")
        self._count_dropped = count_dropped
        self._waiting: list[Message] = []
        self._socket: socket.socket | None = None

    def take(self, record: DecisionRecord, incoming: Incoming, facts: AnswerFacts | None) -> None:
        """Take the turn of a decision; one without a conversation says nothing."""
        if not self._enabled or record.conversation_id is None:
            return
        self._add(
            Turn(
                decision_id=record.decision_id,
                conversation_id=record.conversation_id,
                user_id=record.user_id,
                event_time=datetime.fromisoformat(record.event_time).timestamp(),
                text=incoming.facts.text,
                is_user_turn=incoming.facts.is_user_turn,
                client_retry=record.client_retry or 0,
                tool_calls=facts.tool_names if facts is not None else (),
                status=record.status or "ok",
            )
        )

    def take_handover(self, event_time_s: float, decision_id: str | None, conversation_id: str | None) -> None:
        """Take a posted signal that a person took over."""
        if self._enabled and (decision_id or conversation_id):
            self._add(Handover(event_time=event_time_s, decision_id=decision_id, conversation_id=conversation_id))

    def flush(self) -> None:
        """Send what has gathered."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for datagram in encode_messages(waiting):
            if not self._send(datagram):
                self._count_dropped(datagram.count(b"\n") + 1)

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _add(self, message: Message) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._count_dropped(1)
            return
        self._waiting.append(message)

    def _send(self, datagram: bytes) -> bool:
        for _ in range(2):  # the keeper may have been started anew, with a new socket at the same path
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    self._socket.setblocking(False)
                    self._socket.connect(self._path)
                self._socket.send(datagram)
            except BlockingIOError:
                return False
            except OSError:
                self.close()
                continue
            return True
        return False
