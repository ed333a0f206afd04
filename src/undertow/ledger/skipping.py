"""What it saved to ask no cheap tier where its answer was predicted hopeless: in money, and in time beside escalated requests.

A skipped request would have been answered by the cheap tier first, and that answer would most likely have been thrown away. What such an
answer costs is read off those that were thrown away in the same log. It is in the savings already, since a decision's cost counts only
the calls that were made: the line shows how much of them it is, and belongs to no sum. Requests that are skipped are not like those
that escalate, so neither figure is causal.
"""

import numpy as np

from undertow.ledger.latency import tier_latency
from undertow.ledger.usd import per_month
from undertow.records.cells import CALL_FATES, CALL_PURPOSES, AuditCells
from undertow.records.report import LedgerItem


def skipped_items(cells: AuditCells, first_bucket: int, days: float) -> tuple[LedgerItem, ...]:
    """The line of the ledger for cheap answers that were not asked for.

    Args:
        cells: The log's sufficient statistics.
        first_bucket: First routed bucket.
        days: Length of the routed period, above 0.

    Returns:
        One item of kind `skipped`, a positive saving in USD per month; none where nothing was skipped, or no cheap answer that was
        thrown away has a known cost.
    """
    skipped = int(cells.skipped.decisions[cells.skipped.bucket >= first_bucket].sum())
    thrown = _cheap_answers_thrown_away(cells, first_bucket)
    known = int(cells.calls.cost_n[thrown].sum())
    if not skipped or not known:
        return ()
    usd_each = float(cells.calls.cost_usd[thrown].sum()) / known
    note = f"{skipped:,} requests, at the mean cost of {known:,} cheap answers thrown away{_sooner(cells)}"
    return (
        LedgerItem(
            "cheap answers not asked for",
            "skipped",
            cells.tiers[0],
            per_month(skipped * usd_each, days),
            None,
            False,
            note,
        ),
    )


def _cheap_answers_thrown_away(cells: AuditCells, first_bucket: int) -> np.ndarray:
    """Which cells of calls hold whole answers of the cheapest tier that were withheld."""
    calls = cells.calls
    return (
        (calls.bucket >= first_bucket)
        & (calls.tier == 0)
        & (calls.purpose == CALL_PURPOSES.index("serve"))
        & (calls.fate == CALL_FATES.index("discarded"))
    )


def _sooner(cells: AuditCells) -> str:
    """How the medians of skipped and escalated requests differ, both served by the capable tier; empty where one is not known."""
    latency = tier_latency(cells, len(cells.tiers) - 1)
    if latency is None or latency.skipped is None or latency.skipped.p50 is None or latency.escalated.p50 is None:
        return ""
    sooner = latency.escalated.p50 - latency.skipped.p50
    return (
        f"; answered {abs(sooner):,.0f} ms {'sooner' if sooner >= 0 else 'later'} in the median than escalated ones "
        "(other requests: not a causal comparison)"
    )
