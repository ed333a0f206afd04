"""How often an address has failed to log in: after some failures nothing is looked at for a while, a right key neither."""

import threading
from collections import OrderedDict, deque

MOST_FAILURES = 10
WINDOW_S = 900.0
MOST_ADDRESSES = 10_000
"""More than these are not remembered: the longest silent go first."""
MOST_IN_ALL = 1_000
"""Failures of all addresses together within the window, after which nobody may try: somebody has many addresses."""


class Attempts:
    """Failures by address. May be used from any thread.

    Args:
        most: Failures within the window that one address may have.
        window_s: Seconds that a failure counts.
        most_in_all: Failures within the window that all addresses together may have.

    Examples:
        >>> attempts = Attempts(most=2, window_s=60.0)
        >>> attempts.failed("10.0.0.7", now=0.0), attempts.failed("10.0.0.7", now=10.0)
        (None, None)
        >>> attempts.wait_s("10.0.0.7", now=15.0), attempts.wait_s("10.0.0.8", now=15.0), attempts.wait_s("10.0.0.7", now=61.0)
        (45.0, 0.0, 0.0)
    """

    def __init__(self, most: int = MOST_FAILURES, window_s: float = WINDOW_S, most_in_all: int = MOST_IN_ALL) -> None:
        self._most, self._window_s, self._most_in_all = most, window_s, most_in_all
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=most_in_all)
        self._lock = threading.Lock()

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until an address may try again; 0: it may.

        Args:
            address: Whose attempt it is.
            now: Monotonic seconds.
        """
        with self._lock:
            own = self._by_address.get(address, deque())
            return max(self._left(own, self._most, now), self._left(self._all, self._most_in_all, now))

    def failed(self, address: str, now: float) -> None:
        """Count a failure. Arguments as of `wait_s`."""
        with self._lock:
            own = self._by_address.setdefault(address, deque(maxlen=self._most))
            own.append(now)
            self._all.append(now)
            self._by_address.move_to_end(address)
            while len(self._by_address) > MOST_ADDRESSES:
                self._by_address.popitem(last=False)

    def _left(self, failures: deque[float], most: int, now: float) -> float:
        """The oldest of the last `most` failures has to leave the window first."""
        return max(0.0, failures[0] + self._window_s - now) if len(failures) == most else 0.0
