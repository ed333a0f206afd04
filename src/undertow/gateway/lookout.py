"""Notices that nobody watches: the keeper is gone, hangs, or its looks at the log do not succeed; and has people told.

The keeper cannot tell of its own death, and the supervisor makes no calls: it starts a process that tells
(`undertow.keeper.alarm`), again and again while the trouble lasts. What the keeper is seen by is its heartbeat
(`undertow.records.runtime_files`) and the number of its looks, by the supervisor's own clock, so no clock that jumps is taken for a death.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from undertow.records.runtime_files import HEARTBEAT, Heartbeat
from undertow.records.serving import AlertsPlan
from undertow.records.unreadable import UNREADABLE

GONE_S = 60.0
"""A keeper that has not been steady for so long is gone."""
STEADY_S = 30.0
"""One keeper whose heart beat for so long is steady."""
LATE_LOOKS = 3.0
"""A look is overdue after so many of its periods."""
LOOK_S = 600.0
"""And not before so long, however short its periods are: a look at a large log takes a while."""
TELL_AGAIN_S = 60.0
"""So often the process that tells is started: it retries what was not delivered."""

Trouble = Literal["keeper_gone", "look_overdue"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited.

    Attributes:
        gone_s: As `GONE_S`.
        steady_s: As `STEADY_S`.
        look_s: As `LOOK_S`.
        tell_again_s: As `TELL_AGAIN_S`.
    """

    gone_s: float = GONE_S
    steady_s: float = STEADY_S
    look_s: float = LOOK_S
    tell_again_s: float = TELL_AGAIN_S


PATIENCE = Patience()


class Lookout:
    """Watches one keeper.

    Args:
        runtime_dir: Where its heartbeat is.
        start: Starts the process that tells, given the trouble and since when (RFC 3339); its process id.
        patience: How long is waited.
        wall: The time, aware; only told.
    """

    def __init__(
        self,
        runtime_dir: str,
        start: Callable[[Trouble, str], int],
        patience: Patience = PATIENCE,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file = Path(runtime_dir, HEARTBEAT)
        self._start, self._patience, self._wall = start, patience, wall
        self._alerts: AlertsPlan = AlertsPlan()
        self._period_s = 0.0
        self._beat: tuple[int, float] = (0, 0.0)
        self._looks: tuple[int, int] = (0, 0)
        self._steady_since: float | None = None
        self._beat_at = 0.0
        self._well_at = 0.0
        self._looked_at = 0.0
        self._told_at: float | None = None
        self._since = ""
        self._trouble: Trouble | None = None
        self._sender: int | None = None

    def renew(self, alerts: AlertsPlan, monitor_minutes: float, now: float) -> None:
        """Begin, or go on under another plan.

        Args:
            alerts: Who is told.
            monitor_minutes: Minutes between two looks; 0: nobody is meant to watch, so nobody is told.
            now: Monotonic seconds.
        """
        self._alerts, self._period_s = alerts, 60.0 * monitor_minutes
        self._well_at = self._looked_at = now

    @property
    def due_at(self) -> float | None:
        """Monotonic time by which `tick` is to be called, or None."""
        if not self._is_told or self._sender is not None:
            return None
        if self._trouble is not None and self._told_at is not None:
            return self._told_at + self._patience.tell_again_s
        return self._well_at + self._patience.gone_s

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong."""
        return self._trouble

    def tick(self, now: float) -> None:
        """Look, and have people told where that is due."""
        if not self._is_told:
            return
        self._see(now)
        trouble = self._found(now)
        if trouble is None:
            self._trouble = self._told_at = None
            return
        if self._trouble is None:
            quiet_s = now - (self._well_at if trouble == "keeper_gone" else self._looked_at)
            self._since = datetime.fromtimestamp(self._wall().timestamp() - quiet_s, UTC).isoformat(timespec="seconds")
        self._trouble = trouble
        is_due = self._told_at is None or now - self._told_at >= self._patience.tell_again_s
        if is_due and self._sender is None:
            self._told_at = now
            try:
                self._sender = self._start(trouble, self._since)
            except OSError:
                self._sender = None  # tried again in a while

    def ended(self, pid: int) -> bool:
        """A child is dead; whether it was the one that tells."""
        if pid != self._sender:
            return False
        self._sender = None
        return True

    @property
    def _is_told(self) -> bool:
        """Whether there is anything to watch, and anybody to tell."""
        return self._period_s > 0 and self._alerts.is_anybody_told

    def _see(self, now: float) -> None:
        """Read the heartbeat. What changes in it is news, whatever the time in it is."""
        try:
            beat = msgspec.json.decode(self._file.read_bytes(), type=Heartbeat)
        except (OSError, *UNREADABLE):
            beat = None
        if beat is not None and (beat.pid, beat.at) != self._beat:
            if beat.pid != self._beat[0]:
                self._steady_since = now
            self._beat, self._beat_at = (beat.pid, beat.at), now
            looks = (beat.pid, beat.counts.get("looks", 0))
            if looks != self._looks and looks[1] > 0:
                self._looked_at = now
            self._looks = looks
        is_beating = now - self._beat_at <= self._patience.gone_s
        if (
            is_beating
            and self._steady_since is not None
            and self._beat_at - self._steady_since >= self._patience.steady_s
        ):
            self._well_at = self._beat_at

    def _found(self, now: float) -> Trouble | None:
        if now - self._well_at >= self._patience.gone_s:
            return "keeper_gone"
        late_s = max(LATE_LOOKS * self._period_s, self._patience.look_s)
        if now - self._looked_at >= late_s:
            return "look_overdue"
        return None
