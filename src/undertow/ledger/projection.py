"""What an outcome that is still coming will have cost: a line of its own, with its own record of how well it did before.

Events come late: of all churn that a decision will ever be held to account for, some part has come by the time that it is a days old. From
decisions that are ripe that part is known for each age, F(a). The rate of an arm among decisions that are not ripe is then

    events so far / sum over days of decisions(day) * F(age of the day)

(the chain ladder of claims reserving: Mack 1993, ASTIN Bulletin 23(2), with ages in days). Days of which less than `LEAST_ARRIVED` has come
tell too little and are left out. The same projection is made as of moments in the past, whose end is known: its error there is added to the
interval, and without `LEAST_BACKTESTS` of them there is no line. It assumes that delays are what they were; a backtest shows where they were not.
"""

import math
from collections.abc import Callable

import numpy as np

from undertow.ledger.downstream import MIN_CLUSTERS, BoolArray, Contrast
from undertow.ledger.ratio import Ratio, radius, variance_of_few
from undertow.ledger.usd import SECONDS_PER_DAY, OutcomePrice, per_month
from undertow.records.cells import USER_BUCKETS, AuditCells, FloatArray, IntArray
from undertow.records.money import Projection

Pick = Callable[[IntArray, IntArray], BoolArray]
"""Which exposures belong to a group: a function of their buckets and arms."""

LEAST_ARRIVED = 0.1
LEAST_BACKTESTS = 3
MOST_BACKTESTS = 12
LEAST_EVENTS = 50
"""Ripe events that the delays are read off."""


