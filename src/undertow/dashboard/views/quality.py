"""Quality over time, as it is known now and as it looked on any earlier day: when was it knowable?"""

from dataclasses import dataclass
from datetime import UTC, date, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import csv_response
from undertow.dashboard.pages import as_of, page, report_of, ui_of
from undertow.records.report import AuditReport
from undertow.reports.html import section_values

STEPS_DAYS = (-28, -7, -1, 1, 7, 28)


@dataclass(frozen=True, slots=True)
class Days:
    """The days that can be looked at.

    Attributes:
        first, last: Of the log.
        shown: Which is shown.
        steps: Days that are a step away, with how far, inside the log.
    """

    first: date
    last: date
    shown: date
    steps: tuple[tuple[int, date], ...]

    @property
    def count(self) -> int:
        """Days from the first to the last."""
        return (self.last - self.first).days

    @property
    def place(self) -> int:
        """Days from the first to the one shown."""
        return (self.shown - self.first).days


def days_of(whole: AuditReport, shown: date | None) -> Days:
    """The days of a log.

    Args:
        whole: Its audit, of all of it.
        shown: The day that is looked at; None: the last.
    """
    first, last = (moment.astimezone(UTC).date() for moment in whole.period)
    here = min(max(shown or last, first), last)
    steps = [(step, here + timedelta(days=step)) for step in STEPS_DAYS]
    return Days(first, last, here, tuple((step, to) for step, to in steps if first <= to <= last))


def quality(request: Request) -> Response:
    """`/ui/quality`."""
    report, seen = report_of(request), ui_of(request).log.seen
    if report is None or seen is None:
        return page(request, "waiting.html.j2")
    if request.query_params.get("format") == "csv":
        return csv_response("undertow-quality", ("at", "tier", "segment", "signal", "mean", "low", "high", "n"), _rows(report))  # fmt: skip
    days = days_of(seen.report, as_of(request))
    return page(request, "quality.html.j2", days=days, **section_values(report))


def _rows(report: AuditReport) -> list[tuple[object, ...]]:
    return [
        (point.at.isoformat(), series.tier, str(series.segment), series.signal, point.mean, *(point.interval or (None, None)), point.n)
        for series in report.quality_series
        for point in series.points
    ]  # fmt: skip


ROUTES = (Route("/quality", quality, name="quality"),)
