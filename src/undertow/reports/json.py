"""The audit as JSON: the contract `undertow.audit/1` (docs/reference/json.md, `schema/audit-1.schema.json`).

Other people's scripts read this, so keys are never renamed, dropped or reordered; new keys go to the end of their object.
Absent is null. A number that is not finite is not a number to a JSON reader and becomes null too; an interval with such
an end becomes null as a whole, since half an interval claims more than is known.

The text is laid out one entry a line, so that it can be read and searched without a tool.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from undertow.records.cells import Coverage
from undertow.records.report import (
    Aggregate,
    Alarm,
    AnchoredReport,
    AuditReport,
    AuditSettings,
    Change,
    Histogram,
    Interval,
    LatencyEstimate,
    Ledger,
    LedgerItem,
    ReferenceReport,
    SegmentPart,
    SegmentReport,
    Series,
    SignalEstimate,
    SliceReport,
    TierLatency,
    TierReport,
)

SCHEMA = "undertow.audit/1"


def to_json(report: AuditReport) -> bytes:
    """The report as UTF-8 JSON in the contract `undertow.audit/1`, ending with a newline.

    Args:
        report: The audit. Its times must be aware; they are written in UTC.

    Returns:
        One JSON object. Keys stand in the contract's order; top-level keys, and the entries of top-level lists, each
        have a line of their own.

    Raises:
        ValueError: a time in the report is naive.
    """
    return _lay_out(to_document(report)).encode("utf-8", errors="replace")


def to_document(report: AuditReport) -> dict[str, Any]:
    """The same as plain dicts, lists, strings and finite numbers, in the contract's key order."""
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "period": _period(report.period),
        "settings": _settings(report.settings),
        "reference": _reference(report.reference),
        "coverage": _coverage(report.coverage),
        "aggregate": _aggregate(report.aggregate),
        "tiers": [_tier(tier) for tier in report.tiers],
        "alarms": [_alarm(alarm) for alarm in report.alarms],
        "warnings": [_alarm(warning) for warning in report.warnings],
        "segments": [_segment(segment) for segment in report.segments],
        "ledger": _ledger(report.ledger),
        "next": [_text(step) for step in report.next],
        "headline": _text(report.headline),
        "reasons": [_text(reason) for reason in report.reasons],
        "main_signal": None if report.main_signal is None else _text(report.main_signal),
        "alarm_line": _number(report.alarm_line),
        "suspects": [_segment(segment) for segment in report.suspects],
        "anchored": [_anchored(row) for row in report.anchored],
        "changes": [_change(change) for change in report.changes],
        "confidence": None if report.confidence is None else _histogram(report.confidence),
        "series": {
            "quality": [_series(series) for series in report.quality_series],
            "share": [_series(series) for series in report.share_series],
            "evidence": [_series(series) for series in report.evidence_series],
        },
        "slices": [_slice(row) for row in report.slices],
    }


def rfc3339(at: datetime) -> str:
    """A time in UTC with `Z`, milliseconds only where there are any.

    Examples:
        >>> rfc3339(datetime(2026, 3, 11, tzinfo=UTC)), rfc3339(datetime(2026, 3, 11, 9, 30, 0, 250_000, tzinfo=UTC))
        ('2026-03-11T00:00:00Z', '2026-03-11T09:30:00.250Z')
    """
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone reached the JSON report: {at!r}; times in records are aware, in UTC")
    utc = at.astimezone(UTC)
    # Rounded down, never up: `detected_at` must not point past the data that sufficed.
    milliseconds = utc.microsecond // 1000
    text = utc.replace(tzinfo=None, microsecond=0).isoformat()
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(value) + 0.0  # -0.0 becomes 0.0


def _count(value: float) -> int | float:
    """Counts are whole where they can be; a label shared between tiers counts in fractions."""
    return int(value) if float(value).is_integer() else float(value)


def _interval(interval: Interval | None) -> list[float] | None:
    if interval is None or not all(math.isfinite(end) for end in interval):
        return None
    return [float(end) + 0.0 for end in interval]


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def _text(text: str) -> str:
    """Lone surrogates, which no UTF-8 reader accepts, become U+FFFD; everything else stays as it was logged."""
    return text.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace")


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in labels.items()}


def _period(period: tuple[datetime, datetime]) -> dict[str, Any]:
    return {"from": rfc3339(period[0]), "to": rfc3339(period[1])}


