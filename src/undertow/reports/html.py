"""The audit as one HTML file: no network, no external font or script, readable without JavaScript.

Untrusted text (names, notes) goes through `names` and Jinja's autoescape; only our own SVG, whose text is escaped where it is
drawn, enters as markup. A content security policy forbids everything else: one inline script, by its hash, switches
between light and dark and can do nothing more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from undertow.records.report import Alarm, AuditReport, LatencyEstimate, LossParts, SegmentReport, Series
from undertow.reports import figures, money, slices, words
from undertow.reports.changes import marks
from undertow.reports.names import clip, plain, segment_name
from undertow.reports.order import worst_first
from undertow.reports.page import kept, name, render_page
from undertow.reports.svg.alarms import alarm_chart
from undertow.reports.svg.confidence import confidence_chart
from undertow.reports.svg.evidence import evidence_chart
from undertow.reports.svg.forest import forest_chart
from undertow.reports.svg.quality import quality_chart
from undertow.reports.svg.share import share_chart
from undertow.reports.svg.waterfall import waterfall_chart

WIDE_PX, SLIM_PX = 880, 340
SHOWN_SEGMENTS = 20
SHOWN_ROWS = 500
"""Rows of a list that the page holds; the JSON report holds all."""
SHOWN_POINTS = 200
_SIGNALS = 24
_TIERS = 24
_CARDS = 24
_OPEN_CARDS = 6
_PARTS = 3


_VOCABULARY: dict[str, Any] = {
    "plural": figures.plural,
    "duration": figures.duration,
    "VERDICTS": words.VERDICTS,
    "STATES": words.STATES,
    "CAUSES": words.CAUSES,
    "BASES": words.BASES,
    "REFERENCES": words.REFERENCES,
    "CHANGES": words.CHANGES,
    "COMPARISONS": words.COMPARISONS,
    "GLOSSARY": words.GLOSSARY,
    "SHOWN_ROWS": SHOWN_ROWS,
    "SHOWN_POINTS": SHOWN_POINTS,
    "slices": slices,
}
"""What the template may use beside the report: words and formats of several arguments."""


def render_html(report: AuditReport) -> str:
    """The page.

    Args:
        report: The audit.

    Returns:
        A complete HTML document in one string, to be written as UTF-8.
    """
    title = plain(words.VERDICTS[report.verdict].title)
    return render_page("report.html.j2", PAGE_FILTERS, title=title, **section_values(report))


def section_values(report: AuditReport) -> dict[str, Any]:
    """What the sections of an audit's page (`section_*.html.j2`) are made from, charts drawn.

    Args:
        report: The audit.
    """
    return {"report": report, **_VOCABULARY, **_view(report)}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in both widths, or nothing to draw."""

    wide: Markup
    slim: Markup


@dataclass(frozen=True, slots=True)
class Fact:
    """One key figure at the top of the page."""

    label: str
    value: str
    detail: str


def _bare(text: str) -> str:
    """A loss without its unit, for columns that name it in their heading."""
    return text.removesuffix("points").rstrip()


def _segment(segment: Any, columns: int = 48) -> Markup:
    return name("whole tier" if segment.is_whole else f"{segment.key}={segment.value}", columns)


def _series_name(series: Series) -> Markup:
    if series.tier is None:
        return Markup("all tiers")
    if series.segment.is_whole:
        return name(series.tier, 28)
    return Markup("{}, {}").format(name(series.tier, 20), _segment(series.segment, 32))


PAGE_FILTERS = (
    ("points", kept(figures.points)),
    ("usd_interval", figures.usd_interval),
    ("points_interval", figures.points_interval),
    ("milliseconds", kept(figures.milliseconds)),
    ("level", kept(figures.level)),
    ("evidence", figures.evidence),
    ("moment", figures.moment),
    ("moments", figures.moments),
    ("monitor", words.monitor_words),
    ("alarm_kind", words.alarm_kind),
    ("segment", _segment),
    ("series", _series_name),
    ("sentence", words.sentence),
    ("bare", _bare),
)
"""What templates about an audit may pass values through, beside the filters of all pages."""


def _both(draw: Callable[[float, str], str | None], ident: str) -> Chart | None:
    wide, slim = draw(WIDE_PX, f"{ident}-wide"), draw(SLIM_PX, f"{ident}-slim")
    if wide is None or slim is None:
        return None
    return Chart(Markup(wide), Markup(slim))  # noqa: S704  drawn here; every text in it was escaped by the canvas


