"""Keeps one process alive that may fail as often as it likes without any request noticing: the keeper, a sidecar.

A dead one is started again, later and later while it keeps dying. That it is dead stands in `supervision.json`, from which
workers make an alarm metric.
"""

import signal
from collections.abc import Callable

from undertow.gateway.children import how_it_ended, kill

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 60.0
STEADY_S = 30.0
"""One that lived this long had started well; the next delay is the first again."""


class Keeping:
    """Keeps one process alive.

    Args:
        start: Starts it for the current plan; its process id.
        say: Tells the operator one line.
        pid: One that lives already.
        restarts: Times that it was started again before.
        who: What it is, for the operator.
        meanwhile: What its death means.

    Attributes:
        pid: Its process, or None: it is dead.
        restarts: Times that it had to be started again.
    """

    def __init__(
        self,
        start: Callable[[], int],
        say: Callable[[str], None],
        *,
        pid: int | None = None,
        restarts: int = 0,
        who: str = "the keeper",
        meanwhile: str = "requests are served all the same",
    ) -> None:
        self._start = start
        self._say = say
        self._who, self._meanwhile = who, meanwhile
        self._delay_s = FIRST_DELAY_S
        self._started_at = 0.0
        self._due_at: float | None = None if pid is not None else 0.0
        self._is_told = False
        self._is_over = False
        self.pid = pid
        self.restarts = restarts

    @property
    def due_at(self) -> float | None:
        """Monotonic time at which it is to be started, or None."""
        return None if self._is_over else self._due_at

    def tick(self, now: float) -> None:
        """Start it if that is due."""
        if self.due_at is None or now < self.due_at:
            return
        self._due_at = None
        try:
            self.pid = self._start()
        except OSError as error:
            self._say(f"{self._who} cannot be started ({error.strerror}); {self._meanwhile}")
            self._schedule(now)
        else:
            self._started_at = now

    def ended(self, status: int, now: float) -> None:
        """It is dead."""
        self.pid = None
        if self._is_over:
            return
        if self._is_told:
            self._is_told = False
            self._due_at = now
            return
        if now - self._started_at >= STEADY_S:
            self._delay_s = FIRST_DELAY_S
        self._say(
            f"{self._who} died ({how_it_ended(status)}); {self._meanwhile}, it is started again in {self._delay_s:g} s"
        )
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        self.restarts += 1
        self._due_at = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)

    def renew(self, now: float) -> None:
        """Have it end well and start again, for a new plan."""
        self._delay_s = FIRST_DELAY_S
        if self.pid is None:
            self._due_at = now
        else:
            self._is_told = True
            kill(self.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Have it end well, for good."""
        self._is_over = True
        if self.pid is not None:
            kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it now, for good."""
        self._is_over = True
        if self.pid is not None:
            kill(self.pid, signal.SIGKILL)
