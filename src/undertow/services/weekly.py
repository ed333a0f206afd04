"""The week for people: two audits and the week's own labels become one page of facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from undertow.estimators.quality import quality_estimate
from undertow.estimators.sums import weighted_sums
from undertow.records.cells import AuditCells
from undertow.records.guard import TrailEntry
from undertow.records.label_grid import SignalUnit, label_grid, signal_units
from undertow.records.report import Alarm, AuditReport, SignalEstimate
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.records.weekly import Reviewing, Trend, WeekQuality, WeekReport, WeekTraffic
from undertow.services.evidence import watched_segments

WEEK_S = 7 * 86_400
SHOWN_STEPS = 6
SHOWN_PLACES = 8
VERDICTS = {
    "healthy": "healthy",
    "quality_loss": "quality loss",
    "pareto_trap": "Pareto trap",
    "inconclusive": "inconclusive",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside the log.

    Attributes:
        trail: The guard's, oldest first.
        waiting: Suggestions of the guard that wait for a person.
        agreement: Reviewers', or None.
        agreement_interval: Its interval.
        queue: Items that wait for review, or None: there is no queue.
    """

    trail: tuple[TrailEntry, ...] = ()
    waiting: int = 0
    agreement: float | None = None
    agreement_interval: tuple[float, float] | None = None
    queue: int | None = None


def week_report(
    cells: AuditCells, now: AuditReport, before: AuditReport | None, end: datetime, start: datetime, beside: Beside
) -> WeekReport:
    """The report of a week.

    Args:
        cells: Sufficient statistics of all that was known at the end.
        now: Audit of them.
        before: Audit of what was known at the start, or None.
        end: Of the week, UTC.
        start: Of the week, UTC.
        beside: What is known beside the log.
    """
    opened = tuple(alarm for alarm in now.alarms if alarm.detected_at >= start)
    older = tuple(alarm for alarm in now.alarms if alarm.detected_at < start)
    over = tuple(alarm for alarm in older if _is_over(alarm, now.settings.margin))
    actions = tuple(entry for entry in beside.trail if start <= datetime.fromisoformat(entry.at) < end)
    return WeekReport(
        week=(start, end),
        headline=_headline(now, before, opened),
        now=now,
        before=before,
        signal=now.main_signal,
        traffic=_traffic(cells, start, end),
        qualities=_qualities(cells, now, start, end),
        opened=opened,
        closed=over,
        still_open=tuple(alarm for alarm in older if alarm not in over),
        warnings=tuple(warning for warning in now.warnings if warning.detected_at >= start),
        actions=actions,
        reviewing=Reviewing(
            _reviews(cells, start, end),
            _reviews(cells, _earlier(start), start),
            beside.agreement,
            beside.agreement_interval,
            beside.queue,
        ),
        unseen=_unseen(now),
        next=_next(now, opened, beside),
    )


def _earlier(start: datetime) -> datetime:
    return datetime.fromtimestamp(start.timestamp() - WEEK_S, start.tzinfo)


def _is_over(alarm: Alarm, margin: float) -> bool:
    """Whether the labels since show the loss to be within the margin."""
    return alarm.latest_interval is not None and alarm.latest_interval[1] <= margin


def _headline(now: AuditReport, before: AuditReport | None, opened: Sequence[Alarm]) -> str:
    first = next((alarm for alarm in opened if alarm.cause == "routing"), None)
    if first is not None:
        where = first.tier if first.segment.is_whole else f"{first.tier} in {first.segment}"
        return f"New this week: {where} got worse. {now.headline}"
    if before is not None and before.verdict != now.verdict:
        return f"It was {VERDICTS[before.verdict]} a week ago and is {VERDICTS[now.verdict]} now. {now.headline}"
    if before is not None:
        return f"As a week ago: {now.headline}"
    return now.headline


def _traffic(cells: AuditCells, start: datetime, end: datetime) -> tuple[WeekTraffic, ...]:
    first, buckets = bucket_range(cells)
    served = traffic_grid(cells, 0, first_bucket=first, buckets=buckets).served
    sums = [served[slice(*span)].sum(0) for span in (_span(cells, start, end), _span(cells, _earlier(start), start))]
    total = [float(one.sum()) for one in sums]
    return tuple(
        WeekTraffic(
            tier,
            int(sums[0][code]),
            int(sums[1][code]),
            float(sums[0][code]) / total[0] if total[0] else None,
            float(sums[1][code]) / total[1] if total[1] else None,
        )
        for code, tier in enumerate(cells.tiers)
    )


