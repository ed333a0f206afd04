"""A hard daily budget for calls that watch: money is reserved before a call is made, and what it did cost is put down after it.

Two sums are known of a call beforehand: an estimate, and a bound that it hardly ever exceeds. A call may run beside others only if the
bounds of all of them together fit into what is left; else it runs alone, if its estimate still fits. So concurrency never
overshoots: whatever is spent beyond the limit was spent by one call. What was reserved by a process that died stays spent.
Where several processes spend, the book takes a reservation only if it fits into the limit at that moment, whatever the others have
reserved since this one looked. They do not know each other's bounds: each may overshoot by one call that cost more than its estimate.

Without prices there is no sum of money to hold. Then the number of calls is bounded (`MOST_UNPRICED` a day), and their cost stays
unknown: it is never guessed.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from undertow.ports.watching import SpendBook, Spent

MOST_UNPRICED = 1_000
"""Calls of unknown price a UTC day."""


@dataclass(frozen=True, slots=True)
class CostForecast:
    """What a call will cost.

    Attributes:
        expected_usd: On average.
        bound_usd: At most, hardly ever exceeded; at least `expected_usd`.
    """

    expected_usd: float
    bound_usd: float


@dataclass(slots=True, eq=False)
class Reservation:
    """Money taken for a call that is under way.

    Attributes:
        day: The day it was taken from.
        usd: How much; 0 for a call without a price.
        bound_usd: What the call hardly ever exceeds.
    """

    day: str
    usd: float
    bound_usd: float


def admission(
    left_usd: float, open_bounds_usd: float, open_expected_usd: float, forecast: CostForecast, *, is_alone: bool
) -> Literal["go", "wait", "stop"]:
    """Whether a call may be made now, later, or not at all today.

    Args:
        left_usd: What is left of the limit, calls under way counted at their estimates.
        open_bounds_usd: Bounds of the calls under way.
        open_expected_usd: Their estimates.
        forecast: Of this call.
        is_alone: No call is under way.

    Examples:
        >>> call = CostForecast(0.01, 0.10)
        >>> admission(1.0, 0.3, 0.03, call, is_alone=False), admission(0.05, 0.0, 0.0, call, is_alone=True)
        ('go', 'go')
        >>> admission(0.05, 0.1, 0.01, call, is_alone=False), admission(0.009, 0.0, 0.0, call, is_alone=True)
        ('wait', 'stop')
    """
    if open_bounds_usd + forecast.bound_usd <= left_usd + open_expected_usd:
        return "go"
    if is_alone:
        return "go" if forecast.expected_usd <= left_usd else "stop"
    # Calls under way may turn out cheaper than was reserved, so only what even they could not free is final.
    return "wait" if forecast.expected_usd <= left_usd + open_expected_usd else "stop"


class WatchingBudget:
    """The budget of one purpose, in one event loop.

    Args:
        purpose: `shadow` or `judge`.
        limit_usd: Most that is spent a UTC day, at least 0.
        book: Remembers what was spent.
        most_unpriced: Most calls of unknown price a UTC day.
    """

    def __init__(self, purpose: str, limit_usd: float, book: SpendBook, *, most_unpriced: int = MOST_UNPRICED) -> None:
        self._purpose, self._limit, self._book, self._most_unpriced = purpose, limit_usd, book, most_unpriced
        self._open: set[Reservation] = set()
        self._changed = asyncio.Condition()

    async def reserve(self, forecast: CostForecast | None) -> Reservation | None:
        """Take money for a call, waiting for calls under way where only they stand in its way.

        Args:
            forecast: Of the call; None: its price is not known.

        Returns:
            What was taken; None: the day's budget does not allow it.

        Raises:
            OSError: The book cannot be read or written: then nothing may be spent.
        """
        refused: Spent | None = None
        async with self._changed:
            while True:
                spent = self._book.read(self._purpose)
                if (
                    spent == refused
                ):  # nothing has changed since the book said no, so the limit itself stands in the way
                    return None
                if forecast is None:
                    verdict = "go" if self._limit > 0 and spent.unpriced < self._most_unpriced else "stop"
                else:
                    verdict = self._admission(spent, forecast)
                match verdict:
                    case "go":
                        found = self._reserved(spent.day, forecast)
                        if found is not None:
                            return found
                        refused = spent  # another process was faster, or the day is over: look again
                    case "stop":
                        return None
                    case "wait":
                        refused = None
                        await self._changed.wait()

    async def settle(self, reservation: Reservation, usd: float | None) -> None:
        """Put down what a call has cost.

        Args:
            reservation: What was taken for it.
            usd: What it cost; 0 where it cost nothing. None: not known, so that the estimate stands.

        Raises:
            OSError: The book cannot be written; the estimate stands.
        """
        async with self._changed:
            self._open.discard(reservation)
            self._changed.notify_all()
            if usd is not None and usd != reservation.usd:
                self._book.add(self._purpose, usd - reservation.usd, day=reservation.day)

    def _admission(self, spent: Spent, forecast: CostForecast) -> Literal["go", "wait", "stop"]:
        return admission(
            self._limit - spent.usd,
            sum(each.bound_usd for each in self._open),
            sum(each.usd for each in self._open if each.day == spent.day),
            forecast,
            is_alone=not self._open,
        )

    def _reserved(self, day: str, forecast: CostForecast | None) -> Reservation | None:
        """Take what was admitted, if it is still there to be taken."""
        if forecast is None:
            taken = Reservation(day, 0.0, 0.0)
            is_mine = self._book.reserve(
                self._purpose, 0.0, self._limit, day=day, unpriced=1, most_unpriced=self._most_unpriced
            )
        else:
            taken = Reservation(day, forecast.expected_usd, forecast.bound_usd)
            is_mine = self._book.reserve(self._purpose, taken.usd, self._limit, day=day)
        if is_mine:
            self._open.add(taken)
        return taken if is_mine else None
