"""The ledger as signed steps from zero to the net value: what the terminal lists and the waterfall draws.

A ledger's costs are written as amounts (a downstream cost of 400 is 400, and net = savings - watching - downstream). A ledger
that writes them signed is understood too, by which of the two readings gives its net. Here a step that costs is negative.
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
            flip = _flip_of(kind, total, sum(item.usd_month for item in items))
            found += [
                Step(
                    item.name,
                    kind,
                    flip * item.usd_month,
                    _flipped(item.interval, flip),
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
    """Savings, watching and downstream with signs such that they add up to the net value; costs are negative."""
    saved, watching, downstream = ledger.savings_usd_month, ledger.watching_usd_month, ledger.downstream_usd_month
    net = ledger.net_usd_month
    costs = (watching or 0.0) + (downstream or 0.0)
    gain = saved or 0.0
    if net is not None and abs(gain + costs - net) < abs(gain - costs - net):
        return saved, watching, downstream
    return saved, None if watching is None else -abs(watching), None if downstream is None else -downstream


def _flip_of(kind: str, total: float | None, listed: float) -> float:
    """Whether the items of a kind must change sign to agree with their signed total."""
    if total is None or not math.isfinite(total) or total == 0:
        return 1.0 if kind == "savings" else -1.0
    return -1.0 if total * listed < 0 else 1.0


def _flipped(interval: Interval | None, sign: float) -> Interval | None:
    return interval if interval is None or sign > 0 else (-interval[1], -interval[0])
