"""What views computed from a reading of the log, kept until it is read anew."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

Made = TypeVar("Made")

MOST = 256


class Kept:
    """Values by key, of one reading; the longest unused go first. May be used from any thread.

    Args:
        most: How many are kept.

    Examples:
        >>> kept, reading = Kept(), object()
        >>> kept.of(reading, "a", lambda: 1), kept.of(reading, "a", lambda: 2), kept.of(object(), "a", lambda: 3)
        (1, 1, 3)
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._reading: object = None
        self._values: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, reading: object, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value under a key, made if it is not there.

        Args:
            reading: What it is made from; another one than the last empties all.
            key: Names the value, with all that it depends on beside the reading.
            make: Makes it; two threads that ask at once may both do so.
        """
        with self._lock:
            if self._reading is not reading:
                self._reading = reading
                self._values.clear()
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]  # type: ignore[return-value]
        made = make()
        with self._lock:
            if self._reading is reading:
                self._values[key] = made
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
        return made
