"""Views that show a section of the audit's page as it is: drift, ledger, data."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import csv_response
from undertow.dashboard.pages import page, report_of
from undertow.records.report import AuditReport
from undertow.reports import money
from undertow.reports.html import section_values

Rows = list[tuple[object, ...]]


def _view(template: str, name: str, heading: tuple[str, ...], rows: Callable[[AuditReport], Rows]) -> Callable[[Request], Response]:  # fmt: skip
    def view(request: Request) -> Response:
        report = report_of(request)
        if report is None:
            return page(request, "waiting.html.j2")
        if request.query_params.get("format") == "csv":
            return csv_response(f"undertow-{name}", heading, rows(report))
        return page(request, template, **section_values(report))

    return view


def drift_rows(report: AuditReport) -> Rows:
    """Drift warnings, latest last."""
    return [
        (each.detected_at.isoformat(), each.monitor, each.tier, str(each.segment), each.note)
        for each in sorted(report.warnings, key=lambda each: each.detected_at)
    ]


def ledger_rows(report: AuditReport) -> Rows:
    """Lines of the ledger, as the waterfall has them, and the net value."""
    lines: Rows = [
        (each.label, each.kind, each.tier, each.usd_month, *(each.interval or (None, None)), each.causal, each.note)
        for each in money.steps(report.ledger)
    ]
    net = report.ledger
    return [*lines, ("net value", "net", None, net.net_usd_month, *(net.interval or (None, None)), None, net.note)]


def data_rows(report: AuditReport) -> Rows:
    """Rows that were not used as given, by reason."""
    reasons = report.coverage.reasons
    return [(reason, reasons[reason]) for reason in sorted(reasons, key=lambda reason: -reasons[reason])]


ROUTES = (
    Route("/drift", _view("drift.html.j2", "drift", ("at", "monitor", "tier", "segment", "note"), drift_rows), name="drift"),
    Route(
        "/ledger",
        _view("ledger.html.j2", "ledger", ("item", "kind", "tier", "usd_month", "low", "high", "causal", "note"), ledger_rows),
        name="ledger",
    ),
    Route("/health", _view("health.html.j2", "data", ("reason", "rows"), data_rows), name="health"),
)  # fmt: skip
