"""Two periods side by side: quality of every tier in every segment in each, and what changed, with intervals."""

from datetime import UTC, date, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.bootstrap.audit import audit_settings
from undertow.dashboard.charts import csv_response
from undertow.dashboard.links import place_link
from undertow.dashboard.pages import page, report_of, ui_of
from undertow.dashboard.places import cells_of
from undertow.errors import UsageError
from undertow.records.report import AuditReport
from undertow.reports.names import plain
from undertow.services.compare_periods import DayRange, PeriodComparison, compare_periods

SHOWN = 200
"""Places shown: those with most labels."""

EXPORTED = 100_000
USUAL_DAYS = 28


def compare(request: Request) -> Response:
    """`/ui/segments/compare?a_from=DAY&a_to=DAY&b_from=DAY&b_to=DAY`."""
    report, cells = report_of(request), cells_of(request)
    if report is None or cells is None:
        return page(request, "waiting.html.j2")
    before, after = periods_of(request, report)
    query = request.query_params.get("q", "")[:200]
    wanted = query.casefold()
    is_csv = request.query_params.get("format") == "csv"
    found = compare_periods(
        cells, audit_settings(ui_of(request).log.request), before, after, limit=EXPORTED if is_csv else SHOWN,
        wanted=lambda tier, segment: wanted in f"{tier} {segment}".casefold(),
    )  # fmt: skip
    if is_csv:
        return csv_response("undertow-periods", HEADING, _rows(found))
    return page(
        request, "compare.html.j2", title="Two periods", report=report, found=found,query=query,
        presets=presets(report), place_link=place_link,
    )  # fmt: skip


def periods_of(request: Request, report: AuditReport) -> tuple[DayRange, DayRange]:
    """The periods that the address asks for; by default the last four weeks of the log and the four before them.

    Raises:
        UsageError: A day is none, a period ends before it begins, or the two share a day.
    """
    early, late = usual(report)
    before = DayRange(_day(request, "a_from", early.first), _day(request, "a_to", early.last))
    after = DayRange(_day(request, "b_from", late.first), _day(request, "b_to", late.last))
    for name, days in (("A", before), ("B", after)):
        if days.days < 1:
            raise UsageError(f"period {name} ends on {days.last}, before it begins on {days.first}; swap the two days")
    if before.overlaps(after):
        raise UsageError(
            f"the periods {before} and {after} share days; labels of those would be compared with themselves"
        )
    return before, after


def usual(report: AuditReport) -> tuple[DayRange, DayRange]:
    """The last four weeks and the four before; the halves of a shorter log."""
    first, last = (moment.astimezone(UTC).date() for moment in report.period)
    days = (last - first).days + 1
    length = max(1, min(USUAL_DAYS, days // 2))
    middle = last - timedelta(days=length - 1)
    return DayRange(middle - timedelta(days=length), middle - timedelta(days=1)), DayRange(middle, last)


def presets(report: AuditReport) -> list[tuple[str, dict[str, str]]]:
    """Pairs of periods to choose from: the usual ones, and before and since the onset of the first alarm that has one."""
    first, last = (moment.astimezone(UTC).date() for moment in report.period)
    early, late = usual(report)
    found = [("The latest weeks and those before", early, late)]
    onset = next((each.onset.astimezone(UTC).date() for each in report.alarms if each.onset is not None), None)
    if onset is not None and first < onset <= last:
        found.append((f"Before and since the onset of the first alarm, {onset}", DayRange(first, onset - timedelta(days=1)), DayRange(onset, last)))  # fmt: skip
    return [
        (name, {"a_from": f"{a.first}", "a_to": f"{a.last}", "b_from": f"{b.first}", "b_to": f"{b.last}"})
        for name, a, b in found
    ]


def _day(request: Request, name: str, usually: date) -> date:
    text = request.query_params.get(name, "")
    if not text:
        return usually
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}={plain(text)[:40]!r}: expected a day such as 2026-03-01") from None
    if not 1970 <= day.year <= 2200:
        raise UsageError(f"{name}={day}: expected a day from 1970 to 2200")
    return day


HEADING = (
    "tier", "segment", "state", "before_labels", "before", "before_low", "before_high", "after_labels", "after", "after_low", "after_high", "change",
    "change_low", "change_high",
)  # fmt: skip


def _rows(found: PeriodComparison) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for each in found.places:
        ends = [
            each.before.interval or (None, None),
            each.after.interval or (None, None),
            each.interval or (None, None),
        ]
        rows.append((
            each.tier, str(each.segment), each.state, each.before.n, each.before.mean, *ends[0], each.after.n, each.after.mean, *ends[1],
            each.change, *ends[2],
        ))  # fmt: skip
    return rows


ROUTES = (Route("/segments/compare", compare),)
