"""Views that show a section of the audit's page as it is: how far the data can be trusted."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import csv_response
from undertow.dashboard.pages import page, report_of
from undertow.records.report import AuditReport
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


def data_rows(report: AuditReport) -> Rows:
    """Rows that were not used as given, by reason."""
    reasons = report.coverage.reasons
    return [(reason, reasons[reason]) for reason in sorted(reasons, key=lambda reason: -reasons[reason])]


ROUTES = (
    Route("/health", _view("health.html.j2", "data", ("reason", "rows"), data_rows), name="health"),
)  # fmt: skip
