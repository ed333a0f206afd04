"""Implicit signals of all conversations, in bounded memory: messages in, signals out.

docs/concepts/implicit-signals.md defines each signal. Knows no clock: the caller passes the time.

Where there are more conversations than memory, a share of them is followed, drawn by a keyed hash of the conversation.
Forgetting the conversations that were silent longest instead would keep those in which something happened soon, and make
every rate look worse than it is.
"""

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from undertow.behaviour.conversation import Conversation, OpenTurn, Settled
from undertow.behaviour.human_words import HumanWords
from undertow.behaviour.normalising import words
from undertow.behaviour.similarity import keyed_hash, sketch_of_words
from undertow.records.serving import ImplicitPlan
from undertow.records.signal import SignalRecord
from undertow.records.turn import Handover, Message, Turn

LATENESS_S = 120.0
"""How long after its request a turn may arrive and still be put in its place. It is sent when the answer has ended."""

MAX_AHEAD_S = 300.0
"""Turns from further in the future come from a wrong clock; they would stay in memory."""

NOT_SERVED = frozenset({"error", "refused"})
_HASH_RANGE = float(2**64)
_LEAST_SHARE = 2.0**-20
_SLACK_S = 0.001  # sums of the same times in another order differ in their last bits


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be held in memory: about 1 kB a turn.

    Attributes:
        turns: Open turns.
        conversations: Conversations with open turns.
        settled: Decisions that are remembered as settled, so that a turn which comes twice counts once.
    """

    turns: int = 100_000
    conversations: int = 50_000
    settled: int = 200_000


class ImplicitSignals:
    """Takes turns in any order, gives each decision's signals once.

    Args:
        plan: Window, similarity, words and tools.
        key: Secret for the hashes, at most 64 bytes; random for each process, since they never leave it.
        bounds: What may be held.

    Attributes:
        counts: `turns`, `turns_duplicate`, `turns_late`, `turns_unfollowed` (not in the share that is followed, or
            forgotten when it shrank), `handovers`, `handovers_unplaced`, `implicit_signals`.
    """

    def __init__(self, plan: ImplicitPlan, key: bytes, bounds: Bounds = Bounds()) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._key = key
        self._bounds = bounds
        self._human = HumanWords(plan.human_words)
        self._handover_tools = frozenset(plan.handover_tools)
        self._sees_handovers = bool(plan.handover_tools)
        self._conversations: dict[int, Conversation] = {}
        self._secret = key.decode("latin-1")
        self._open: dict[int, int] = {}  # decision -> conversation, both as hashes
        self._settled: OrderedDict[int, None] = OrderedDict()
        self._due: list[tuple[float, int]] = []
        self._share = 1.0
        self._share_changed_at = float("-inf")

    @property
    def open_turns(self) -> int:
        """Turns in memory."""
        return len(self._open)

    @property
    def share(self) -> float:
        """Share of conversations that is followed, in (0, 1]."""
        return self._share

    def see(self, message: Message, now: float) -> None:
        """Take a turn or a handover.

        Args:
            message: As it arrived.
            now: When it arrived, Unix seconds.
        """
        if isinstance(message, Handover):
            self._see_handover(message, now)
        else:
            self._see_turn(message, now)

    def settle(self, now: float) -> tuple[SignalRecord, ...]:
        """Signals of the decisions for which now enough time has passed. Call it every few seconds.

        Args:
            now: Unix seconds.
        """
        signals: list[SignalRecord] = []
        now_text = rfc3339(now)
        due: dict[int, None] = {}
        while self._due and self._due[0][0] <= now:
            due[heapq.heappop(self._due)[1]] = None
        for where in due:
            conversation = self._conversations.get(where)
            if conversation is None:
                continue
            results, closed = conversation.settle(now, self._plan.window_s, LATENESS_S, self._plan.repeat_similarity)
            for turn in closed:
                self._close(turn)
            for result in results:
                signals += self._signals(result, now, now_text)
            if not conversation.turns and not conversation.handovers:
                del self._conversations[where]
        if self._share < 1.0 and self._has_room(0.25) and now >= self._share_changed_at + self._plan.window_s:
            self._share, self._share_changed_at = min(1.0, 2 * self._share), now
        self.counts["implicit_signals"] += len(signals)
        return tuple(signals)

    def shed(self, now: float) -> None:
        """Follow half as many conversations from now on: turns come faster than they can be looked at.

        Args:
            now: Unix seconds.
        """
        if self._share > _LEAST_SHARE:
            self._shrink(self._share / 2, now)

    def _see_turn(self, turn: Turn, now: float) -> None:
        self.counts["turns"] += 1
        decision, where = self._decision(turn.decision_id), keyed_hash(turn.conversation_id, self._key)
        horizon_s = self._plan.window_s + LATENESS_S
        if decision in self._open or decision in self._settled:
            self.counts["turns_duplicate"] += 1
            return
        if not now - horizon_s < turn.event_time < now + MAX_AHEAD_S:
            self.counts["turns_late"] += 1
            return
        if where / _HASH_RANGE >= self._share:
            self.counts["turns_unfollowed"] += 1
            return
        conversation = self._conversations.get(where)
        if conversation is None:
            conversation = self._conversations[where] = Conversation()
        found = words(turn.text)
        is_message = turn.is_user_turn and turn.client_retry == 0
        is_taken = conversation.add(
            OpenTurn(
                event_time=turn.event_time,
                decision_id=turn.decision_id,
                words=sketch_of_words(found, self._key),
                is_message=is_message,
                asks_human=self._human.in_words(found),
                has_answer=turn.status not in NOT_SERVED,
                is_cut=turn.status == "abandoned",
                calls_handover=not self._handover_tools.isdisjoint(turn.tool_calls),
                share=self._share,
            )
        )
        if not is_taken:
            self.counts["turns_late"] += 1
            return
        self._open[decision] = where
        self._wake(turn.event_time + horizon_s, where)
        if is_message:
            self._wake(turn.event_time + LATENESS_S, where)
        if not self._has_room():
            self._make_room(now)

    def _see_handover(self, handover: Handover, now: float) -> None:
        self.counts["handovers"] += 1
        self._sees_handovers = True
        if handover.decision_id is not None:
            where = self._open.get(self._decision(handover.decision_id))
        else:
            where = keyed_hash(handover.conversation_id or "", self._key)
        horizon_s = self._plan.window_s + LATENESS_S
        is_in_time = now - horizon_s < handover.event_time < now + MAX_AHEAD_S
        if where is None or where / _HASH_RANGE >= self._share or not is_in_time:
            self.counts["handovers_unplaced"] += 1
            return
        # It may be posted before the turn arrives that it belongs to: that comes when the answer has ended.
        self._conversations.setdefault(where, Conversation()).hand_over(handover.event_time, handover.decision_id)
        self._wake(handover.event_time + horizon_s, where)
        if not self._has_room():
            self._make_room(now)

    def _decision(self, decision_id: str) -> int:
        """A hash that only this process can make; conversations need one that draws the same sample every time."""
        return hash(self._secret + decision_id)

    def _wake(self, at: float, where: int) -> None:
        heapq.heappush(self._due, (at + _SLACK_S, where))

    def _has_room(self, part: float = 1.0) -> bool:
        is_under_turns = len(self._open) < part * self._bounds.turns
        return is_under_turns and len(self._conversations) < part * self._bounds.conversations

    def _make_room(self, now: float) -> None:
        """Follow half as many conversations as before, until there is room."""
        while not self._has_room(0.75) and self._share > _LEAST_SHARE:
            self._shrink(self._share / 2, now)

    def _shrink(self, share: float, now: float) -> None:
        """Follow this share of conversations. Who is followed depends on the hash alone, not on what has happened."""
        self._share, self._share_changed_at = share, now
        before = len(self._open)
        followed = self._conversations = {
            where: conversation for where, conversation in self._conversations.items() if where / _HASH_RANGE < share
        }
        self._open = {decision: where for decision, where in self._open.items() if where in followed}
        self.counts["turns_unfollowed"] += before - len(self._open)
        self._due = [entry for entry in self._due if entry[1] in followed]
        heapq.heapify(self._due)
        for conversation in followed.values():
            for turn in conversation.turns:
                turn.share = min(turn.share, share)

    def _close(self, turn: OpenTurn) -> None:
        decision = self._decision(turn.decision_id)
        self._open.pop(decision, None)
        self._settled[decision] = None
        while len(self._settled) > self._bounds.settled:
            self._settled.popitem(last=False)

    def _signals(self, result: Settled, now: float, now_text: str) -> list[SignalRecord]:
        found = {
            "no_repeat": result.is_repeated,
            "no_abandon": result.is_abandoned,
            "no_human_asked": result.is_human_asked,
        }
        if self._sees_handovers:
            found["no_handover"] = result.is_handed_over
        is_sampled = result.share < 1.0
        seen_at = rfc3339(result.at)
        # Nearly all were seen before now, which is the same for all of them.
        received_at = seen_at if result.at > now else now_text
        return [
            SignalRecord(
                signal_id=f"implicit:{name}:{result.decision_id}",
                event_time=seen_at,
                decision_id=result.decision_id,
                kind="implicit",
                name=name,
                value=0.0 if is_bad else 1.0,
                selection="sampled" if is_sampled else "census",
                inclusion_probability=result.share if is_sampled else None,
                received_at=received_at,
                source="undertow",
            )
            for name, is_bad in found.items()
        ]


def rfc3339(at: float) -> str:
    """Unix seconds as the log writes times.

    Examples:
        >>> rfc3339(1767225600.5)
        '2026-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
