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

    def reserve(
        self, purpose: str, usd: float, limit_usd: float, *, day: str, unpriced: int = 0, most_unpriced: int = 0
    ) -> bool:
        """Add to what a purpose has come to, if it then is within its limits; among all processes, looking and adding are one step.

        Args:
            purpose: `shadow` or `judge`.
            usd: What to add, at least 0.
            limit_usd: Most that the purpose may come to.
            day: Add only if today is this day.
            unpriced: Calls without a known price to add.
            most_unpriced: Most of those that the purpose may come to.

        Returns:
            Whether it was added; if not, nothing was.

        Raises:
            OSError: The book could not be read or written, and nothing was added.
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
