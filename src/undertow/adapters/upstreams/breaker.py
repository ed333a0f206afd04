"""Circuit breaker of one endpoint: a state machine without a clock.

    closed --`failures` in a row--> open --after `open_s`--> half-open (one probe)
      ^                              ^                          |
      |                              '------ probe failed ------'   the next wait is twice as long, up to `MAX_OPEN_S`
      '------------------------------------- probe succeeded

What counts as a failure is the caller's affair: connecting, time-outs, 5xx, cut and garbled answers. A rate limit (429) or
another 4xx shows that the endpoint lives.
"""

from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]

MAX_OPEN_S = 60.0
"""Longest wait between two probes of an endpoint that stays down."""


class Breaker:
    """Decides whether an endpoint may be asked.

    Times are seconds of any clock that never goes back.

    Args:
        failures: Failures in a row that open it, at least 1.
        open_s: How long it stays open the first time.

    Attributes:
        state: Where it stands. An open breaker whose wait is over is still `open` until the probe is admitted.
        last_failed_s: Time of the last failure, minus infinity before the first.

    Examples:
        >>> breaker = Breaker(failures=2, open_s=10)
        >>> breaker.failed(0.0), breaker.failed(1.0), breaker.state
        (None, None, 'open')
        >>> breaker.admits(5.0), breaker.admits(11.0)
        (False, True)
    """

    __slots__ = ("_failures", "_in_a_row", "_open_s", "_opens", "_reopens_s", "last_failed_s", "state")

    def __init__(self, failures: int, open_s: float) -> None:
        self._failures = failures
        self._open_s = open_s
        self._in_a_row = 0
        self._opens = 0
        self._reopens_s = 0.0
        self.state: BreakerState = "closed"
        self.last_failed_s = float("-inf")

    def admits(self, now_s: float) -> bool:
        """Whether a request would be let through now. Changes nothing."""
        return self.state == "closed" or (self.state == "open" and now_s >= self._reopens_s)

    def admit(self, now_s: float) -> bool:
        """Whether the request is let through. After the wait the first one is, as the probe; it must be reported."""
        if self.state == "closed":
            return True
        if self.state == "open" and now_s >= self._reopens_s:
            self.state = "half_open"
            return True
        return False

    def succeeded(self) -> None:
        """A request went well. An open breaker ignores those that were under way when it opened."""
        if self.state != "open":
            self.state = "closed"
            self._in_a_row = 0
            self._opens = 0

    def failed(self, now_s: float) -> None:
        """A request failed."""
        self.last_failed_s = now_s
        if self.state == "open":
            return
        self._in_a_row += 1
        if self.state == "half_open" or self._in_a_row >= self._failures:
            self.state = "open"
            self._reopens_s = now_s + min(MAX_OPEN_S, self._open_s * 2.0 ** min(self._opens, 32))
            self._opens += 1

    def abandoned(self) -> None:
        """A request ended without telling anything, for instance because its caller left. A probe may be made again."""
        if self.state == "half_open":
            self.state = "open"
