"""Costs and outcomes by month and place, and the book of lines that is made of them.

A place is the whole log, a segment or a policy version. Sums add, so tables of two partitions may be concatenated.
Users are hashed into `MONEY_CLUSTERS` clusters, fewer than an audit's: enough for a variance, and small for a year of many segments.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from undertow.records.cells import FloatArray, IntArray, Table
from undertow.records.report import Interval

MONEY_CLUSTERS = 128

PlaceKind = Literal["whole", "segment", "version"]


@dataclass(frozen=True, slots=True)
class Place:
    """What a line of the book is about.

    Attributes:
        kind: The whole log, a segment or a version of a policy.
        name: `key=value`, or the version; empty for the whole log. Untrusted.
    """

    kind: PlaceKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class MoneyTraffic(Table):
    """Live decisions by month, place and served tier, with their costs.

    `month` counts months since the year 0: 12 * year + month - 1. `place` points into `MoneyCells.places`, `tier` into the tiers; -1: nothing was served.
    """

    month: IntArray
    place: IntArray
    tier: IntArray
    decisions: IntArray
    paired_n: IntArray
    """Decisions whose cost and baseline cost are both known; the two sums are over these."""
    cost_usd: FloatArray
    baseline_usd: FloatArray


@dataclass(frozen=True, slots=True)
class MoneyExposure(Table):
    """Live decisions old enough for an outcome to have come, by month, place, outcome, arm and user cluster."""

    month: IntArray
    place: IntArray
    outcome: IntArray
    """Points into `AuditCells.outcome_names`."""
    arm: IntArray
    cluster: IntArray
    decisions: IntArray


@dataclass(frozen=True, slots=True)
class MoneyEvents(Table):
    """Events of outcomes on those decisions: `month` is the decision's."""

    month: IntArray
    place: IntArray
    outcome: IntArray
    arm: IntArray
    cluster: IntArray
    events: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True)
class MoneyReviews(Table):
    """Reviews of live decisions by month and place."""

    month: IntArray
    place: IntArray
    reviews: IntArray


@dataclass(frozen=True, slots=True)
class MoneyCells:
    """All of it, with the places that codes point into."""

    places: tuple[Place, ...]
    traffic: MoneyTraffic
    exposure: MoneyExposure
    events: MoneyEvents
    reviews: MoneyReviews


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """One line of the book, USD in its period.

    Attributes:
        place: What it is about.
        month: `2026-03`, or None: the whole period.
        tier: Tier whose answers these are, or None: all.
        decisions: Live decisions.
        savings_usd: What the capable tier alone would have cost, minus what was spent; None: not known.
        watching_usd: Reviews, and in lines of the whole log second answers and the judge too; None: not known to cost anything.
        downstream_usd: What outcomes cost more than in the holdout; None: nothing to compare.
        interval: Of the downstream cost, anytime-valid at the book's level for all lines together; None: too few users.
        net_usd: Savings minus watching minus downstream; None unless savings and downstream are known.
        net_interval: Its interval.
        note: What the reader must know.
    """

    place: Place
    month: str | None
    tier: str | None
    decisions: int
    savings_usd: float | None
    watching_usd: float | None
    downstream_usd: float | None
    interval: Interval | None
    net_usd: float | None
    net_interval: Interval | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Projection:
    """What an outcome that is still coming will have cost, from the part that has come: no part of any sum.

    Attributes:
        outcome: Its name.
        usd_month: Projected downstream cost of the decisions that are not ripe, USD a month.
        interval: From the variance between users and the error of the backtests together.
        arrived_share: Share of the events that has come, by the delays seen so far, in (0, 1].
        days: Days of decisions that it is about.
        causal: The groups were randomised.
        backtests: How often the same was projected in the past, where the end is known.
        backtest_error: Root mean square of (projected - seen) / seen over these, of the number of events.
        backtest_bias: Mean of the same.
    """

    outcome: str
    usd_month: float
    interval: Interval
    arrived_share: float
    days: float
    causal: bool
    backtests: int
    backtest_error: float
    backtest_bias: float


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger, line by line.

    Attributes:
        net_usd_month: The one number: net value a month, or None: not known.
        net_interval: Its interval.
        since: Since when routing serves.
        causal: Downstream cost is told by the holdout.
        level: Level of the intervals, all lines of a list together.
        lines: By place and month.
        projections: Of outcomes that ripen late.
        unpriced: Outcomes without a price.
        notes: Sentences for the reader.
    """

    net_usd_month: float | None
    net_interval: Interval | None
    since: datetime | None
    causal: bool | None
    level: float
    lines: tuple[MoneyLine, ...]
    projections: tuple[Projection, ...] = ()
    unpriced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