def _settings(settings: AuditSettings) -> dict[str, Any]:
    return {
        "alpha": _number(settings.alpha),
        "margin": _number(settings.margin),
        "horizon_days": settings.horizon_days,
        "level": _number(settings.level),
        "segment_margin": _number(settings.segment_margin),
        "min_share": _number(settings.min_share),
        "baseline_until": _time(settings.baseline_until),
        "trust_judge": settings.trust_judge,
        "review_usd": _number(settings.review_usd),
    }


def _reference(reference: ReferenceReport) -> dict[str, Any]:
    return {"kind": reference.kind, "causal": reference.causal, "note": _text(reference.note)}


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "decisions": _count(coverage.decisions),
        "signals": _count(coverage.signals),
        "joined": _count(coverage.joined),
        "unjoined": _count(coverage.unjoined),
        "duplicates": _count(coverage.duplicates),
        "rejected": _count(coverage.rejected),
        "reasons": {_text(reason): _count(n) for reason, n in coverage.reasons.items()},
        "missing_columns": [_text(column) for column in coverage.missing_columns],
        "notes": [_text(note) for note in coverage.notes],
        "tier_source": coverage.tier_source,
        "rejects_file": None if coverage.rejects_file is None else _text(coverage.rejects_file),
    }


def _signals(signals: Mapping[str, SignalEstimate]) -> dict[str, Any]:
    return {
        _text(name): {"n": _count(estimate.n), "mean": _number(estimate.mean), "interval": _interval(estimate.interval)}
        for name, estimate in signals.items()
    }


def _aggregate(aggregate: Aggregate) -> dict[str, Any]:
    return {
        "decisions": _count(aggregate.decisions),
        "cost_usd": _number(aggregate.cost_usd),
        "signals": _signals(aggregate.signals),
    }


def _tier(tier: TierReport) -> dict[str, Any]:
    return {
        "tier": _text(tier.tier),
        "decisions": _count(tier.decisions),
        "share": _number(tier.share),
        "cost_usd": _number(tier.cost_usd),
        "baseline_cost_usd": _number(tier.baseline_cost_usd),
        "signals": _signals(tier.signals),
        "models": [_text(model) for model in tier.models],
        "latency_ms": None if tier.latency_ms is None else _latency(tier.latency_ms),
    }


def _latency(latency: TierLatency) -> dict[str, Any]:
    return {
        "escalated": _quantiles(latency.escalated),
        "direct": _quantiles(latency.direct),
        "skipped": None if latency.skipped is None else _quantiles(latency.skipped),
    }


def _quantiles(estimate: LatencyEstimate) -> dict[str, Any]:
    return {"p50": _number(estimate.p50), "p95": _number(estimate.p95), "n": _count(estimate.n)}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "monitor": _text(alarm.monitor),
        "signal": _text(alarm.signal),
        "tier": _text(alarm.tier),
        "segment": _labels(alarm.segment.as_dict()),
        "cause": alarm.cause,
        "basis": alarm.basis,
        "detected_at": rfc3339(alarm.detected_at),
        "onset": _time(alarm.onset),
        "onset_interval": None if alarm.onset_interval is None else [rfc3339(at) for at in alarm.onset_interval],
        "loss": _number(alarm.loss),
        "interval": _interval(alarm.interval),
        "evidence": _number(alarm.evidence),
        "kind": alarm.kind,
        "beyond_margin": alarm.beyond_margin,
        "latest_loss": _number(alarm.latest_loss),
        "latest_interval": _interval(alarm.latest_interval),
        "note": _text(alarm.note),
        "changed_nearby": [_text(change) for change in alarm.changed_nearby],
        "mix_part": None if alarm.parts is None else _number(alarm.parts.mix),
        "mix_interval": None if alarm.parts is None else _interval(alarm.parts.mix_interval),
        "within_part": None if alarm.parts is None else _number(alarm.parts.within),
        "within_interval": None if alarm.parts is None else _interval(alarm.parts.within_interval),
        "within_segments": [] if alarm.parts is None else [_part(part) for part in alarm.parts.segments],
        "incidents": [_text(incident) for incident in alarm.incidents],
        "story": _text(alarm.story),
    }


