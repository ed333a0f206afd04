"""The ledger: from savings to the net value, how each amount is known, and where the money comes from and goes to."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.bootstrap.book_view import BookView
from undertow.dashboard.charts import csv_response
from undertow.dashboard.links import decisions_link, place_link
from undertow.dashboard.pages import page, report_of, ui_of
from undertow.dashboard.places import cells_of
from undertow.errors import UsageError
from undertow.records.cells import AuditCells
from undertow.records.money import Book, MoneyLine
from undertow.records.report import AuditReport
from undertow.reports import ledger as book_words
from undertow.reports import money
from undertow.reports.html import section_values

PER_PAGE = 100
TITLES = {"month": "Month", "segment": "Segment", "version": "Policy version", "tier": "Tier"}

SORTS = {
    "requests": lambda line: line.decisions,
    "saved": lambda line: line.savings_usd,
    "downstream": lambda line: line.downstream_usd,
    "net": lambda line: line.net_usd,
}
"""By what the lines of the book may be sorted; what is not known comes last."""


def book_view_of(request: Request) -> BookView:
    """What makes the book of the log; itself made at the first request for one."""
    state = request.app.state
    if not hasattr(state, "book_view"):
        state.book_view = BookView(ui_of(request).log.request)
    found = state.book_view
    assert isinstance(found, BookView)
    return found


def stop_book(app: Starlette) -> None:
    """Give up the book that is being made, if one is."""
    if hasattr(app.state, "book_view"):
        app.state.book_view.stop()


def ledger(request: Request) -> Response:
    """`/ui/ledger`."""
    report, seen = report_of(request), ui_of(request).log.seen
    if report is None or seen is None:
        return page(request, "waiting.html.j2")
    given = request.query_params
    told = book_view_of(request).ask(seen.at)
    if given.get("format") == "csv":
        return _csv(report, told.book if given.get("of") == "book" else None)
    by, sort, query = given.get("by", "month"), given.get("sort", "")[:20], given.get("q", "")[:200]
    if by not in TITLES:
        raise UsageError(f"by: expected one of {', '.join(TITLES)}")
    lines = () if told.book is None else lines_of(told.book, by, query, sort)
    pages = max(1, -(-len(lines) // PER_PAGE))
    number = min(_number(given.get("page", "1")), pages)
    cells = cells_of(request)
    return page(
        request, "ledger.html.j2", told=told, by=by, sort=sort, query=query, titles=TITLES, lines=lines[(number - 1) * PER_PAGE : number * PER_PAGE],
        found=len(lines), number=number, pages=pages, book_words=book_words, place_link=place_link, decisions_link=decisions_link,
        review=() if cells is None else review_months(cells), review_usd_minute=report.settings.review_usd_minute,
        **section_values(report),
    )  # fmt: skip


def lines_of(book: Book, by: str, query: str, sort: str) -> tuple[tuple[str, MoneyLine], ...]:
    """The lines of one list that hold a text, in the order asked for; without one, months by time and others as the book has them.

    Raises:
        UsageError: They cannot be sorted by that.
    """
    wanted = query.casefold()
    found = [each for each in book_words.lines_by(book, by) if wanted in each[0].casefold()]
    if not sort:
        return tuple(found)
    value = SORTS.get(sort.removeprefix("-"))
    if value is None:
        raise UsageError(f"sort: expected one of {', '.join(SORTS)}, or one with - before it")
    known = [each for each in found if value(each[1]) is not None]
    known.sort(key=lambda each: value(each[1]), reverse=sort.startswith("-"))
    return (*known, *(each for each in found if value(each[1]) is None))


@dataclass(frozen=True, slots=True)
class ReviewMonth:
    """What people's time went into reviewing in a month.

    Attributes:
        month: `2026-03`.
        votes: Verdicts.
        timed: Those of which the time is known.
        minutes: What these took.
    """

    month: str
    votes: int = 0
    timed: int = 0
    minutes: float = 0.0


def review_months(cells: AuditCells) -> tuple[ReviewMonth, ...]:
    """Reviewers' time by month, in order of time."""
    found: dict[str, ReviewMonth] = {}
    table = cells.review_time
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for bucket, votes, timed, seconds in zip(
        table.bucket.tolist(), table.votes.tolist(), table.timed.tolist(), table.seconds.tolist(), strict=True
    ):
        month = f"{datetime.fromtimestamp(bucket * cells.bucket_s, UTC):%Y-%m}"
        sums[month] = [total + more for total, more in zip(sums[month], (votes, timed, seconds), strict=True)]
    for month, (votes, timed, seconds) in sums.items():
        found[month] = replace(ReviewMonth(month), votes=int(votes), timed=int(timed), minutes=seconds / 60)
    return tuple(found[month] for month in sorted(found))


def ledger_rows(report: AuditReport) -> list[tuple[object, ...]]:
    """Lines of the ledger, as the waterfall has them, and the net value."""
    lines: list[tuple[object, ...]] = [
        (each.label, each.kind, each.tier, each.usd_month, *(each.interval or (None, None)), each.causal, each.note)
        for each in money.steps(report.ledger)
    ]
    net = report.ledger
    return [*lines, ("net value", "net", None, net.net_usd_month, *(net.interval or (None, None)), None, net.note)]


def _csv(report: AuditReport, book: Book | None) -> Response:
    if book is None:
        return csv_response("undertow-ledger", ("item", "kind", "tier", "usd_month", "low", "high", "causal", "note"), ledger_rows(report))  # fmt: skip
    headers = {"content-disposition": 'attachment; filename="undertow-ledger-lines.csv"'}
    # A lone surrogate cannot be written as UTF-8.
    return Response(
        book_words.book_csv(book).encode("utf-8", "replace"), media_type="text/csv; charset=utf-8", headers=headers
    )


def _number(text: str) -> int:
    try:
        return max(1, int(text[:9]))
    except ValueError:
        raise UsageError("page: expected a number from 1") from None


ROUTES = (Route("/ledger", ledger, name="ledger"),)
