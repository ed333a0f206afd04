"""Cost against quality: each tier and segment as a trade of money for loss, and what another threshold would make of it.

Costs are counted, so they have no interval; losses have those of the audit. A cost is told as a part of what the capable tier alone would
have cost for the same requests: segments with long answers and with short ones then have one scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from undertow.records.calibration import RiskPoint
from undertow.records.cells import NO, AuditCells
from undertow.records.report import AuditReport, Histogram, Interval
from undertow.records.segment import WHOLE, Segment

DAY_S = 86_400
MONTH_DAYS = 30.4375
RECENT_DAYS = 28
"""Of the log's last days: how many requests there are a month now."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What one tier costs in one segment, and what it loses there.

    Attributes:
        tier: The tier; empty: all tiers together, as the log is routed.
        segment: The segment, or the whole tier.
        share: Of all decisions, in [0, 1].
        cost_usd, capable_usd: Of one decision: as it was, and had the capable tier answered.
        saved_usd_month: Over all of them, USD a month; None where the costs are not known.
        loss: Of quality against the reference; None: no labels to compare.
        interval: Of the loss.
        state: As in `SegmentReport`.
    """

    tier: str
    segment: Segment
    share: float
    cost_usd: float | None
    capable_usd: float | None
    saved_usd_month: float | None
    loss: float | None
    interval: Interval | None
    state: str = "open"

    @property
    def relative_cost(self) -> float | None:
        """Cost as a part of the capable tier's; above 1 where calls were thrown away. None: not known."""
        if self.cost_usd is None or self.capable_usd is None or self.capable_usd <= 0:
            return None
        return self.cost_usd / self.capable_usd

    @property
    def saved_per_failure_usd(self) -> float | None:
        """What is saved for each answer that is worse than the capable tier's: what such an answer may cost before the trade is a bad one.

        None where costs or loss are not known, or nothing is lost or saved.
        """
        if self.cost_usd is None or self.capable_usd is None or self.loss is None or self.loss <= 0:
            return None
        saved = self.capable_usd - self.cost_usd
        return saved / self.loss if saved > 0 else None

    @property
    def saved_per_failure_interval(self) -> tuple[float, float | None] | None:
        """Its interval, from that of the loss; the upper end None: the loss may be nothing."""
        if self.saved_per_failure_usd is None or self.interval is None or self.interval[1] <= 0:
            return None
        assert self.cost_usd is not None
        assert self.capable_usd is not None
        saved, (low, high) = self.capable_usd - self.cost_usd, self.interval
        return saved / high, saved / low if low > 0 else None


