"""Every tier in every segment: state, loss and interval; sorted, searched, and drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import both, csv_response
from undertow.dashboard.links import decisions_link, place_link
from undertow.dashboard.pages import page, report_of
from undertow.errors import UsageError
from undertow.records.report import AuditReport, SegmentReport
from undertow.reports import words
from undertow.reports.html import section_values
from undertow.reports.order import worst_first
from undertow.reports.svg.forest import forest_chart

PER_PAGE = 100
DRAWN = 20
MATRIX_ROWS = 24
LEFT_OUT = "segment keys"
"""Stands in notes on what of the log's segments was not looked at."""
LEAST = float("-inf")

SORTS: dict[str, Callable[[SegmentReport], object]] = {
    "tier": lambda each: each.tier,
    "segment": lambda each: str(each.segment),
    "loss": lambda each: LEAST if each.loss is None else each.loss,
    "interval": lambda each: LEAST if each.interval is None else each.interval[1],
    "quality": lambda each: LEAST if each.quality is None else each.quality,
    "reference": lambda each: LEAST if each.reference_quality is None else each.reference_quality,
    "share": lambda each: each.share,
    "labels": lambda each: each.n,
}
"""By what a table may be sorted (an interval by its worse end); without any the worst comes first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the segments is shown.

    Attributes:
        sort: One of `SORTS`, `-` before it for descending; empty: the worst first.
        query: Text that the tier or the segment holds; empty: any.
        state: One of the states; empty: any.
        number: Page, from 1.
        tier: One of the tiers; empty: any.
    """

    sort: str = ""
    query: str = ""
    state: str = ""
    number: int = 1
    tier: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for beside the page."""
        return bool(self.sort or self.query or self.state or self.tier)

    def of(self, segments: Sequence[SegmentReport]) -> list[SegmentReport]:
        """The segments that are shown, on all pages, in their order.

        Raises:
            UsageError: They cannot be sorted by that, or there is no such state.
        """
        if self.state and self.state not in words.STATES:
            raise UsageError(f"state: expected one of {', '.join(words.STATES)}")
        wanted = self.query.casefold()
        found = [
            each
            for each in worst_first(segments)
            if wanted in f"{each.tier} {each.segment}".casefold()
            and self.state in {"", each.state}
            and self.tier in {"", each.tier}
        ]
        if not self.sort:
            return found
        by = SORTS.get(self.sort.removeprefix("-"))
        if by is None:
            raise UsageError(f"sort: expected one of {', '.join(SORTS)}, or one with - before it")
        return sorted(found, key=by, reverse=self.sort.startswith("-"))  # type: ignore[arg-type]


def choice_of(request: Request) -> Choice:
    """What the address asks for.

    Raises:
        UsageError: The page is no number.
    """
    given = request.query_params
    try:
        number = max(1, int(given.get("page", "1")[:9]))
    except ValueError:
        raise UsageError("page: expected a number from 1") from None
    return Choice(
        given.get("sort", "")[:20], given.get("q", "")[:200], given.get("state", "")[:20], number, given.get("tier", "")
    )


def segments(request: Request) -> Response:
    """`/ui/segments`."""
    report = report_of(request)
    if report is None:
        return page(request, "waiting.html.j2")
    choice = choice_of(request)
    found = choice.of(report.segments)
    if request.query_params.get("format") == "csv":
        return csv_response("undertow-segments", HEADING, [row_of(each) for each in found])
    pages = -(-len(found) // PER_PAGE)
    number = min(choice.number, max(1, pages))
    begin = (number - 1) * PER_PAGE
    shown, tiers = found[begin : begin + PER_PAGE], sorted({each.tier for each in report.segments})
    values = section_values(report) | {
        "forest": both(lambda w, i: forest_chart(shown[:DRAWN], report.settings.segment_margin, w, i, with_tier=len(tiers) > 1), "forest"),
        "choice": choice, "number": number, "rows": shown, "found": len(found), "all": len(report.segments), "pages": pages,
        "drawn": min(len(shown), DRAWN), "matrix": matrix_of(report), "choosable": tiers[:100],
        "left_out": [note for note in report.coverage.notes if LEFT_OUT in note],
        "place_link": place_link, "decisions_link": decisions_link,
    }  # fmt: skip
    return page(request, "segments.html.j2", **values)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Tier by segment.

    Attributes:
        tiers: Columns.
        rows: A segment and its report of each tier, or None; the worst first.
        left_out: Segments that are not shown.
    """

    tiers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[SegmentReport | None, ...]], ...]
    left_out: int


def matrix_of(report: AuditReport) -> Matrix:
    """The worst few dozen segments, each with what every tier does in it."""
    ordered = worst_first(report.segments)
    tiers = tuple(dict.fromkeys(tier.tier for tier in report.tiers if any(each.tier == tier.tier for each in ordered)))
    places = list(dict.fromkeys(each.segment for each in ordered))
    by = {(each.segment, each.tier): each for each in ordered}
    rows = ((str(place), tuple(by.get((place, tier)) for tier in tiers)) for place in places[:MATRIX_ROWS])
    return Matrix(tiers, tuple(rows), max(0, len(places) - MATRIX_ROWS))


HEADING = ("tier", "segment", "state", "loss", "low", "high", "quality", "reference_quality", "share", "labels")


def row_of(each: SegmentReport) -> tuple[object, ...]:
    """A segment as a row of CSV."""
    low, high = each.interval or (None, None)
    return (
        each.tier, str(each.segment), each.state, each.loss, low, high, each.quality, each.reference_quality, each.share, each.n,
    )  # fmt: skip


ROUTES = (Route("/segments", segments, name="segments"),)
