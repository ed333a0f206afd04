"""Money per month, and what an outcome costs: the small vocabulary of the ledger."""

from dataclasses import dataclass
from typing import Literal

DAYS_PER_MONTH = 30.4375
"""Mean length of a month: 365.25 / 12 days."""

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class OutcomePrice:
    """What an outcome costs.

    Attributes:
        name: `ticket` in `outcome.ticket`.
        usd: USD per event or per unit of its value, at least 0; None: counted, not priced.
        unit: `event` or `value`.
        direction: `bad`: an event costs money (ticket, churn). `good`: it earns money (order, renewal).
        maturity_days: An exposure counts only once this many days have passed since it.
    """

    name: str
    usd: float | None
    unit: Literal["event", "value"] = "event"
    direction: Literal["bad", "good"] = "bad"
    maturity_days: float = 14.0

    @property
    def cost_usd(self) -> float:
        """Cost per event or unit in USD: negative for a good outcome, 0 for one without a price."""
        usd = self.usd or 0.0
        return usd if self.direction == "bad" else -usd


def per_month(usd: float, days: float) -> float:
    """USD a month from USD over some days.

    Examples:
        >>> round(per_month(100.0, 30.4375), 2)
        100.0
    """
    return usd / days * DAYS_PER_MONTH
