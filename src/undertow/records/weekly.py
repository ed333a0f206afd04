"""What a person needs to know of a week: what happened, against the week before it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from undertow.records.guard import TrailEntry
from undertow.records.report import Alarm, AuditReport, Interval, SignalEstimate
from undertow.records.segment import Segment

Trend = Literal["better", "worse", "unclear"]
"""`better` and `worse`: the intervals of both weeks do not overlap. `unclear`: they do, or one of them is missing."""


@dataclass(frozen=True, slots=True)
class WeekQuality:
    """Mean quality of what a tier answered in one week and in the week before.

    Attributes:
        tier, segment: Where.
        now, before: Estimates; intervals hold for all rows of the table together.
        trend: Of the two.
        loss, loss_interval: Against the reference, since routing began; None: not known.
        state: Of that loss, as in an audit; None: not known.
    """

    tier: str
    segment: Segment
    now: SignalEstimate
    before: SignalEstimate
    trend: Trend
    loss: float | None = None
    loss_interval: Interval | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What people reviewed.

    Attributes:
        done, done_before: Review labels that became known in the week, and in the week before.
        agreement: Krippendorff's alpha, in [-1, 1]; None: nobody judged the same, or there is no queue.
        agreement_interval: Its interval.
        waiting: Items that wait in the queue; None: there is none.
    """

    done: int
    done_before: int
    agreement: float | None = None
    agreement_interval: Interval | None = None
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class WeekTraffic:
    """Requests that one tier answered.

    Attributes:
        tier: Which.
        now, before: Requests of the week, and of the week before.
        share_now, share_before: Of all that were answered; None: there were none.
    """

    tier: str
    now: int
    before: int
    share_now: float | None
    share_before: float | None


@dataclass(frozen=True, slots=True)
class WeekReport:
    """The week.

    Attributes:
        week: Its start (included) and end (excluded), UTC.
        headline: One sentence, verdict first.
        now: Audit of all that was known at its end.
        before: Audit of all that was known at its start, or None: nothing was.
        signal: Signal of the qualities, or None: there is no label.
        traffic: By tier, cheapest first.
        qualities: Whole tiers first, then segments, worse ones first.
        opened, closed: Alarms that were raised in the week, and those that had been raised before it and are over.
        still_open: Alarms from before that are not over.
        warnings: Raised in the week.
        actions: Of the guard, in the week; suggestions too.
        reviewing: What people reviewed.
        unseen: What cannot be seen, a sentence each.
        next: What to do next, a sentence each.
    """

    week: tuple[datetime, datetime]
    headline: str
    now: AuditReport
    before: AuditReport | None
    signal: str | None
    traffic: tuple[WeekTraffic, ...]
    qualities: tuple[WeekQuality, ...]
    opened: tuple[Alarm, ...]
    closed: tuple[Alarm, ...]
    still_open: tuple[Alarm, ...]
    warnings: tuple[Alarm, ...]
    actions: tuple[TrailEntry, ...]
    reviewing: Reviewing
    unseen: tuple[str, ...]
    next: tuple[str, ...]
