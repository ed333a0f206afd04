"""One tier in one segment: its state, how it went over time, its alarms, and the way to its decisions."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.bootstrap.audit import audit_settings
from undertow.dashboard.charts import both, csv_response
from undertow.dashboard.links import decisions_link
from undertow.dashboard.pages import page, report_of, ui_of
from undertow.dashboard.places import cells_of
from undertow.records.report import Alarm, AuditReport, SegmentReport, Series
from undertow.records.segment import WHOLE, Segment
from undertow.reports.html import section_values
from undertow.reports.names import clip
from undertow.reports.svg.quality import quality_chart
from undertow.reports.svg.share import share_chart
from undertow.services.place_series import PlaceSeries, find_segment, place_series

SHOWN_ALARMS = 12


def segment(request: Request) -> Response:
    """`/ui/segments/one?tier=TIER&segment=KEY=VALUE`; without a tier, all tiers in the segment."""
    report, cells = report_of(request), cells_of(request)
    if report is None or cells is None:
        return page(request, "waiting.html.j2")
    tier, text = request.query_params.get("tier", ""), request.query_params.get("segment", "")
    code = find_segment(cells, text)
    if code is None or (tier and tier not in cells.tiers):
        said = f"No request of this log is in the segment {clip(text, 80)}" + (
            f" on tier {clip(tier, 40)}." if tier else "."
        )
        return page(request, "error.html.j2", status=404, title="No such segment", said=said)
    found = place_series(cells, audit_settings(ui_of(request).log.request), code)
    if request.query_params.get("format") == "csv":
        return csv_response("undertow-segment", ("at", "tier", "signal", "mean", "low", "high", "labels"), _rows(found))
    drawn = drawn_report(report, found, tier)
    # The chart of all audits names lines by tier where they are of whole tiers: here they are of this segment alone.
    values = section_values(drawn) | {
        "title": "Segment",
        "report": report,
        "tier": tier,
        "place": found,
        "place_lines": drawn.quality_series,
        "states": [each for each in states_of(report, found.segment) if tier in {"", each.tier}],
        "others": [each for each in states_of(report, found.segment) if tier not in {"", each.tier}],
        "alarms": drawn.alarms[:SHOWN_ALARMS],
        "warnings": [each for each in report.warnings if _is_here(each, tier, found.segment)][:SHOWN_ALARMS],
        "quality": both(lambda width, ident: quality_chart(drawn, width, ident), "quality"),
        "share": both(lambda width, ident: share_chart(drawn, width, ident), "share"),
        "decisions_link": decisions_link,
    }
    return page(request, "segment.html.j2", **values)


def states_of(report: AuditReport, place: Segment) -> list[SegmentReport]:
    """What the audit says of every tier in a segment."""
    return [each for each in report.segments if each.segment == place]


def drawn_report(report: AuditReport, found: PlaceSeries, tier: str) -> AuditReport:
    """The report as charts of one segment take it: its lines as if they were of whole tiers, and its alarms alone."""

    def as_tiers(lines: tuple[Series, ...]) -> tuple[Series, ...]:
        return tuple(replace(line, segment=WHOLE) for line in lines)

    alarms = tuple(each for each in report.alarms if _is_here(each, tier, found.segment))
    return replace(report, quality_series=as_tiers(found.quality), share_series=as_tiers(found.share), alarms=alarms)


def _is_here(alarm: Alarm, tier: str, place: Segment) -> bool:
    return alarm.segment == place and tier in {"", alarm.tier}


def _rows(found: PlaceSeries) -> list[tuple[object, ...]]:
    return [
        (point.at.isoformat(), series.tier, series.signal, point.mean, *(point.interval or (None, None)), point.n)
        for series in found.quality
        for point in series.points
    ]


ROUTES = (Route("/segments/one", segment),)
