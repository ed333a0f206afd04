"""What watching costs: second answers, the judge, and people's reviews where they are paid for, each on a line of its own.

Calls made after a decision's record was written stand beside the log; those that a log names among a decision's own calls are in its
cost already, and so have lowered the savings. Costs that nobody knows are said to be missing; none is guessed.
"""

from dataclasses import dataclass

import numpy as np

from undertow.ledger.usd import per_month
from undertow.records.cells import CALL_PURPOSES, AuditCells
from undertow.records.report import LedgerItem

WATCHING_PURPOSES = ("shadow", "judge")
"""Calls that serve nobody: they are watching, whatever the decision's own cost_usd includes."""
NAMES = {"shadow": "shadow answers", "judge": "judge"}
REVIEWS = "reviews"
REVIEW_TIME = "reviewers' time"


@dataclass(frozen=True, slots=True)
class Watching:
    """What watching costs.

    Attributes:
        items: A line for each thing that is known to cost something.
        usd_month: Their sum.
        inside_usd_month: The part that is in the decisions' own costs.
        is_known: Some call or review with a known cost was seen.
        note: What is not known.
    """

    items: tuple[LedgerItem, ...] = ()
    usd_month: float = 0.0
    inside_usd_month: float = 0.0
    is_known: bool = False
    note: str = ""


def watching(
    cells: AuditCells, first_bucket: int, days: float, review_usd: float = 0.0, review_usd_minute: float = 0.0
) -> Watching:
    """Cost of watching over the routed period, USD a month.

    Args:
        cells: The log's sufficient statistics.
        first_bucket: First routed bucket.
        days: Length of the routed period, above 0.
        review_usd: Cost of one review; 0: they are paid for already, and have no line.
        review_usd_minute: Cost of a reviewer's minute, for the time that votes took here; 0: likewise.
    """
    items, notes, inside = [], [], 0.0
    for purpose in WATCHING_PURPOSES:
        code = CALL_PURPOSES.index(purpose)
        own = cells.calls.take((cells.calls.purpose == code) & (cells.calls.bucket >= first_bucket))
        beside = cells.watching.take((cells.watching.purpose == code) & (cells.watching.bucket >= first_bucket))
        made = int(own.calls.sum() + beside.calls.sum())
        known = int(own.cost_n.sum() + beside.cost_n.sum())
        not_made = int(beside.not_made.sum())
        parts = [f"{made:,} calls"] if made else []
        if known < made:
            parts.append(f"cost known for {known:,} of them")
        if not_made:
            parts.append(f"{not_made:,} more were drawn and not asked: budget, load, or a segment that forbids it")
        if known:
            usd = per_month(float(own.cost_usd.sum() + beside.cost_usd.sum()), days)
            inside += per_month(float(own.cost_usd.sum()), days)
            items.append(LedgerItem(NAMES[purpose], "watching", None, usd, None, True, "; ".join(parts)))
        elif made or not_made:
            notes.append(f"{NAMES[purpose]}: {'; '.join(parts)}")
    if review_usd > 0:
        reviews = _reviews(cells, first_bucket)
        if reviews:
            usd = per_month(reviews * review_usd, days)
            note = f"{reviews:,.0f} reviews at {review_usd:g} USD"
            items.append(LedgerItem(REVIEWS, "watching", None, usd, None, True, note))
    if review_usd_minute > 0:
        items += _reviewers_time(cells, first_bucket, days, review_usd_minute)
    return Watching(tuple(items), sum(item.usd_month for item in items), inside, bool(items), "; ".join(notes))


def _reviewers_time(cells: AuditCells, first_bucket: int, days: float, review_usd_minute: float) -> list[LedgerItem]:
    """The line of the time that votes took; those whose time is not known are taken to be as long as the others."""
    time = cells.review_time.take(cells.review_time.bucket >= first_bucket)
    votes, timed = int(time.votes.sum()), int(time.timed.sum())
    if not timed:
        return []
    minutes = float(time.seconds.sum()) / 60.0 * votes / timed
    note = f"{votes:,} votes, {minutes:,.0f} minutes at {review_usd_minute:g} USD"
    note += f"; time known for {timed:,} of them, carried over to the rest" if timed < votes else ""
    return [LedgerItem(REVIEW_TIME, "watching", None, per_month(minutes * review_usd_minute, days), None, True, note)]


def _reviews(cells: AuditCells, first_bucket: int) -> float:
    """Reviews of live decisions that came in during the routed period."""
    codes = [code for code, name in enumerate(cells.signals) if name.partition(".")[0] == "review"]
    labels = cells.labels
    mask = (labels.segment == 0) & np.isin(labels.signal, codes) & (labels.available >= first_bucket)
    return float(labels.n[mask].sum())
