"""The book: the one number, the lines behind it, and what late outcomes are expected to come to."""

from datetime import UTC, datetime

import numpy as np

from undertow.estimators.periods import find_periods
from undertow.ledger.book import book_lines
from undertow.ledger.downstream import choose_contrast
from undertow.ledger.net_value import net_value
from undertow.ledger.projection import project
from undertow.ledger.usd import OutcomePrice
from undertow.ledger.watching import WATCHING_PURPOSES
from undertow.records.cells import CALL_PURPOSES, AuditCells
from undertow.records.money import Book
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid

SHARES = 3
"""The error of the book is divided: the one number, the lines, the projections."""


def make_book(cells: AuditCells, settings: AuditSettings, prices: tuple[OutcomePrice, ...]) -> Book:
    """The ledger of a log.

    Args:
        cells: Its sufficient statistics, counted with `CellOptions.money`.
        settings: Error levels and the reference period.
        prices: What outcomes cost.
    """
    assert cells.money is not None, "counted with CellOptions.money"
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = settings.baseline_until.timestamp() if settings.baseline_until else None
    periods = find_periods(traffic, cells.bucket_s, until)
    error = (1.0 - settings.level) / SHARES
    whole = net_value(
        cells,
        traffic,
        periods.routing_start,
        periods.reference_end,
        prices,
        1.0 - error / max(1, len(prices) + 1),
        settings.review_usd,
        settings.review_usd_minute,
    )
    start = datetime.fromtimestamp((first + periods.routing_start) * cells.bucket_s, UTC)
    contrast = choose_contrast(cells, first + periods.routing_start, first + periods.reference_end)
    is_causal = contrast is not None and contrast.causal
    lines = book_lines(
        cells.money,
        cells.tiers,
        cells.outcome_names,
        prices if is_causal else (),
        error=error,
        review_usd=settings.review_usd,
        watching_usd_by_month=_watching_by_month(cells),
        first_month=12 * start.year + start.month - 1,
    )
    late = [price for price in prices if price.name in cells.outcome_names and price.usd]
    found = (
        [] if contrast is None else [project(cells, price, contrast, 1.0 - error / max(1, len(late))) for price in late]
    )
    notes = [whole.note] if whole.note else []
    if contrast is not None and not contrast.causal:
        notes.append(
            "without a randomised holdout nothing tells one month or segment from what else happened in it: downstream cost stands in the total alone, "
            "as an observation; set [holdout] share"
        )
    missing = (
        [price.name for price, each in zip(late, found, strict=True) if each is None] if contrast is not None else []
    )
    if missing:
        notes.append(f"not projected, too little is known of how late they come: {', '.join(missing)}")
    priced = {price.name for price in prices if price.usd}
    return Book(
        whole.net_usd_month,
        whole.interval,
        whole.since,
        None if contrast is None else contrast.causal,
        settings.level,
        lines,
        tuple(each for each in found if each is not None),
        tuple(name for name in cells.outcome_names if name not in priced),
        tuple(notes),
    )


def _watching_by_month(cells: AuditCells) -> dict[int, float]:
    """Cost of second answers and the judge by month's number, USD."""
    codes = [CALL_PURPOSES.index(purpose) for purpose in WATCHING_PURPOSES]
    found: dict[int, float] = {}
    for table in (cells.calls, cells.watching):
        mine = table.take(np.isin(table.purpose, codes))
        for bucket, usd in zip(mine.bucket, mine.cost_usd, strict=True):
            at = datetime.fromtimestamp(int(bucket) * cells.bucket_s, UTC)
            month = 12 * at.year + at.month - 1
            found[month] = found.get(month, 0.0) + float(usd)
    return found
