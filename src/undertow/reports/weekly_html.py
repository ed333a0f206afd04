"""The report of a week as one HTML file, in the look of the audit's page: no network, readable without JavaScript."""

from dataclasses import dataclass

from markupsafe import Markup

from undertow.records.weekly import WeekReport
from undertow.reports import figures, words
from undertow.reports.changes import marks
from undertow.reports.page import name, render_page
from undertow.reports.svg.quality import quality_chart
from undertow.reports.weekly import SHOWN_LINES, SHOWN_ROWS, TRENDS, net_words, sections, week_words

WIDE_PX, SLIM_PX = 880, 340
FIRST = ("Alarms", "Warnings of the week", "What was done")
"""Lists before the table: what a reader must act upon."""

LAST = ("What cannot be seen",)


@dataclass(frozen=True, slots=True)
class Fact:
    """One key figure at the top of the page."""

    label: str
    value: str
    detail: str


def week_html(report: WeekReport) -> str:
    """A complete HTML document in one string, to be written as UTF-8."""
    said = words.VERDICTS[report.now.verdict]
    lists = dict(sections(report))
    return render_page(
        "weekly.html.j2",
        (("bare_interval", figures.percent_interval), ("moment", figures.moment)),
        report=report,
        said=said,
        week=week_words(report),
        facts=_facts(report),
        first=[(title, lists[title][:SHOWN_LINES]) for title in FIRST if title in lists],
        last=[(title, lists[title][:SHOWN_LINES]) for title in LAST if title in lists],
        changes=marks(report.now.changes, report.now.period),
        CHANGES=words.CHANGES,
        steps=lists.get("What to do next", [])[:SHOWN_LINES],
        rows=report.qualities[:SHOWN_ROWS],
        trends=TRENDS,
        segment=_segment,
        charts=_charts(report),
    )


def _segment(whole: bool, text: str) -> Markup:
    return Markup("all") if whole else name(text, 40)


def _charts(report: WeekReport) -> tuple[Markup, Markup] | None:
    wide, slim = quality_chart(report.now, WIDE_PX, "week-wide"), quality_chart(report.now, SLIM_PX, "week-slim")
    if wide is None or slim is None:
        return None
    return Markup(wide), Markup(slim)  # noqa: S704  drawn here; every text in it was escaped by the canvas


def _facts(report: WeekReport) -> tuple[Fact, ...]:
    total, before = (sum(getattr(one, week) for one in report.traffic) for week in ("now", "before"))
    capable = report.traffic[-1] if report.traffic else None
    share = None if capable is None or capable.share_now is None else 1.0 - capable.share_now
    was = None if capable is None or capable.share_before is None else 1.0 - capable.share_before
    value, _, detail = (
        net_words(report).partition(" (") if "(" in net_words(report) else net_words(report).partition("; ")
    )
    news = len(report.opened)
    done = report.reviewing
    agreed = "" if done.agreement is None else f"; agreement {done.agreement:.2f}"
    return (
        Fact("Net value a month", value.removesuffix(" a month"), detail.replace(")", "", 1)),
        Fact("Served cheaply", figures.percent(share), f"{figures.percent(was)} the week before; {figures.count(total)} requests, before {figures.count(before)}"),
        Fact("Alarms", f"{figures.count(news)} new", f"{figures.count(len(report.still_open))} open from before; {figures.count(len(report.closed))} over; {figures.plural(len(report.warnings), 'warning')}"),
        Fact("Reviews done", figures.count(done.done), f"{figures.count(done.done_before)} the week before{agreed}"),
    )  # fmt: skip