def _slice(row: SliceReport) -> dict[str, Any]:
    return {
        "tier": _text(row.tier),
        "signal": _text(row.signal),
        "segments": [_labels(segment.as_dict()) for segment in row.segments],
        "topics": [_text(topic) for topic in row.topics],
        "words": [_text(word) for word in row.words],
        "examples": [_text(example) for example in row.examples],
        "share": _number(row.share),
        "share_before": _number(row.share_before),
        "failure_rate": _number(row.failures),
        "interval": _interval(row.interval),
        "failure_rate_before": _number(row.failures_before),
        "rest_failure_rate": _number(row.rest),
        "rest_interval": _interval(row.rest_interval),
        "part_of_failures": _number(row.part_of_failures),
        "part_of_failures_before": _number(row.part_before),
        "n": _count(row.n),
        "evidence": _number(row.evidence),
        "contrast": row.contrast,
        "since": rfc3339(row.since),
    }


def _anchored(row: AnchoredReport) -> dict[str, Any]:
    return {
        "tier": _text(row.tier),
        "segment": _labels(row.segment.as_dict()),
        "signal": _text(row.signal),
        "judge": _text(row.judge),
        "loss": _number(row.loss),
        "interval": _interval(row.interval),
        "human_interval": _interval(row.human_interval),
        "judge_loss": _number(row.judge_loss),
        "labelled": _count(row.labelled),
        "judged": _count(row.judged),
        "worth": _number(row.worth),
    }


def _part(part: SegmentPart) -> dict[str, Any]:
    return {
        "segment": None if part.segment is None else _labels(part.segment.as_dict()),
        "value": _number(part.value),
        "interval": _interval(part.interval),
    }


def _segment(segment: SegmentReport) -> dict[str, Any]:
    return {
        "tier": _text(segment.tier),
        "segment": _labels(segment.segment.as_dict()),
        "share": _number(segment.share),
        "signal": _text(segment.signal),
        "n": _count(segment.n),
        "loss": _number(segment.loss),
        "interval": _interval(segment.interval),
        "quality": _number(segment.quality),
        "reference_quality": _number(segment.reference_quality),
        "reference_n": None if segment.reference_n is None else _count(segment.reference_n),
        "state": segment.state,
    }


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "savings_usd_month": _number(ledger.savings_usd_month),
        "watching_usd_month": _number(ledger.watching_usd_month),
        "downstream_usd_month": _number(ledger.downstream_usd_month),
        "net_usd_month": _number(ledger.net_usd_month),
        "interval": _interval(ledger.interval),
        "items": [_item(item) for item in ledger.items],
        "since": _time(ledger.since),
        "note": _text(ledger.note),
    }


def _item(item: LedgerItem) -> dict[str, Any]:
    return {
        "name": _text(item.name),
        "kind": item.kind,
        "tier": None if item.tier is None else _text(item.tier),
        "usd_month": _number(item.usd_month),
        "interval": _interval(item.interval),
        "causal": item.causal,
        "note": _text(item.note),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "at": rfc3339(change.at),
        "kind": change.kind,
        "tier": None if change.tier is None else _text(change.tier),
        "value": _text(change.value),
        "before": _text(change.before),
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {
        "column": histogram.column,
        "edges": [_number(edge) for edge in histogram.edges],
        "baseline": [_number(share) for share in histogram.baseline],
        "now": [_number(share) for share in histogram.now],
        "baseline_period": _period(histogram.baseline_period),
        "now_period": _period(histogram.now_period),
        "psi": _number(histogram.psi),
        "wasserstein": _number(histogram.wasserstein),
    }


def _series(series: Series) -> dict[str, Any]:
    return {
        "name": _text(series.name),
        "tier": None if series.tier is None else _text(series.tier),
        "segment": _labels(series.segment.as_dict()),
        "signal": None if series.signal is None else _text(series.signal),
        "points": [
            {
                "at": rfc3339(point.at),
                "n": _count(point.n) if math.isfinite(point.n) else None,
                "mean": _number(point.mean),
                "interval": _interval(point.interval),
            }
            for point in series.points
        ],
    }


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _block(opening: str, entries: Iterable[str], closing: str, indent: str) -> str:
    lines = list(entries)
    if not lines:
        return opening + closing
    return f"{opening}\n{indent}" + f",\n{indent}".join(lines) + f"{closing}"


def _lay_out(document: Mapping[str, Any]) -> str:
    """One top-level key a line; lists and objects of objects one entry a line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict | str):
            text = _block("[", map(_encode, value), "]", "    ")
        elif isinstance(value, dict) and any(isinstance(part, dict | list) for part in value.values()):
            text = _block("{", (f"{_encode(name)}: {_encode(part)}" for name, part in value.items()), "}", "    ")
        else:
            text = _encode(value)
        lines.append(f"{_encode(key)}: {text}")
    return _block("{", lines, "}\n", "  ")
