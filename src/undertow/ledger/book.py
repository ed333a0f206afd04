"""The ledger line by line: per month, segment, policy version and tier.

Savings are a census: every decision with known costs. Downstream cost is told by the holdout alone, month by month and place by place:
events per decision in the treatment arm minus events per decision in the holdout, among decisions old enough for the outcome to have
come, times the decisions of the treatment arm; it is carried over to decisions whose outcomes are still to come by how many answers the cheaper
tiers gave, so that it stands for the same decisions as the savings beside it. Users are clustered. Since a place and a month are fixed before the arm is drawn, each
line compares like with like. It is not divided by tier: only the arm was randomised, and who was served by which tier was not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undertow.ledger.downstream import MIN_CLUSTERS, BoolArray
from undertow.ledger.ratio import per_cluster, radius, ratio_of, variance_of_few
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT, FloatArray
from undertow.records.money import (
    MONEY_CLUSTERS,
    MoneyCells,
    MoneyEvents,
    MoneyExposure,
    MoneyLine,
    MoneyReviews,
    MoneyTraffic,
    Place,
)

NOT_RIPE = "outcomes of it are still to come"

LEAST_CARRIED = 0.005
"""Share of answers that are not ripe from which on a line says so."""


@dataclass(frozen=True, slots=True)
class _Downstream:
    """Downstream cost of one place and month.

    Attributes:
        usd: The cost.
        influence: By cluster of either arm.
        of_few: Variance that few events do not show; infinite: there is none.
        clusters, events: Of the arm with fewer.
        carried: Share of the cheaper answers to which it was carried over.
    """

    usd: float
    influence: FloatArray
    of_few: float
    clusters: int
    events: float
    carried: float


def month_text(month: int) -> str:
    """A month's number as text.

    Examples:
        >>> month_text(12 * 2026 + 2)
        '2026-03'
    """
    return f"{month // 12:04}-{month % 12 + 1:02}"


def book_lines(
    money: MoneyCells,
    tiers: Sequence[str],
    outcome_names: Sequence[str],
    prices: Sequence[OutcomePrice],
    *,
    error: float,
    review_usd: float = 0.0,
    watching_usd_by_month: dict[int, float] | None = None,
    first_month: int = 0,
) -> tuple[MoneyLine, ...]:
    """All lines, by place and then by month; a line of all months first, and for the whole log lines of each tier.

    Args:
        money: Costs and outcomes.
        tiers: Names by code, cheapest first.
        outcome_names: By code.
        prices: What outcomes cost; others count nothing.
        error: Probability that any of these intervals ever misses, shared evenly among the lines that have one.
        review_usd: Cost of a review, USD.
        watching_usd_by_month: Cost of second answers and the judge by month's number.
        first_month: Months before it are left out: nothing was routed.
    """
    months = [int(m) for m in np.unique(money.traffic.month) if m >= first_month]
    priced = [(outcome_names.index(p.name), p) for p in prices if p.name in outcome_names and p.usd]
    keys = [(code, month) for code in range(len(money.places)) for month in (None, *months)]
    found = {key: _downstream(money, priced, len(tiers), *key, first_month=first_month) for key in keys}
    shown = max(1, sum(_half_width(each, 1.0 - error) is not None for each in found.values()))
    lines = []
    for code, month in keys:
        line = _line(money, code, month, found[code, month], 1.0 - error / shown, review_usd, watching_usd_by_month or {}, first_month)  # fmt: skip
        if line is None:
            continue
        lines.append(line)
        if code == 0:
            lines += _tier_lines(money, tiers, month, first_month)
    return tuple(lines)


def _line(
    money: MoneyCells,
    code: int,
    month: int | None,
    below: _Downstream | None,
    level: float,
    review_usd: float,
    watching_usd_by_month: dict[int, float],
    first_month: int,
) -> MoneyLine | None:
    traffic = money.traffic.take(_mask(money.traffic, code, month, first_month))
    decisions = int(traffic.decisions.sum())
    if not decisions:
        return None
    saved = _savings(
        traffic.decisions.sum(), traffic.paired_n.sum(), traffic.baseline_usd.sum() - traffic.cost_usd.sum()
    )
    reviews = int(money.reviews.reviews[_mask(money.reviews, code, month, first_month)].sum())
    watching = reviews * review_usd if code == 0 or review_usd > 0 else None
    if watching is not None and code == 0:
        watching += sum(usd for m, usd in watching_usd_by_month.items() if m >= first_month and month in (None, m))
    downstream = None if below is None else below.usd
    half = _half_width(below, level)
    net = None if saved is None or downstream is None else saved - (watching or 0.0) - downstream
    return MoneyLine(
        money.places[code],
        None if month is None else month_text(month),
        None,
        decisions,
        saved,
        watching,
        downstream,
        None if half is None or downstream is None else (downstream - half, downstream + half),
        net,
        None if half is None or net is None else (net - half, net + half),
        NOT_RIPE
        if below is None
        else f"of {below.carried:.0%} of the cheaper answers outcomes are still to come: counted like the others"
        if below.carried > LEAST_CARRIED
        else "",
    )


def _tier_lines(money: MoneyCells, tiers: Sequence[str], month: int | None, first_month: int) -> list[MoneyLine]:
    """Savings of each tier in the whole log."""
    traffic = money.traffic.take(_mask(money.traffic, 0, month, first_month))
    lines = []
    for tier, name in enumerate(tiers):
        mine = traffic.take(traffic.tier == tier)
        if not len(mine):
            continue
        saved = _savings(mine.decisions.sum(), mine.paired_n.sum(), mine.baseline_usd.sum() - mine.cost_usd.sum())
        decisions = int(mine.decisions.sum())
        lines.append(
            MoneyLine(
                Place("whole"),
                None if month is None else month_text(month),
                name,
                decisions,
                saved,
                None,
                None,
                None,
                None,
                None,
                "downstream cost is not divided by tier: only the arm was randomised",
            )
        )
    return lines


def _mask(
    table: MoneyTraffic | MoneyExposure | MoneyEvents | MoneyReviews, code: int, month: int | None, first_month: int
) -> BoolArray:
    return (table.place == code) & (table.month >= first_month if month is None else table.month == month)


def _savings(decisions: float, paired: float, saved_usd: float) -> float | None:
    """Saved on all decisions, those whose costs are not known like the others; None: they are known of none."""
    return None if paired <= 0 else float(saved_usd * decisions / paired)


def _half_width(below: _Downstream | None, level: float) -> float | None:
    if below is None or below.clusters < MIN_CLUSTERS:
        return None
    variance = float((below.influence**2).sum()) + below.of_few
    return radius(below.events, level) * float(np.sqrt(variance)) if np.isfinite(variance) else None


def _downstream(
    money: MoneyCells,
    priced: list[tuple[int, OutcomePrice]],
    tiers: int,
    code: int,
    month: int | None,
    *,
    first_month: int,
) -> _Downstream | None:
    """Sum over the priced outcomes that have something to compare; None: none has."""
    exposure = money.exposure.take(_mask(money.exposure, code, month, first_month))
    events = money.events.take(_mask(money.events, code, month, first_month))
    traffic = money.traffic.take(_mask(money.traffic, code, month, first_month))
    usd, influence, of_few, carried = 0.0, np.zeros(2 * MONEY_CLUSTERS), 0.0, 0.0
    clusters, fewest = None, np.inf
    for name, price in priced:
        of, on = exposure.take(exposure.outcome == name), events.take(events.outcome == name)
        amount = on.events if price.unit == "event" else on.value
        treated, held = (
            ratio_of(
                per_cluster(on.cluster[on.arm == arm], amount[on.arm == arm], MONEY_CLUSTERS),
                per_cluster(of.cluster[of.arm == arm], of.decisions[of.arm == arm], MONEY_CLUSTERS),
                float(on.events[on.arm == arm].sum()),
            )
            for arm in (ARM_TREATMENT, ARM_HOLDOUT)
        )
        ripe = _ripe_share(traffic, of, tiers)
        if treated is None or held is None or ripe <= 0.0:
            continue
        volume = price.cost_usd * treated.size / ripe
        unseen = variance_of_few(treated, held)
        of_few += np.inf if unseen is None else volume**2 * unseen
        carried, fewest = max(carried, 1.0 - ripe), min(fewest, treated.events, held.events)
        usd += volume * (treated.value - held.value)
        influence += volume * np.concatenate([treated.influence, -held.influence])
        smaller = min(treated.clusters, held.clusters)
        clusters = smaller if clusters is None else min(clusters, smaller)
    return None if clusters is None else _Downstream(float(usd), influence, of_few, clusters, fewest, carried)


def _ripe_share(traffic: MoneyTraffic, ripe: MoneyExposure, tiers: int) -> float:
    """Share of the cheaper answers whose outcomes have come, month by month as large as that of all decisions; of all, where none is cheaper."""
    months, place = np.unique(traffic.month, return_inverse=True)
    decisions = np.bincount(place, weights=traffic.decisions)
    is_cheap = (traffic.tier >= 0) & (traffic.tier < tiers - 1)
    cheap = np.bincount(place, weights=traffic.decisions * is_cheap)
    come = np.array([ripe.decisions[ripe.month == month].sum() for month in months])
    share = np.minimum(come / np.maximum(decisions, 1.0), 1.0)
    counted = cheap if cheap.sum() > 0.0 else decisions
    return float((share * counted).sum() / counted.sum()) if counted.sum() > 0.0 else 0.0
