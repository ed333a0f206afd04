"""What routing spends on answers that nobody got and on finding out which answer to serve.

Both are part of the bill already, since a decision's cost counts every call that was made for it, and so the savings have them
taken off. They are shown beside the savings, never subtracted again. Shadow and judge calls are watching and not here.
"""

import numpy as np

from undertow.ledger.usd import per_month
from undertow.records.cells import CALL_FATES, CALL_PURPOSES, AuditCells, CallCells
from undertow.records.report import LedgerItem

ANSWERING_PURPOSES = ("serve", "race")
WASTED_FATES = ("discarded", "cancelled", "failed")
"""An answer that its caller did not wait for is not among them: without routing it would have been paid for as well."""

CHECKING_PURPOSES = ("classify", "self_check")


def overhead_items(cells: AuditCells, first_bucket: int, days: float) -> tuple[LedgerItem, ...]:
    """Lines of the ledger for answers thrown away, tier by tier, and for checking answers.

    Args:
        cells: The log's sufficient statistics.
        first_bucket: First routed bucket.
        days: Length of the routed period, above 0.

    Returns:
        Items of kind `wasted` (one a tier) and `checking` (one for all), positive costs in USD per month. A line whose calls have
        no known cost is left out, and so is every line of a log without calls.
    """
    calls = cells.calls.take(cells.calls.bucket >= first_bucket)
    thrown = calls.take(
        _among(calls.purpose, CALL_PURPOSES, ANSWERING_PURPOSES) & _among(calls.fate, CALL_FATES, WASTED_FATES)
    )
    found = [
        LedgerItem("answers thrown away", "wasted", tier, usd, None, True, note)
        for code, tier in (*enumerate(cells.tiers), (-1, None))
        for usd, note in _cost(thrown.take(thrown.tier == code), days)
    ]
    checks = calls.take(_among(calls.purpose, CALL_PURPOSES, CHECKING_PURPOSES))
    found += [
        LedgerItem("checking answers", "checking", None, usd, None, True, note) for usd, note in _cost(checks, days)
    ]
    return tuple(found)


def _among(codes: np.ndarray, names: tuple[str, ...], wanted: tuple[str, ...]) -> np.ndarray:
    return np.isin(codes, [names.index(name) for name in wanted])


def _cost(calls: CallCells, days: float) -> list[tuple[float, str]]:
    """USD a month and what it was for, or nothing where no call has a known cost."""
    if not calls.cost_n.sum():
        return []
    made, known = int(calls.calls.sum()), int(calls.cost_n.sum())
    note = f"{made:,} calls, {calls.output_tokens.sum():,.0f} output tokens in this log"
    if known < made:
        note += f"; cost known for {known:,} of them"
    return [(per_month(float(calls.cost_usd.sum()), days), note)]