def _view(report: AuditReport) -> dict[str, Any]:
    """Everything the template needs beside the report: charts, orders and the key figures."""
    ordered = worst_first(report.segments)
    top = ordered[:SHOWN_SEGMENTS]
    several_tiers = len({segment.tier for segment in ordered}) > 1
    margin = report.settings.segment_margin
    return {
        "said": words.VERDICTS[report.verdict],
        "facts": facts_of(report),
        "quality": _both(lambda w, i: quality_chart(report, w, i), "quality"),
        "forest": _both(lambda w, i: forest_chart(top, margin, w, i, with_tier=several_tiers), "forest"),
        "waterfall": _both(lambda w, i: waterfall_chart(report.ledger, w, i), "waterfall"),
        "confidence": _both(lambda w, i: confidence_chart(report.confidence, w, i), "confidence"),
        "timeline": _both(lambda w, i: alarm_chart(report, w, i), "timeline"),
        "share": _both(lambda w, i: share_chart(report, w, i), "share"),
        "evidence": _both(lambda w, i: evidence_chart(report, w, i), "evidence"),
        "ordered": ordered,
        "shown_segments": SHOWN_SEGMENTS,
        "steps": money.steps(report.ledger),
        "inside": money.inside(report.ledger),
        "avoided": money.avoided(report.ledger),
        "changes": marks(report.changes, report.period),
        "signals": _signal_order(report),
        "tiers": report.tiers[:_TIERS],
        "waits": _waits(report),
        "alarms": report.alarms[:_CARDS],
        "warnings": report.warnings[:_CARDS],
        "pivot": _pivot,
        "loss_parts": _loss_parts,
        "open_cards": _OPEN_CARDS,
    }


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of a rise of failures, with the width of its bar in per cent of the longest; `is_part`: it is a part of the row above."""

    label: Markup
    value: float
    interval: tuple[float, float]
    width: float
    tone: str
    is_part: bool


def _loss_parts(divided: LossParts) -> list[PartRow]:
    """What happened inside segments, the largest of them below it, and what traffic that moved made; bars to one scale."""
    few = Markup("segments with few labels")
    shown = [part for part in divided.segments if part.value > 0][:_PARTS]
    inside = Markup("inside segments of {}").format(name(divided.key, 24))
    rows = [(inside, divided.within, divided.within_interval, "inside", False)]
    rows += [
        (few if p.segment is None else _segment(p.segment, 32), p.value, p.interval, "inside", True) for p in shown
    ]
    rows.append((Markup("traffic that moved between them"), divided.mix, divided.mix_interval, "moved", False))
    longest = max(abs(value) for _, value, _, _, _ in rows) or 1.0
    return [
        PartRow(label, value, interval, round(max(100 * value / longest, 0.0), 1), tone, is_part)
        for label, value, interval, tone, is_part in rows
    ]


def facts_of(report: AuditReport) -> tuple[Fact, ...]:
    """The key figures of an audit: net value, largest loss, first alarm, labels."""
    ordered = worst_first(report.segments)
    return (_net_fact(report), _loss_fact(ordered), _alarm_fact(report), _label_fact(report))


def _net_fact(report: AuditReport) -> Fact:
    ledger = report.ledger
    if ledger.net_usd_month is None and ledger.savings_usd_month is not None:
        detail = "net value not known: what quality costs downstream is missing"
        return Fact("Saved a month", figures.usd(ledger.savings_usd_month), detail)
    if ledger.net_usd_month is None:
        return Fact("Net value a month", "not known", "no costs to compare in this log")
    detail = figures.usd_interval(ledger.interval) if ledger.interval is not None else "no interval"
    if ledger.downstream_usd_month is None:
        detail += "; without downstream cost"
    return Fact("Net value a month", figures.usd(ledger.net_usd_month, plus=True), detail)


def _loss_fact(ordered: Sequence[SegmentReport]) -> Fact:
    beyond = next((one for one in ordered if one.state == "beyond" and one.loss is not None), None)
    if beyond is not None:
        where = f"{clip(beyond.tier, 20)}, {segment_name(beyond.segment, 28)}"
        return Fact("Largest loss shown", figures.points(beyond.loss), where)
    bounds = [(one.interval[1], one) for one in ordered if one.interval is not None and one.state in {"open", "inside"}]
    if not bounds:
        return Fact("Largest loss shown", "not known", "no labels to compare")
    worst, one = max(bounds, key=lambda pair: pair[0])
    where = f"{clip(one.tier, 20)}, {segment_name(one.segment, 28)}"
    return Fact("Loss not ruled out", f"up to {figures.points(worst)}", where)


def _alarm_fact(report: AuditReport) -> Fact:
    if not report.alarms:
        days = (report.period[1] - report.period[0]).total_seconds()
        return Fact("First alarm", "none", f"in {figures.duration(days)} of traffic")
    first: Alarm = report.alarms[0]
    detail = f"{figures.plural(len(report.alarms), 'alarm')} in all"
    if first.onset is not None and first.onset <= first.detected_at:
        detail = f"{figures.duration((first.detected_at - first.onset).total_seconds())} after onset; {detail}"
    return Fact("First alarm", figures.moment(first.detected_at), detail)


def _label_fact(report: AuditReport) -> Fact:
    seen = report.coverage
    return Fact(
        "Signals joined",
        figures.count(seen.joined),
        f"of {figures.count(seen.signals)}, to {figures.count(seen.decisions)} decisions",
    )


def _signal_order(report: AuditReport) -> list[str]:
    names = list(dict.fromkeys([*report.aggregate.signals, *(name for tier in report.tiers for name in tier.signals)]))
    names.sort(key=lambda name: name != report.main_signal)
    return names[:_SIGNALS]


def _waits(report: AuditReport) -> list[tuple[str, str, LatencyEstimate]]:
    """Tier, the way, and how long that took; nothing where no request was escalated or skipped."""
    known = [(tier.tier, tier.latency_ms) for tier in report.tiers[:_TIERS] if tier.latency_ms is not None]
    if not any(latency.is_compared for _, latency in known):
        return []
    return [(tier, way, estimate) for tier, latency in known for way, estimate in latency.ways]


def _pivot(series: Sequence[Series]) -> list[tuple[Any, list[Any]]]:
    """Rows of a data table: a time and one point (or None) for each line, latest last."""
    lines = [{point.at: point for point in one.points} for one in series]
    times = sorted({at for line in lines for at in line})[-SHOWN_POINTS:]
    return [(at, [line.get(at) for line in lines]) for at in times]
