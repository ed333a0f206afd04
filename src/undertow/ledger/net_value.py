"""The net-value ledger: savings, minus what watching costs, minus what the quality loss costs downstream."""

from datetime import UTC, datetime

from undertow.ledger.downstream import choose_contrast, downstream, interval_of_sum
from undertow.ledger.savings import routed_days, savings
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import AuditCells
from undertow.records.report import Ledger
from undertow.records.traffic_grid import TrafficGrid


def net_value(
    cells: AuditCells,
    traffic: TrafficGrid,
    routing_start: int,
    before_end: int,
    prices: tuple[OutcomePrice, ...],
    level: float,
    review_usd: float = 0.0,
    review_usd_minute: float = 0.0,
) -> Ledger:
    """The ledger over the routed period, USD per month.

    Args:
        cells: The log's sufficient statistics.
        traffic: Whole-log traffic.
        routing_start: First routed bucket, counted from the traffic's first.
        before_end: End (excluded) of the period before routing, likewise.
        prices: What each outcome costs.
        level: Level of the intervals.
        review_usd: Cost of one review, 0 where they are paid for already.
        review_usd_minute: Cost of a reviewer's minute, likewise.

    Returns:
        The ledger. `net_usd_month` is None unless both savings and downstream cost are known: savings alone are not a net
        value, and showing them as one is how the trap works.
    """
    if routing_start >= traffic.decisions.shape[0]:
        return Ledger(None, None, None, None, None, note="no cheaper tier serves anything in this log")
    days = routed_days(traffic, cells.bucket_s, routing_start)
    saved = savings(cells, traffic, routing_start, review_usd, review_usd_minute)
    first = traffic.first_bucket
    since = datetime.fromtimestamp((first + routing_start) * cells.bucket_s, UTC)
    contrast = choose_contrast(cells, first + routing_start, first + before_end) if len(cells.outcome_names) else None
    if contrast is None or days <= 0:
        why = (
            "no outcomes: pass --outcomes FILE and price them in [outcomes.NAME]"
            if not cells.outcome_names
            else "neither a holdout nor a period before routing to compare outcomes with"
        )
        return Ledger(
            saved.savings_usd_month,
            saved.watching_usd_month,
            None,
            None,
            None,
            saved.items,
            since,
            "; ".join(n for n in (saved.note, why) if n),
        )
    below = downstream(cells, prices, contrast, days, level)
    net, interval = None, None
    if saved.savings_usd_month is not None and below.usd_month is not None:
        net = saved.savings_usd_month - (saved.watching_usd_month or 0.0) - below.usd_month
        interval = interval_of_sum(net, below.variance, below.clusters, below.events, level)
    return Ledger(
        saved.savings_usd_month,
        saved.watching_usd_month,
        below.usd_month,
        net,
        interval,
        saved.items + below.items,
        since,
        "; ".join(n for n in (saved.note, below.note) if n),
    )
