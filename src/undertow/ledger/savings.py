"""What routing saves on the bill, per tier, against sending everything to the capable tier.

Savings are a census, not a sample: every decision with a known cost and a known or estimated baseline cost counts. Where
only some decisions have both, the mean saving of a tier's known ones is carried over to the rest, and the note says so.
"""

from dataclasses import dataclass, replace

import numpy as np

from undertow.ledger.overhead import overhead_items
from undertow.ledger.skipping import skipped_items
from undertow.ledger.usd import SECONDS_PER_DAY, per_month
from undertow.ledger.watching import watching
from undertow.records.cells import AuditCells
from undertow.records.report import LedgerItem
from undertow.records.traffic_grid import TrafficGrid

OUTPUT_PRICE_RATIO = 4.0
"""Output tokens over input tokens in price, where a baseline must be estimated from totals: most price lists lie between 3 and 5."""


@dataclass(frozen=True, slots=True)
class Savings:
    """Savings and watching cost over the routed period.

    `items` also hold what the savings have inside (kinds `wasted`, `checking` and `skipped`), which is no part of either total.
    """

    items: tuple[LedgerItem, ...]
    savings_usd_month: float | None
    watching_usd_month: float | None
    note: str = ""


def routed_days(traffic: TrafficGrid, bucket_s: int, start: int) -> float:
    """Days of the routed period that hold traffic, from bucket `start` on."""
    seen = np.flatnonzero(traffic.decisions[start:].sum((1, 2, 3)) > 0)
    return (float(seen[-1]) + 1.0) * bucket_s / SECONDS_PER_DAY if len(seen) else 0.0


def estimated_baseline_usd(traffic: TrafficGrid, tier: int, start: int) -> float | None:
    """What the capable tier would have cost for a tier's routed decisions, from its own mean price per token.

    None where the capable tier has no decisions with cost and tokens to take a price from.
    """
    capable = traffic.decisions.shape[1] - 2
    weighted = traffic.input_tokens + OUTPUT_PRICE_RATIO * traffic.output_tokens
    known = traffic.cost_n[:, capable].sum()
    tokens = weighted[:, capable].sum()
    if known <= 0 or tokens <= 0 or tier == capable:
        return None
    decisions = traffic.decisions[:, capable].sum()
    price = traffic.cost_usd[:, capable].sum() / known * decisions / tokens
    return float(price * weighted[start:, tier].sum())


def savings(
    cells: AuditCells, traffic: TrafficGrid, start: int, review_usd: float = 0.0, review_usd_minute: float = 0.0
) -> Savings:
    """Savings per tier and cost of watching, USD a month over the routed period.

    Args:
        cells: The log's sufficient statistics (for calls and tier names).
        traffic: Whole-log traffic.
        start: First routed bucket, counted from the traffic's first.
        review_usd: Cost of one review, 0 where they are paid for already.
        review_usd_minute: Cost of a reviewer's minute, likewise.
    """
    days = routed_days(traffic, cells.bucket_s, start)
    if days <= 0:
        return Savings((), None, None, "no routed traffic")
    routed_from = traffic.first_bucket + start
    watched = watching(cells, routed_from, days, review_usd, review_usd_minute)
    inside = overhead_items(cells, routed_from, days) + skipped_items(cells, routed_from, days)
    items: list[LedgerItem] = []
    notes: list[str] = []
    for code, tier in enumerate(cells.tiers):
        decisions = traffic.decisions[start:, code].sum()
        paired = traffic.paired_cost_n[start:, code].sum()
        if decisions <= 0:
            continue
        note = ""
        if paired > 0:
            saved = (traffic.baseline_cost_usd - traffic.paired_cost_usd)[start:, code].sum() / paired * decisions
            if paired < decisions:
                note = f"known for {paired / decisions:.0%} of its decisions, carried over to the rest"
        else:
            baseline = estimated_baseline_usd(traffic, code, start)
            known = traffic.cost_n[start:, code].sum()
            if baseline is None or known <= 0:
                continue
            saved = baseline - traffic.cost_usd[start:, code].sum() / known * decisions
            note = "baseline estimated from the capable tier's mean price per token"
        if code == len(cells.tiers) - 1 and abs(saved) < 1e-9:
            continue
        if note:
            notes.append(f"{tier}: {note}")
        name = "cheaper answers" if code < len(cells.tiers) - 1 else "what routing adds to the bill"
        items.append(LedgerItem(name, "savings", tier, per_month(saved, days), None, True, note))
    if watched.note:
        notes.append(watched.note)
    if not items:
        notes.insert(0, "the log holds no costs, or none to compare with")
        cost = watched.usd_month if watched.is_known else None
        return Savings((*watched.items, *inside), None, cost, "; ".join(notes))
    # A decision's cost counts all of its calls, so watching among them has lowered the savings: it is on a line of its own instead.
    items[0] = replace(items[0], usd_month=items[0].usd_month + watched.inside_usd_month)
    total = sum(item.usd_month for item in items)
    return Savings((*items, *watched.items, *inside), total, watched.usd_month, "; ".join(notes))
