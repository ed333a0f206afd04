"""The ledger as signed steps from zero to the net value: what the terminal lists and the waterfall draws.

A ledger holds amounts: what is saved, what watching costs, what is lost downstream. Steps are signed: what costs money is
negative, so that they add up to the net. What lies inside the savings already is no step.
"""

import math
from dataclasses import dataclass

from undertow.records.report import Interval, Ledger, LedgerItem


@dataclass(frozen=True, slots=True)
class Step:
    """One signed step.

    Attributes:
        label: For people; untrusted when it comes from an item's name.
        kind: `savings`, `watching`, `downstream` or `net`.
        usd_month: Signed, positive is gained.
        interval: Of the step itself, or None.
        causal: From the randomised holdout; None where it does not apply.
        tier, note: As in the item.
    """

    label: str
    kind: str
    usd_month: float
    interval: Interval | None = None
    causal: bool | None = None
    tier: str | None = None
    note: str = ""


def steps(ledger: Ledger) -> tuple[Step, ...]:
    """Items in the order savings, watching, downstream, with totals where a kind has no items. Without the net.

    Examples:
        >>> [(step.kind, step.usd_month) for step in steps(Ledger(10.0, 2.0, 5.0, 3.0, None))]
        [('savings', 10.0), ('watching', -2.0), ('downstream', -5.0)]
    """
    totals = {
        "savings": ledger.savings_usd_month,
        "watching": ledger.watching_usd_month,
        "downstream": ledger.downstream_usd_month,
    }
    found: list[Step] = []
    for kind, total in totals.items():
        sign = 1.0 if kind == "savings" else -1.0
        items = [item for item in ledger.items if item.kind == kind and math.isfinite(item.usd_month)]
        found += [
            Step(
                item.name, kind, sign * item.usd_month, _signed(item.interval, sign), item.causal, item.tier, item.note
            )
            for item in items
        ]
        if not items and total is not None and math.isfinite(total) and total != 0:
            found.append(Step("saved" if kind == "savings" else kind, kind, sign * total))
    return tuple(found)


def inside(ledger: Ledger) -> tuple[LedgerItem, ...]:
    """Items that the savings have taken off already: answers thrown away and checking answers. They belong to no sum."""
    return tuple(item for item in ledger.items if item.kind in {"wasted", "checking"} and math.isfinite(item.usd_month))


def avoided(ledger: Ledger) -> tuple[LedgerItem, ...]:
    """Items that never were on the bill, so that the savings hold them already: cheap answers not asked for. They belong to no sum.

    Examples:
        >>> item = LedgerItem("cheap answers not asked for", "skipped", "cheap", 2.0, None, False)
        >>> told = Ledger(10.0, None, None, None, None, (item,))
        >>> [one.usd_month for one in avoided(told)], inside(told)
        ([2.0], ())
    """
    return tuple(item for item in ledger.items if item.kind == "skipped" and math.isfinite(item.usd_month))


def _signed(interval: Interval | None, sign: float) -> Interval | None:
    return interval if interval is None or sign > 0 else (-interval[1], -interval[0])
