"""The job that turns conversations into implicit signals, and writes those to the store."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Protocol

from undertow.behaviour.implicit import ImplicitSignals
from undertow.keeper.turns import TurnInbox
from undertow.records.signal import SignalRecord

MAX_UNWRITTEN = 50_000
AT_ONCE = 2_000


class Signals(Protocol):
    """Where signals go: a signal log that is synced by hand."""

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """See `undertow.ports.decision_log.SignalLog`."""
        ...

    def sync(self) -> None:
        """Wait until the disk has everything."""
        ...


class Conversations:
    """Messages from the inbox in, signals to the log out; one thread at a time.

    Args:
        inbox: Where messages arrive.
        implicit: The state of all conversations.
        signals: Where signals go.
        clock: Seconds since 1970.
    """

    def __init__(
        self, inbox: TurnInbox, implicit: ImplicitSignals, signals: Signals, clock: Callable[[], float] = time.time
    ) -> None:
        self._inbox, self._implicit, self._signals, self._clock = inbox, implicit, signals, clock
        self._unwritten: deque[SignalRecord] = deque()
        self._told: Counter[str] = Counter()

    def run(self) -> Mapping[str, int]:
        """Take what arrived, settle what is due, write it.

        Raises:
            OSError: The signals could not be written; they wait for the next run, up to a bound.
        """
        messages, counted = self._inbox.take()
        now = self._clock()
        for message in messages:
            self._implicit.see(message, now)
        if counted.get("turns_dropped"):
            # Fewer whole conversations are worth more than parts of all: a lost turn looks like a content user.
            self._implicit.shed(now)
        # What is counted now is told by the next run that ends well: counters only grow.
        self._implicit.counts.update(counted)
        self._unwritten.extend(self._implicit.settle(now))
        try:
            self._write()
        except OSError:
            self._give_up_beyond_bound()
            raise
        fresh = self._implicit.counts - self._told
        self._told = Counter(self._implicit.counts)
        return fresh

    def _write(self) -> None:
        while self._unwritten:
            batch = tuple(self._unwritten[i] for i in range(min(AT_ONCE, len(self._unwritten))))
            self._signals.add(batch)
            for _ in batch:
                self._unwritten.popleft()
        self._signals.sync()

    def _give_up_beyond_bound(self) -> None:
        lost = max(0, len(self._unwritten) - MAX_UNWRITTEN)
        for _ in range(lost):
            self._unwritten.popleft()
        self._implicit.counts["implicit_signals_lost"] += lost
