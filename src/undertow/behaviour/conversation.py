"""One conversation: its turns in order of event time, and what each of them turned out to show once that is settled.

Theory of operation. A decision answers the last message of the user. It is judged by the *next message*: the first later
turn that the user began (no tool result, no retry of the caller's client) within the window. A turn is settled once its next
message is `lateness_s` old, or the window and `lateness_s` have passed without one. Turns that arrive in any order within
`lateness_s` of their event time therefore give the same values; one that arrives after a later turn was settled is refused.
Turns are settled in order, so what a turn learns about the next (that it repeats a message) is there when the next is settled.
"""

from bisect import insort
from dataclasses import dataclass, field

import msgspec

from undertow.behaviour.similarity import Sketch, asks_the_same

MAX_TURNS = 256
"""Turns held of one conversation; a loop of tool calls can be endless."""

MAX_HANDOVERS = 16


class OpenTurn(msgspec.Struct, gc=False):
    """A turn that is not settled yet, without its text.

    Attributes:
        event_time: When the request arrived, Unix seconds.
        decision_id: Its decision.
        words: Sketch of the user's message; None: it says too little to be compared.
        is_message: The user sent a message with it: no tool result, no retry of a client.
        asks_human: That message asks for a person.
        has_answer: Something was served, in part at least.
        is_cut: The caller disconnected before the end of the answer.
        calls_handover: The answer called a handover tool.
        share: Share of conversations that were followed while it was open.
        is_repeat: Its message repeats the one before.
    """

    event_time: float
    decision_id: str
    words: Sketch | None
    is_message: bool = True
    asks_human: bool = False
    has_answer: bool = True
    is_cut: bool = False
    calls_handover: bool = False
    share: float = 1.0
    is_repeat: bool = False


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What a decision turned out to show. `at` is when that could be seen, Unix seconds of event time."""

    decision_id: str
    at: float
    share: float
    is_repeated: bool
    is_abandoned: bool
    is_human_asked: bool
    is_handed_over: bool


def _order(turn: OpenTurn) -> tuple[float, str]:
    return turn.event_time, turn.decision_id


@dataclass(slots=True)
class Conversation:
    """Open turns, in order, and handovers that may belong to them."""

    turns: list[OpenTurn] = field(default_factory=list)
    handovers: list[tuple[float, str | None]] = field(default_factory=list)
    settled_until: float = float("-inf")

    def add(self, turn: OpenTurn) -> bool:
        """Take a turn; False: it is too late, or there are too many."""
        if turn.event_time < self.settled_until or len(self.turns) >= MAX_TURNS:
            return False
        if self.turns and _order(turn) < _order(self.turns[-1]):
            insort(self.turns, turn, key=_order)
        else:
            self.turns.append(turn)
        return True

    def hand_over(self, at: float, decision_id: str | None) -> None:
        """Note that a person took over."""
        if (at, decision_id) not in self.handovers and len(self.handovers) < MAX_HANDOVERS:
            self.handovers.append((at, decision_id))

    def settle(
        self, now: float, window_s: float, lateness_s: float, similarity: float
    ) -> tuple[list[Settled], list[OpenTurn]]:
        """Settle what is due.

        Args:
            now: Unix seconds.
            window_s: How long after a request the next message counts.
            lateness_s: How long turns may be under way.
            similarity: Least similarity of messages that ask the same thing.

        Returns:
            What was settled of decisions with an answer, and all turns that are no longer open.
        """
        results: list[Settled] = []
        closed: list[OpenTurn] = []
        turns = self.turns
        next_message = 0
        for i, turn in enumerate(turns):
            end = turn.event_time + window_s
            # The next message of a turn is never before that of an earlier turn: one walk finds all of them.
            next_message = max(next_message, i + 1)
            while next_message < len(turns) and not turns[next_message].is_message:
                next_message += 1
            following = turns[next_message] if next_message < len(turns) else None
            if following is not None and following.event_time > end:
                following = None
            at = end if following is None else following.event_time
            if now < at + lateness_s:
                break
            later = turns[i + 1] if i + 1 < len(turns) and turns[i + 1].event_time <= end else None
            is_repeated = following is not None and asks_the_same(turn.words, following.words, similarity)
            if following is not None and is_repeated:
                # Asking again where nothing was served says nothing of an answer; it hands on what was known before.
                following.is_repeat = following.is_repeat or turn.has_answer or turn.is_repeat
            if later is not None and not later.is_message:
                later.is_repeat = later.is_repeat or turn.is_repeat
            if turn.has_answer:
                gives_up = later is None and (turn.is_repeat or turn.asks_human)
                results.append(
                    Settled(
                        decision_id=turn.decision_id,
                        at=at,
                        share=turn.share,
                        is_repeated=is_repeated,
                        is_abandoned=turn.is_cut or gives_up,
                        is_human_asked=following is not None and following.asks_human,
                        is_handed_over=turn.calls_handover or self._is_handed_over(turn, later, end),
                    )
                )
            closed.append(turn)
        if closed:
            del self.turns[: len(closed)]
            self.settled_until = closed[-1].event_time
        if self.handovers:
            self.handovers = [(at, decision) for at, decision in self.handovers if now < at + window_s + lateness_s]
        return results, closed

    def _is_handed_over(self, turn: OpenTurn, later: OpenTurn | None, end: float) -> bool:
        if not self.handovers:
            return False
        until = later.event_time if later is not None else end
        return any(
            decision == turn.decision_id
            or (decision is None and turn.event_time <= at <= end and (later is None or at < until))
            for at, decision in self.handovers
        )