def project(cells: AuditCells, price: OutcomePrice, contrast: Contrast, level: float) -> Projection | None:
    """Project one outcome for the decisions that are not ripe yet.

    Args:
        cells: The log's sufficient statistics.
        price: What it costs.
        contrast: What is compared with what.
        level: Level of the interval, of the variance between users; the error of the backtests is added in full.

    Returns:
        The projection; None: there is nothing to project, or nothing to tell how good it would be.
    """
    if price.name not in cells.outcome_names or not price.usd or price.maturity_days < 1:
        return None
    now = int(cells.last_available // cells.bucket_s)
    window = math.ceil(price.maturity_days * SECONDS_PER_DAY / cells.bucket_s)
    data = _Data(cells, price)
    arrived = data.arrived(now, window)
    if arrived is None:
        return None
    errors = [error for back in range(1, MOST_BACKTESTS + 1) if (error := data.backtest(now - back * window // 2 - window, now, window)) is not None]  # fmt: skip
    if len(errors) < LEAST_BACKTESTS:
        return None
    error, bias = float(np.sqrt(np.mean(np.square(errors)))), float(np.mean(errors))
    exposed, compared = (data.rate(pick, now, window, arrived) for pick in (contrast.exposed, contrast.compared))
    if exposed is None or compared is None:
        return None
    unseen = variance_of_few(exposed, compared)
    days, volume, share = data.unripe(contrast, now, window, arrived)
    if days <= 0:
        return None
    scale = price.cost_usd * per_month(volume, days)
    usd = scale * (exposed.value - compared.value)
    if unseen is None or min(exposed.clusters, compared.clusters) < MIN_CLUSTERS:
        return None
    spread = float(np.sqrt((exposed.influence**2).sum() + (compared.influence**2).sum() + unseen))
    half = abs(scale) * spread * radius(min(exposed.events, compared.events), level) + abs(usd) * 2.0 * error
    return Projection(price.name, usd, (usd - half, usd + half), share, days, contrast.causal, len(errors), error, bias)


class _Data:
    """Decisions and events of one outcome by day, as of any moment.

    Args:
        cells: The log's sufficient statistics.
        price: The outcome.
    """

    def __init__(self, cells: AuditCells, price: OutcomePrice) -> None:
        code = cells.outcome_names.index(price.name)
        self._exposure = cells.exposure
        self._events = cells.outcomes.take(cells.outcomes.name == code)
        self._amount = self._events.events if price.unit == "event" else self._events.value
        self._age = np.maximum(self._events.available - self._events.bucket, 0)
        self._bucket_s = cells.bucket_s
        self._first = int(cells.exposure.bucket.min()) if len(cells.exposure) else 0

    def arrived(self, now: int, window: int) -> FloatArray | None:
        """F(a) for ages 0 .. window, from decisions that are ripe at `now`; None: too few events."""
        ripe = (self._events.bucket <= now - window) & (self._age <= window)
        amount = self._amount[ripe]
        if len(amount) == 0 or self._events.events[ripe].sum() < LEAST_EVENTS or amount.sum() <= 0:
            return None
        by_age = np.bincount(self._age[ripe], weights=amount, minlength=window + 1)
        return np.cumsum(by_age) / amount.sum()

    def backtest(self, then: int, now: int, window: int) -> float | None:
        """Relative error of the number of events of the decisions that were not ripe at `then`, all arms together; None: not known."""
        if then - window <= self._first or then > now - window:
            return None
        arrived = self.arrived(then, window)
        if arrived is None:
            return None
        projected = self.rate(_everyone, then, window, arrived)
        young = self._young(self._exposure.bucket, then, window, arrived)
        theirs = self._young(self._events.bucket, then, window, arrived) & (self._age <= window)
        seen, decisions = self._amount[theirs].sum(), self._exposure.decisions[young].sum()
        if projected is None or seen <= 0 or decisions <= 0:
            return None
        return float(projected.value * decisions / seen - 1.0)

    def rate(self, pick: Pick, now: int, window: int, arrived: FloatArray) -> Ratio | None:
        """Projected rate of a group among decisions that are not ripe, with its influence by user cluster; its size is in decisions whose events have come."""
        exposure, events = self._exposure, self._events
        who = self._young(exposure.bucket, now, window, arrived) & pick(exposure.bucket, exposure.arm)
        what = self._young(events.bucket, now, window, arrived) & pick(events.bucket, events.arm)
        what &= (events.available <= now) & (self._age <= window)
        due = exposure.decisions[who] * arrived[np.clip(now - exposure.bucket[who], 0, window)]
        expected = np.bincount(exposure.cluster[who], weights=due, minlength=USER_BUCKETS)
        come = np.bincount(events.cluster[what], weights=self._amount[what], minlength=USER_BUCKETS)
        used = int((expected > 0).sum())
        if used < 2:
            return None
        size = float(expected.sum())
        rate = float(come.sum() / size)
        influence = (come - rate * expected) / size * np.sqrt(used / (used - 1))
        return Ratio(rate, influence, used, size, float(events.events[what].sum()))

    def unripe(self, contrast: Contrast, now: int, window: int, arrived: FloatArray) -> tuple[float, float, float]:
        """Days of decisions that are projected, how many there are in the exposed group, and which share of their events has come."""
        exposure = self._exposure
        who = self._young(exposure.bucket, now, window, arrived) & contrast.exposed(exposure.bucket, exposure.arm)
        volume = float(exposure.decisions[who].sum())
        if volume <= 0:
            return 0.0, 0.0, 0.0
        due = exposure.decisions[who] * arrived[np.clip(now - exposure.bucket[who], 0, window)]
        days = float(len(np.unique(exposure.bucket[who])) * self._bucket_s / SECONDS_PER_DAY)
        return days, volume, float(due.sum() / volume)

    def _young(self, bucket: IntArray, now: int, window: int, arrived: FloatArray) -> BoolArray:
        """Not ripe at `now`, but old enough to tell something."""
        age = now - bucket
        return (age >= 0) & (age < window) & (arrived[np.clip(age, 0, window)] >= LEAST_ARRIVED)


def _everyone(bucket: IntArray, arm: IntArray) -> BoolArray:
    del arm
    return np.ones(len(bucket), dtype=bool)
