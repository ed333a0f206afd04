"""Drift: what goes in and comes out, then and now, before anybody has judged an answer."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import Chart, both, csv_response
from undertow.dashboard.pages import as_of, page, report_of, ui_of
from undertow.dashboard.places import Place, cells_of, place_of
from undertow.records.cells import AuditCells
from undertow.records.report import AuditReport, Histogram, Series
from undertow.reports import figures
from undertow.reports.changes import marks
from undertow.reports.html import section_values
from undertow.reports.names import clip
from undertow.reports.svg.confidence import confidence_chart
from undertow.reports.svg.lines import Line, Lines, lines_chart
from undertow.reports.svg.palette import tier_class
from undertow.reports.svg.shapes import Shapes, shapes_chart
from undertow.services.confidence_histogram import confidence_histogram
from undertow.services.drift_lines import novelty_histogram, rate_line, score_tenths, share_lines

MOST_LINES = 7
DAY_HEIGHT = 220.0
SHOWN_DAYS = 400

Drawn = tuple[
    Histogram | None, tuple[float, ...] | None, Histogram | None, Series | None, Series | None, tuple[Series, ...]
]


def drawn_of(cells: AuditCells, place: Place) -> Drawn:
    """Confidence then and now, scores by tenths of the calibration's, novelty then and now and over time, escalations, shares."""
    tier, segment = place.tier, place.segment
    return (
        confidence_histogram(cells, tier, segment),
        score_tenths(cells, tier, segment),
        novelty_histogram(cells, tier, segment),
        rate_line(cells, "novelty", tier, segment),
        rate_line(cells, "escalations", None, segment),
        share_lines(cells, segment),
    )


def drift(request: Request) -> Response:
    """`/ui/drift`."""
    report, cells, ui = report_of(request), cells_of(request), ui_of(request)
    if report is None or cells is None:
        return page(request, "waiting.html.j2")
    place = place_of(request, cells)
    key = ("drift", as_of(request), place.tier, place.segment)
    confidence, tenths, novelty, novel, escalated, shares = ui.kept.of(ui.log.seen, key, lambda: drawn_of(cells, place))
    lines = [each for each in (novel, escalated, *shares) if each is not None]
    match request.query_params.get("format"), request.query_params.get("what"):
        case "csv", "days":
            return csv_response(
                "undertow-drift-days", ("at", "quantity", "tier", "segment", "value", "decisions"), _day_rows(lines)
            )
        case "csv", _:
            return csv_response("undertow-drift", ("at", "monitor", "tier", "segment", "note"), drift_rows(report))
    values = section_values(report) | {
        "place": place,
        "offered": {each.value for each in place.segments},
        "confidence": both(lambda w, i: confidence_chart(confidence, w, i), "confidence"),
        "histogram": confidence,
        "tenths": both(lambda w, i: tenths_chart(tenths, w, i), "tenths"),
        "tenth_shares": tenths,
        "novelty": both(lambda w, i: novelty_chart(novelty, w, i), "novelty"),
        "novelty_histogram": novelty,
        "novel": _over_time(report, "Mean novelty per day", [] if novel is None else [(novel, "novelty", "c-cheap")], is_share=False),
        "escalated": _over_time(report, "Share of requests escalated per day", [] if escalated is None else [(escalated, "escalated", "c-cheap")]),
        "share": _over_time(
            report,
            "Share of requests per tier and day",
            [(each, clip(each.tier or "", 20), tier_class(each.tier, cells.tiers)) for each in shares[:MOST_LINES]],
            is_whole=True,
        ),
        "changes": marks(report.changes, report.period),
        "table": lines[: MOST_LINES + 2],
        "rows": _pivot(lines[: MOST_LINES + 2]),
    }  # fmt: skip
    return page(request, "drift.html.j2", **values)


def _over_time(
    report: AuditReport,
    title: str,
    given: Sequence[tuple[Series, str, str]],
    *,
    is_share: bool = True,
    is_whole: bool = False,
) -> Chart | None:
    what = Lines(
        title,
        tuple(Line(*each) for each in given),
        (lambda value: f"{value * 100:.3g} %") if is_share else (lambda value: f"{value:.3g}"),
        range=(0.0, 1.0) if is_whole else None,
        most=1.0 if is_share else float("inf"),
        marks=marks(report.changes, report.period),
        is_banded=False,
        height=DAY_HEIGHT,
    )
    ident = title.split(" per ", maxsplit=1)[0].replace(" ", "-").lower()
    return both(lambda width, part: lines_chart(what, width, part), ident)


def tenths_chart(shares: Sequence[float] | None, width: float, ident: str) -> str | None:
    """Shares of the scores now in each tenth of those that the calibration was fitted on. None without any."""
    if shares is None:
        return None
    what = Shapes(
        "Scores now, by tenths of those at calibration",
        "A tenth each at calibration; now, from the lowest: " + ", ".join(map(figures.percent, shares)) + ".",
        tuple(range(len(shares) + 1)),
        (1.0 / len(shares),) * len(shares),
        tuple(shares),
        "at calibration: a tenth each",
        "now",
        "tenths of the scores at calibration",
    )
    return shapes_chart(what, width, ident)


def novelty_chart(histogram: Histogram | None, width: float, ident: str) -> str | None:
    """Novelty then and now. None without any."""
    if histogram is None:
        return None
    then, now = figures.moments(histogram.baseline_period), figures.moments(histogram.now_period)
    what = Shapes(
        "Distribution of novelty, baseline and now",
        f"Share of decisions per bin of novelty, {then} against {now}.",
        histogram.edges,
        histogram.baseline,
        histogram.now,
        f"baseline, {then}",
        f"now, {now}",
        "novelty",
        lambda value: "∞" if value >= 1.0 else f"{value / (1.0 - value):.2g}",
    )
    return shapes_chart(what, width, ident)


def drift_rows(report: AuditReport) -> list[tuple[object, ...]]:
    """Drift warnings, latest last."""
    return [
        (each.detected_at.isoformat(), each.monitor, each.tier, str(each.segment), each.note)
        for each in sorted(report.warnings, key=lambda each: each.detected_at)
    ]


def _day_rows(lines: Sequence[Series]) -> list[tuple[object, ...]]:
    return [
        (point.at.isoformat(), each.name, each.tier, str(each.segment), point.mean, point.n)
        for each in lines
        for point in each.points
    ]


def _pivot(lines: Sequence[Series]) -> list[tuple[str, list[float | None]]]:
    """A day, and each line's value then; the latest last."""
    by = [{point.at: point.mean for point in line.points} for line in lines]
    times = sorted({at for line in by for at in line})[-SHOWN_DAYS:]
    return [(figures.moment(at), [line.get(at) for line in by]) for at in times]


ROUTES = (Route("/drift", drift, name="drift"),)