def _span(cells: AuditCells, start: datetime, end: datetime) -> tuple[int, int]:
    """The log's buckets of a period, counted from its first."""
    first, buckets = bucket_range(cells)
    low, high = (int(np.clip(at.timestamp() // cells.bucket_s - first, 0, buckets)) for at in (start, end))
    return low, high


def _qualities(cells: AuditCells, now: AuditReport, start: datetime, end: datetime) -> tuple[WeekQuality, ...]:
    unit = _unit(cells, now)
    if unit is None:
        return ()
    codes = [0, *(code for code in watched_segments(cells) if code != 0)]
    places = [
        (tier, code) for code in codes for tier in range(len(cells.tiers)) if code == 0 or tier < len(cells.tiers) - 1
    ]
    level = 1.0 - (1.0 - now.settings.level) / (2 * len(places))
    losses = {(report.tier, report.segment): report for report in now.segments}
    found = []
    for tier, code in places:
        this, last = _weeks(cells, unit, tier, code, level, start, end)
        if not this.n and not last.n:
            continue
        segment, name = cells.segments[code], cells.tiers[tier]
        loss = losses.get((name, segment))
        found.append(
            WeekQuality(
                name,
                segment,
                this,
                last,
                _trend(this, last),
                None if loss is None else loss.loss,
                None if loss is None else loss.interval,
                None if loss is None else loss.state,
            )
        )
    order = {"worse": 0, "unclear": 1, "better": 2}
    return tuple(
        sorted(
            found,
            key=lambda one: (
                not one.segment.is_whole,
                cells.tiers.index(one.tier) if one.segment.is_whole else 0,
                order[one.trend],
                -(one.loss or 0.0),
                one.tier,
                one.segment,
            ),
        )
    )


def _unit(cells: AuditCells, now: AuditReport) -> SignalUnit | None:
    return next((unit for unit in signal_units(cells) if unit.name == now.main_signal), None)


def _weeks(
    cells: AuditCells, unit: SignalUnit, tier: int, code: int, level: float, start: datetime, end: datetime
) -> tuple[SignalEstimate, SignalEstimate]:
    first, buckets = bucket_range(cells)
    grid = label_grid(cells, unit, code, by="decided", first_bucket=first, buckets=buckets)
    this, last = (
        quality_estimate(weighted_sums(grid.window(*_span(cells, *period)), [tier]), level)
        for period in ((start, end), (_earlier(start), start))
    )
    return this, last


def _trend(now: SignalEstimate, before: SignalEstimate) -> Trend:
    if now.interval is None or before.interval is None:
        return "unclear"
    if now.interval[1] < before.interval[0]:
        return "worse"
    return "better" if now.interval[0] > before.interval[1] else "unclear"


def _reviews(cells: AuditCells, start: datetime, end: datetime) -> int:
    labels = cells.labels
    kinds = np.array([name.startswith("review.") for name in cells.signals], dtype=np.bool_)
    at = labels.available * cells.bucket_s
    mine = (labels.segment == 0) & (at >= start.timestamp()) & (at < end.timestamp())
    return round(float(labels.n[mine & kinds[labels.signal]].sum())) if len(kinds) else 0


def _unseen(now: AuditReport) -> tuple[str, ...]:
    """What the log cannot show, the largest gap first."""
    said = []
    if now.main_signal is None:
        said.append("There is no label of any answer, so nothing is known of quality.")
    if not now.reference.causal and now.main_signal is not None:
        said.append(f"The comparison is not causal: {now.reference.note}")
    large = [one for one in now.segments if one.share >= now.settings.min_share]
    for tier in dict.fromkeys(one.tier for one in large):
        mine = sorted((one for one in large if one.tier == tier), key=lambda one: -one.share)
        still = [
            f"{one.interval[1] * 100:.1f} in {one.segment}" for one in mine if one.state == "open" and one.interval
        ]
        bare = [str(one.segment) for one in mine if one.state == "no_data"]
        broken = [str(one.segment) for one in mine if one.state == "suspect"]
        if still:
            said.append(
                f"{tier}: labels do not rule out a loss of up to so many points: {', '.join(still[:SHOWN_PLACES])}."
            )
        if bare:
            said.append(f"{tier}: there is no label to judge {', '.join(bare[:SHOWN_PLACES])} by.")
        if broken:
            said.append(f"{tier}: labels look broken in {', '.join(broken[:SHOWN_PLACES])}, so nothing is said of it.")
    small = sum(report.share < now.settings.min_share for report in now.segments)
    if small:
        said.append(
            f"{small} segments with less than {now.settings.min_share:.0%} of a tier's traffic are too small to be shown in time."
        )
    if now.ledger.downstream_usd_month is None:
        said.append("What worse answers cost later (tickets, refunds, churn) is not known: no outcomes are brought in.")
    return tuple(said)


def _next(now: AuditReport, opened: Sequence[Alarm], beside: Beside) -> tuple[str, ...]:
    steps = []
    if beside.waiting:
        count = f"{beside.waiting} suggestion{'s' if beside.waiting > 1 else ''}"
        steps.append(f"Answer {count} of the guard: `undertow guard list`.")
    elif any(alarm.cause == "routing" for alarm in opened) and not beside.trail:
        steps.append(
            "Decide what becomes of the place that got worse: `undertow rollout`, a higher threshold, or [guard] in the settings."
        )
    return (*steps, *now.next)[:SHOWN_STEPS]
