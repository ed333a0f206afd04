"""The ledger as signed steps from zero to the net value: what the terminal lists and the waterfall draws.

In a ledger an item that costs money is negative. Totals are read with the sign that adds up to the net, since
"downstream cost of 400" and "downstream -400" are both natural ways to write it.
"""

import math
from dataclasses import dataclass

from undertow.records.report import Interval, Ledger


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
    totals = signed_totals(ledger)
    found = []
    for kind, total in zip(("savings", "watching", "downstream"), totals, strict=True):
        items = [item for item in ledger.items if item.kind == kind and math.isfinite(item.usd_month)]
        if items:
            # Items follow the sign of their total where the two disagree in sign as a whole.
            listed = sum(item.usd_month for item in items)
            flip = -1.0 if total is not None and total * listed < 0 else 1.0
            found += [
                Step(
                    item.name,
                    kind,
                    flip * item.usd_month,
                    _flip(item.interval, flip),
                    item.causal,
                    item.tier,
                    item.note,
                )
                for item in items
            ]
        elif total is not None and math.isfinite(total) and total != 0:
            found.append(
                Step({"savings": "saved", "watching": "watching", "downstream": "downstream"}[kind], kind, total)
            )
    return tuple(found)


def signed_totals(ledger: Ledger) -> tuple[float | None, float | None, float | None]:
    """Savings, watching and downstream with signs such that they add up to the net value."""
    saved, watching, downstream = ledger.savings_usd_month, ledger.watching_usd_month, ledger.downstream_usd_month
    net = ledger.net_usd_month
    if saved is None or net is None:
        return saved, watching, downstream
    costs = (watching or 0.0) + (downstream or 0.0)
    if abs(saved - costs - net) < abs(saved + costs - net):
        return saved, None if watching is None else -watching, None if downstream is None else -downstream
    return saved, watching, downstream


def _flip(interval: Interval | None, sign: float) -> Interval | None:
    return interval if interval is None or sign > 0 else (-interval[1], -interval[0])
