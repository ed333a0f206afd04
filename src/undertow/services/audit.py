"""The audit: from sufficient statistics to a report. Pure: the same cells give the same report.

Errors are shared out as follows. Alarms: alpha / 2 over the horizon. Upper bounds of fixed references: alpha / 4. Intervals:
1 - level in all; half of it for losses (half of that for whole tiers, half for segments), a quarter for means per signal,
an eighth each for alarms and the ledger. Where a judge narrows people's verdicts, those intervals have half of the segments' part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from undertow.attribution.changes import dated_changes
from undertow.attribution.segments_changed import notes_on_segments
from undertow.estimators.loss import LossEstimate, loss_estimate
from undertow.estimators.periods import (
    MIN_REFERENCE_LABELS,
    Periods,
    ReferenceKind,
    find_periods,
    holdout_labels,
    reference_kind,
)
from undertow.estimators.quality import tier_quality
from undertow.estimators.series import evidence_series, quality_series, share_series
from undertow.estimators.suspect import is_suspect
from undertow.ledger.latency import tier_latency
from undertow.ledger.net_value import net_value
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import ARM_HOLDOUT, CHANGE_KINDS, AuditCells
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid, signal_units
from undertow.records.report import (
    Aggregate,
    Alarm,
    AuditReport,
    AuditSettings,
    ReferenceReport,
    SegmentReport,
    Series,
    SignalEstimate,
    TierReport,
)
from undertow.records.segment import WHOLE
from undertow.records.traffic_grid import TrafficGrid, bucket_range, traffic_grid
from undertow.records.trained import TrainedScores
from undertow.services.alarms import tell_alarms
from undertow.services.anchored import anchored_losses
from undertow.services.confidence_histogram import confidence_histogram
from undertow.services.drift import drift_warnings
from undertow.services.evidence import alarms_armed_from, gather, raises_alarms, watched_segments
from undertow.services.slices import alarm_slices
from undertow.services.topic_memory import TopicMemory
from undertow.services.topics import log_topics, with_topics
from undertow.verdicts.decide import decide
from undertow.verdicts.headline import headline
from undertow.verdicts.next_steps import InHand, next_steps

REFERENCE_NOTES: dict[ReferenceKind, tuple[bool, str]] = {
    "holdout": (True, "a randomised holdout on the capable tier over the same time: the comparison is causal"),
    "pairs": (True, "pairs: both tiers answered the same requests, judged by people or by a check with a right answer"),
    "pre_routing": (
        False,
        "the period before routing, same segments: whatever else changed since then counts too, so a holdout would be better",
    ),
    "own_first_period": (
        False,
        "each tier's own first period: it shows change only; a tier that was bad from its first day looks the same as a good one",
    ),
    "none": (False, "no quality labels are joined to decisions, so nothing can be compared"),
}


@dataclass(frozen=True, slots=True)
class _Log:
    """What the steps of one audit share."""

    cells: AuditCells
    settings: AuditSettings
    periods: Periods
    traffic: TrafficGrid
    first: int
    buckets: int
    units: tuple[SignalUnit, ...]

    @property
    def error(self) -> float:
        return 1.0 - self.settings.level

    def labels(self, unit: SignalUnit, segment: int) -> LabelGrid:
        return label_grid(self.cells, unit, segment, by="decided", first_bucket=self.first, buckets=self.buckets)

    def time(self, bucket: int) -> datetime:
        return datetime.fromtimestamp((self.first + bucket) * self.cells.bucket_s, UTC)


def audit(
    cells: AuditCells,
    settings: AuditSettings,
    prices: tuple[OutcomePrice, ...] = (),
    trained: TrainedScores | None = None,
    memory: TopicMemory | None = None,
) -> AuditReport:
    """Everything that can be said about a log.

    Args:
        cells: Its sufficient statistics.
        settings: Error levels, margins, reference period.
        prices: What outcomes cost; outcomes that are not named here are counted, not priced.
        trained: The scores that the calibration was fitted on, where it is known: drift is then looked for against them too.
        memory: What was found of the same texts before; it changes no result.
    """
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = settings.baseline_until.timestamp() if settings.baseline_until else None
    periods = find_periods(traffic, cells.bucket_s, until)
    log = _Log(cells, settings, periods, traffic, first, buckets, signal_units(cells))
    main = main_unit(log.units, settings)
    kind: ReferenceKind = reference_kind(main, log.labels(main, 0), periods) if main else "none"
    causal, note = REFERENCE_NOTES[kind]
    reference = ReferenceReport(kind, causal, note)
    tiers, segments, suspects = _losses(log, main, kind)
    topics = log_topics(cells, first + alarms_armed_from(cells, periods), memory)
    watched = cells if topics is None else with_topics(cells, topics)
    evidence = gather(watched, settings, periods, alarms=True)
    alarms = tell_alarms(watched, settings, periods, evidence, 1.0 - log.error / 8 / 4)
    warnings = _warnings(log, trained)
    ledger = net_value(
        cells,
        traffic,
        periods.routing_start,
        periods.reference_end,
        prices,
        1.0 - log.error / 8 / max(1, len(prices) + 1),
        settings.review_usd,
        settings.review_usd_minute,
    )
    capable = cells.tiers[-1]
    verdict, reasons = decide(
        settings,
        reference,
        [r for r, _ in tiers],
        [r for r, _ in segments],
        alarms,
        warnings,
        ledger,
        capable,
        is_vouched_for=main is not None and raises_alarms(main, settings),
    )
    days = max(1.0, (cells.last_event - cells.first_event) / 86_400)
    steps = next_steps(
        settings,
        verdict,
        reference,
        tiers,
        segments,
        ledger,
        (main.labels / days if main else 0.0),
        cells.coverage.missing_columns,
        1.0 - log.error / 4,
        suspects,
        _in_hand(log, main, prices),
    )
    report = AuditReport(
        verdict=verdict,
        headline="",
        period=(datetime.fromtimestamp(cells.first_event, UTC), datetime.fromtimestamp(cells.last_event, UTC)),
        settings=settings,
        reference=reference,
        coverage=replace(cells.coverage, notes=(*cells.coverage.notes, *notes_on_segments(cells))),
        aggregate=_aggregate(log),
        tiers=_tiers(log),
        alarms=tuple(alarms),
        warnings=tuple(warnings),
        segments=tuple(sorted((r for r, _ in segments), key=_worst_first)),
        ledger=ledger,
        next=steps,
        quality_series=_quality_series(replace(log, cells=watched), main, alarms),
        share_series=share_series(traffic, cells.tiers, cells.bucket_s, WHOLE),
        evidence_series=(evidence_series(evidence.summed, first, cells.bucket_s, "all monitors together", WHOLE),),
        alarm_line=float(np.log10(evidence.line)),
        confidence=confidence_histogram(cells),
        reasons=reasons,
        suspects=tuple(suspects),
        main_signal=main.name if main else None,
        changes=dated_changes(cells),
        whole=tuple(r for r, _ in tiers),
        anchored=anchored_losses(cells, log.error / 8, periods.routing_start),
        slices=alarm_slices(cells, topics, alarms, settings.alpha, settings.level, memory),
    )
    return replace(report, headline=headline(report, [r for r, _ in tiers], capable))


def _in_hand(log: _Log, main: SignalUnit | None, prices: Sequence[OutcomePrice]) -> InHand:
    traffic = log.cells.traffic
    held = (traffic.segment == 0) & (traffic.arm == ARM_HOLDOUT)
    return InHand(
        holdout_decisions=int(traffic.decisions[held].sum()),
        holdout_labels=int(holdout_labels(log.labels(main, 0), log.periods)) if main else 0,
        labels_needed=MIN_REFERENCE_LABELS,
        labels_show_level=main is None or main.shows_level,
        outcomes=log.cells.outcome_names,
        outcomes_joined=len(log.cells.outcomes) > 0,
        outcomes_priced=tuple(price.name for price in prices if price.usd),
    )


def main_unit(units: Sequence[SignalUnit], settings: AuditSettings) -> SignalUnit | None:
    """The signal that losses and charts rest on: one that shows levels and may raise alarms, with most labels."""

    def rank(unit: SignalUnit) -> tuple[bool, bool, float]:
        return raises_alarms(unit, settings) and unit.shows_level, raises_alarms(unit, settings), unit.labels

    return max(units, key=rank, default=None)


def _losses(
    log: _Log, main: SignalUnit | None, kind: ReferenceKind
) -> tuple[list[tuple[SegmentReport, float]], list[tuple[SegmentReport, float]], list[SegmentReport]]:
    """Loss of each cheaper tier as a whole and per segment, and the segments whose labels look broken."""
    if main is None:
        return [], [], []
    cells = log.cells
    codes = [c for c in watched_segments(cells) if c != 0]
    cheaper = [t for t in range(len(cells.tiers) - 1) if log.traffic.served[:, t].sum() > 0]
    tier_level = 1.0 - log.error / 4 / max(1, len(cheaper))
    parts = 2 if len(cells.anchors) else 1
    segment_level = 1.0 - log.error / 4 / parts / max(1, len(cheaper) * len(codes))
    tiers: list[tuple[SegmentReport, float]] = []
    segments: list[tuple[SegmentReport, float]] = []
    suspects: list[SegmentReport] = []
    whole_grid = log.labels(main, 0)
    for tier in cheaper:
        whole = loss_estimate(kind, whole_grid, log.traffic, tier, log.periods, tier_level, bucket_s=cells.bucket_s)
        served = log.traffic.served[log.periods.routing_start :, tier].sum()
        broken: list[LabelGrid] = []
        for code in codes:
            traffic = traffic_grid(cells, code, first_bucket=log.first, buckets=log.buckets)
            grid = log.labels(main, code)
            mine = traffic.served[log.periods.routing_start :, tier].sum()
            if mine <= 0:
                continue
            found = loss_estimate(kind, grid, traffic, tier, log.periods, segment_level, bucket_s=cells.bucket_s)
            suspect = is_suspect(found, whole.reference_quality)
            report = _segment_report(
                log, tier, code, float(mine / served), main, found, log.settings.segment_margin, suspect=suspect
            )
            segments.append((report, found.variance))
            if suspect:
                suspects.append(report)
                broken.append(grid)
        if broken:
            sound = whole_grid
            for grid in broken:
                sound = sound.minus(grid)
            whole = loss_estimate(kind, sound, log.traffic, tier, log.periods, tier_level, bucket_s=cells.bucket_s)
        tiers.append((_segment_report(log, tier, 0, 1.0, main, whole, log.settings.margin), whole.variance))
    return tiers, segments, suspects


def _segment_report(
    log: _Log,
    tier: int,
    code: int,
    share: float,
    unit: SignalUnit,
    found: LossEstimate,
    margin: float,
    *,
    suspect: bool = False,
) -> SegmentReport:
    interval = None if found.low is None or found.high is None else (found.low, found.high)
    if suspect:
        state = "suspect"
    elif interval is None:
        state = "no_data"
    elif interval[1] < margin:
        state = "inside"
    elif interval[0] > margin:
        state = "beyond"
    else:
        state = "open"
    return SegmentReport(
        tier=log.cells.tiers[tier],
        segment=log.cells.segments[code],
        share=share,
        signal=unit.name,
        n=found.n,
        loss=found.loss,
        interval=interval,
        quality=found.quality,
        reference_quality=found.reference_quality,
        reference_n=found.reference_n,
        state=state,
    )


def _worst_first(report: SegmentReport) -> tuple[bool, bool, float, str, str]:
    return (
        report.state == "suspect",
        report.loss is None,
        -(report.loss or 0.0),
        report.tier,
        str(report.segment),
    )


def _signal_level(log: _Log) -> float:
    """Level of one interval among the means per signal and tier."""
    return 1.0 - log.error / 4 / max(1, len(log.units) * (len(log.cells.tiers) + 1))


def _by_name(units: Sequence[SignalUnit]) -> dict[str, SignalUnit]:
    """One unit a name: that with most labels (units come most labels first)."""
    chosen: dict[str, SignalUnit] = {}
    for unit in units:
        chosen.setdefault(unit.name, unit)
    return chosen


def _aggregate(log: _Log) -> Aggregate:
    """All tiers together, as a plain dashboard shows them."""
    level = _signal_level(log)
    every = range(len(log.cells.tiers))
    signals = {name: tier_quality(log.labels(unit, 0), every, level) for name, unit in _by_name(log.units).items()}
    known = log.traffic.cost_n.sum()
    return Aggregate(
        decisions=int(log.traffic.decisions.sum()),
        cost_usd=float(log.traffic.cost_usd.sum()) if known > 0 else None,
        signals=signals,
    )


def _tiers(log: _Log) -> tuple[TierReport, ...]:
    level = _signal_level(log)
    total = log.traffic.decisions.sum()
    found = []
    for code, tier in enumerate(log.cells.tiers):
        signals: dict[str, SignalEstimate] = {
            name: tier_quality(log.labels(unit, 0), [code], level) for name, unit in _by_name(log.units).items()
        }
        decisions = log.traffic.decisions[:, code].sum()
        paired = log.traffic.paired_cost_n[:, code].sum()
        found.append(
            TierReport(
                tier=tier,
                decisions=int(decisions),
                share=float(decisions / total) if total > 0 else 0.0,
                cost_usd=float(log.traffic.cost_usd[:, code].sum()) if log.traffic.cost_n[:, code].sum() > 0 else None,
                baseline_cost_usd=float(log.traffic.baseline_cost_usd[:, code].sum()) if paired > 0 else None,
                signals=signals,
                models=_models(log.cells, code),
                latency_ms=tier_latency(log.cells, code),
            )
        )
    return tuple(found)


def _models(cells: AuditCells, tier: int) -> tuple[str, ...]:
    """The models that served a tier, most used first."""
    models = cells.models
    mine = models.take((models.tier == tier) & (models.kind == CHANGE_KINDS.index("model")) & (models.value >= 0))
    totals: dict[int, int] = {}
    for value, n in zip(mine.value.tolist(), mine.decisions.tolist(), strict=True):
        totals[value] = totals.get(value, 0) + n
    return tuple(cells.change_values[v] for v in sorted(totals, key=lambda v: (-totals[v], cells.change_values[v])))


def _warnings(log: _Log, trained: TrainedScores | None) -> list[Alarm]:
    """What warns and steers but proves no harm: judge-only and behavioural evidence, and drift."""
    evidence = gather(log.cells, log.settings, log.periods, alarms=False)
    told = tell_alarms(log.cells, log.settings, log.periods, evidence, 1.0 - log.error / 8 / 4)
    told = [replace(a, monitor="judge") if a.basis == "judge" else a for a in told]
    return sorted([*told, *drift_warnings(log.cells, log.settings, trained)], key=lambda a: a.detected_at)


def _quality_series(log: _Log, main: SignalUnit | None, alarms: Sequence[Alarm]) -> tuple[Series, ...]:
    if main is None:
        return ()
    cells, level = log.cells, log.settings.level
    whole = log.labels(main, 0)
    every = range(len(cells.tiers))
    lines = [quality_series(whole, every, "all tiers", None, WHOLE, main.name, level, cells.bucket_s)]
    lines += [
        quality_series(whole, [code], tier, tier, WHOLE, main.name, level, cells.bucket_s)
        for code, tier in enumerate(cells.tiers)
        if whole.n[:, code].sum() > 0
    ]
    places = list(dict.fromkeys((a.tier, a.segment) for a in alarms if not a.segment.is_whole))[:3]
    for tier, segment in places:
        grid = log.labels(main, cells.segments.index(segment))
        lines.append(
            quality_series(
                grid, [cells.tiers.index(tier)], f"{tier}, {segment}", tier, segment, main.name, level, cells.bucket_s
            )
        )
    return tuple(lines)
