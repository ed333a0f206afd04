"""What the budget of watching needs from outside: a book that remembers what a UTC day's calls have cost, whoever writes into it."""

from typing import Protocol

import msgspec


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What one purpose has come to on one UTC day.

    Attributes:
        day: The day, `YYYY-MM-DD`.
        usd: What its calls have cost, those under way included at their estimate.
        unpriced: Calls whose price nobody knows.
    """

    day: str
    usd: float = 0.0
    unpriced: int = 0


class SpendBook(Protocol):
    """Remembers across restarts. Several processes may write into it."""

    def read(self, purpose: str) -> Spent:
        """What a purpose has come to today.

        Raises:
            OSError: The book cannot be read or mended.
        """
        ...

    def add(self, purpose: str, usd: float, *, unpriced: int = 0, day: str | None = None) -> Spent:
        """Add to what a purpose has come to today, and say what that is.

        Args:
            purpose: `shadow` or `judge`.
            usd: What to add; below 0 to take back what was reserved.
            unpriced: Calls without a known price to add.
            day: Add only if today is this day; None: always.

        Raises:
            OSError: It could not be written, and nothing was added.
        """
        ...