@dataclass(frozen=True, slots=True)
class Prices:
    """What the requests of a group cost, by the log.

    Attributes:
        cheap_usd: One request that the cheap tier served.
        capable_usd: One request, had the capable tier answered.
        requests_month: How many a month that the cheap tier may answer, by the last four weeks.
    """

    cheap_usd: float
    capable_usd: float
    requests_month: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What one threshold would make of the traffic.

    Attributes:
        threshold: Confidence from which on a cheap answer is served.
        acceptance: Share of requests that are, at calibration.
        acceptance_now: The same by the confidences logged in the last fortnight; None: not known.
        loss: Share of all requests that are served and worse than the capable tier's answer.
        upper: Upper bound of the loss.
        saved_usd_month: Expected, USD a month; None where costs are not known.
        relative_cost: Expected cost as a part of the capable tier's, likewise.
        is_within: The upper bound lies within the margin.
        is_in_force: It is (next to) the threshold in force.
    """

    threshold: float
    acceptance: float
    acceptance_now: float | None
    loss: float
    upper: float
    saved_usd_month: float | None
    relative_cost: float | None
    is_within: bool
    is_in_force: bool = False


def best(points: Sequence[tuple[float, float]]) -> frozenset[int]:
    """The Pareto front: which points no other one beats in cost and in loss at once.

    Args:
        points: Cost and loss of each; less is better.

    Examples:
        >>> sorted(best([(1.0, 0.0), (0.4, 0.03), (0.5, 0.05), (0.4, 0.03)]))
        [0, 1, 3]
    """
    front, least, group_cost = set(), float("inf"), None
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        cost, loss = points[i]
        if loss < least or (loss == least and cost == group_cost):
            front.add(i)
            least, group_cost = loss, cost
    return frozenset(front)


def trades(cells: AuditCells, report: AuditReport) -> tuple[Trade, ...]:
    """All tiers together, each tier, and each tier in each segment of the report, in that order; since routing began, as the ledger counts.

    Args:
        cells: The log's sufficient statistics.
        report: The audit of them.
    """
    tiers, since = len(cells.tiers), report.ledger.since or report.period[0]
    traffic = cells.traffic.take(cells.traffic.bucket >= int(since.timestamp() // cells.bucket_s))
    days = max((report.period[1] - since).total_seconds() / DAY_S, 1.0)
    code = np.where(traffic.tier < 0, tiers, traffic.tier) * len(cells.segments) + traffic.segment
    sums = {
        name: np.bincount(code, getattr(traffic, name), (tiers + 1) * len(cells.segments)).reshape(tiers + 1, -1)
        for name in ("decisions", "paired_cost_n", "paired_cost_usd", "baseline_cost_usd")
    }
    everything = float(sums["decisions"][:, 0].sum()) or 1.0

    def trade(
        tier: str, at: tuple[slice | int, int], segment: Segment, loss: float | None, interval: Interval | None, state: str
    ) -> Trade:  # fmt: skip
        decisions, n, cost, capable = (float(np.sum(sums[name][at])) for name in sums)
        saved = (capable - cost) / n * decisions / days * MONTH_DAYS if n else None
        each = (cost / n, capable / n) if n else (None, None)
        return Trade(tier, segment, decisions / everything, *each, saved, loss, interval, state)

    shares = {tier: float(sums["decisions"][place, 0]) / everything for place, tier in enumerate(cells.tiers)}
    found = [trade("", (slice(None), 0), WHOLE, *_together(report, shares), "open")]
    whole = {each.tier: each for each in report.whole}
    for place, tier in enumerate(cells.tiers):
        lost = whole.get(tier)
        is_capable = place == tiers - 1
        given = (
            (lost.loss, lost.interval, lost.state) if lost is not None else (0.0 if is_capable else None, None, "open")
        )
        if sums["decisions"][place, 0] > 0:
            found.append(trade(tier, (place, 0), WHOLE, *given))
    places = {segment: i for i, segment in enumerate(cells.segments)}
    found += [
        trade(each.tier, (cells.tiers.index(each.tier), places[each.segment]), each.segment, each.loss, each.interval, each.state)
        for each in report.segments
        if each.segment in places and each.tier in cells.tiers
    ]  # fmt: skip
    return tuple(found)


def _together(report: AuditReport, shares: Mapping[str, float]) -> tuple[float | None, Interval | None]:
    """Loss of a request whichever tier served it: that of each cheaper tier by its share. None where one of them is not known."""
    cheaper = [each for each in report.whole if shares.get(each.tier, 0.0) > 0]
    if not cheaper or any(each.loss is None for each in cheaper):
        return None, None
    loss = sum(shares[each.tier] * (each.loss or 0.0) for each in cheaper)
    if any(each.interval is None for each in cheaper):
        return loss, None
    ends = [(shares[e.tier] * e.interval[0], shares[e.tier] * e.interval[1]) for e in cheaper if e.interval is not None]
    return loss, (sum(low for low, _ in ends), sum(high for _, high in ends))


@dataclass(frozen=True, slots=True)
class Step:
    """All requests after some segments have moved back to the capable tier.

    Attributes:
        moved: The segment that moves now, and the tier that it leaves.
        relative_cost: Of all requests then, as a part of the capable tier's.
        loss: Of all requests then.
        usd_month: What this step costs, USD a month.
    """

    moved: Trade
    relative_cost: float
    loss: float
    usd_month: float


def moved_back(found: Sequence[Trade]) -> tuple[Step, ...]:
    """Segments move back to the capable tier one by one, the worst trade first: the front between what is routed now and what could be.

    By the estimates alone, of segments that lose and save something; those of one key, since segments of several overlap.

    Args:
        found: As `trades` gives them.
    """
    together = next((each for each in found if not each.tier), None)
    if together is None or together.loss is None or together.relative_cost is None:
        return ()
    covered: dict[str, float] = {}
    for each in found:
        if not each.segment.is_whole:
            covered[each.segment.key] = covered.get(each.segment.key, 0.0) + each.share
    key = max(covered, key=lambda key: (covered[key], key), default="")
    parts = [
        each
        for each in found
        if key and each.segment.key == key and each.state != "suspect" and each.saved_per_failure_usd is not None
    ]
    cost, loss, steps = together.cost_usd or 0.0, together.loss, []
    for each in sorted(parts, key=lambda each: (each.saved_per_failure_usd or 0.0, each.tier, str(each.segment))):
        cost += each.share * ((each.capable_usd or 0.0) - (each.cost_usd or 0.0))
        loss -= each.share * (each.loss or 0.0)
        steps.append(Step(each, cost / (together.capable_usd or 1.0), loss, each.saved_usd_month or 0.0))
    return tuple(steps)


def prices_of(cells: AuditCells, tier: str, segment: Segment = WHOLE) -> Prices | None:
    """What requests cost that a tier may answer, by the log; None where it does not say.

    Args:
        cells: The log's sufficient statistics.
        tier: The cheap tier.
        segment: Of the requests.
    """
    if tier not in cells.tiers or segment not in cells.segments:
        return None
    traffic = cells.traffic
    mine = traffic.take(
        (traffic.segment == cells.segments.index(segment)) & (traffic.eligible != NO) & (traffic.tier >= 0)
    )
    cheap = mine.take(mine.tier == cells.tiers.index(tier))
    n, paid = float(cheap.paired_cost_n.sum()), float(mine.paired_cost_n.sum())
    if n <= 0 or paid <= 0:
        return None
    last = int(traffic.bucket.max()) + 1
    buckets = min(RECENT_DAYS * DAY_S // cells.bucket_s, last - int(traffic.bucket.min()))
    recent = float(mine.decisions[mine.bucket >= last - buckets].sum())
    return Prices(
        float(cheap.paired_cost_usd.sum()) / n,
        float(mine.baseline_cost_usd.sum()) / paid,
        recent / (buckets * cells.bucket_s / DAY_S) * MONTH_DAYS,
    )


def settings_of(
    curve: Sequence[RiskPoint],
    margin: float,
    in_force: float | None,
    prices: Prices | None,
    now: Histogram | None = None,
) -> tuple[Setting, ...]:
    """What each threshold of a risk-coverage curve would make of the traffic, strict ones first.

    Money by this rule: a request that is accepted costs what the cheap tier's do; one that is not costs what the capable tier asks, and the
    cheap answer that is thrown away. It takes the cost of a request to be the same at any confidence.

    Args:
        curve: From the calibration.
        margin: The largest accepted loss.
        in_force: The threshold in force; None: nothing is served cheaply.
        prices: What requests cost; None: not known.
        now: Distribution of the logged confidence.
    """
    ordered = sorted(curve, key=lambda point: -point.threshold)
    nearest = None
    if in_force is not None and ordered:
        nearest = min(ordered, key=lambda point: abs(point.threshold - in_force))
    found = []
    for point in ordered:
        saved = relative = None
        if prices is not None and prices.capable_usd > 0:
            each = point.acceptance * prices.capable_usd - prices.cheap_usd
            saved, relative = each * prices.requests_month, 1.0 - each / prices.capable_usd
        found.append(
            Setting(
                point.threshold,
                point.acceptance,
                accepted_now(now, point.threshold),
                point.loss,
                point.upper,
                saved,
                relative,
                is_within=point.upper <= margin,
                is_in_force=point is nearest,
            )
        )
    return tuple(found)


def accepted_now(now: Histogram | None, threshold: float) -> float | None:
    """Share of the last fortnight's requests whose confidence reaches a threshold, evenly inside a bin; None: not known.

    Examples:
        >>> from datetime import UTC, datetime
        >>> period = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
        >>> histogram = Histogram("confidence", (0.0, 0.5, 1.0), (0.5, 0.5), (0.4, 0.6), period, period)
        >>> accepted_now(histogram, 0.75), accepted_now(histogram, 0.0)
        (0.3, 1.0)
    """
    if now is None or now.column != "confidence":
        return None
    above = 0.0
    for low, high, share in zip(now.edges, now.edges[1:], now.now, strict=False):
        part = 1.0 if low >= threshold else 0.0 if high <= threshold else (high - threshold) / (high - low)
        above += share * part
    return above


def worst_trades(found: Sequence[Trade]) -> list[Trade]:
    """Segments, those first that buy the least with what they lose."""
    parts = [each for each in found if not each.segment.is_whole]
    return sorted(
        parts, key=lambda each: (each.loss is None, -(each.interval or (each.loss or 0.0,))[0], str(each.segment))
    )
