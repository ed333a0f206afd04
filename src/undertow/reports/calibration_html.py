"""A calibration as one HTML file, in the manner of the audit's: no network, no external font or script, readable without JavaScript."""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from undertow.records.calibration_report import CalibrationReport
from undertow.reports import calibration_words as words
from undertow.reports import figures
from undertow.reports.names import plain
from undertow.reports.page import render_page
from undertow.reports.svg.calibration import Named, confidence_bars, reliability_chart, risk_chart

WIDE_PX, SLIM_PX = 880, 340
SHOWN_GROUPS = 9
"""Groups that have panels, the largest first; the table holds `SHOWN_ROWS`, the JSON report all."""
SHOWN_ROWS = 500


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart in both widths."""

    wide: Markup
    slim: Markup


@dataclass(frozen=True, slots=True)
class Fact:
    """One key figure at the top of the page."""

    label: str
    value: str
    detail: str


def render_calibration(report: CalibrationReport) -> str:
    """The page.

    Args:
        report: What was found.

    Returns:
        A complete HTML document in one string, to be written as UTF-8.
    """
    made = report.calibration
    largest = sorted(made.groups, key=lambda group: -group.labels)
    named: list[Named] = [
        (words.group_name(group, made, 28), group, group.quality) for group in largest if group.quality is not None
    ][:SHOWN_GROUPS]
    thresholds = {group.threshold for group in made.groups if group.labels}
    only = next(iter(thresholds)) if len(thresholds) == 1 else None
    certified = [group for group in made.groups if group.threshold is not None]
    return render_page(
        "calibration.html.j2",
        report=report,
        made=made,
        title=plain(words.title(report)),
        tone="good" if certified else "unsure",
        symbol="✓" if certified else "?",
        headline=words.verdict(report),
        meaning=words.meaning(report),
        facts=_facts(report),
        missing=words.missing(report),
        hidden=words.hidden(report),
        left_out=words.left_out(report),
        groups=made.groups[:SHOWN_ROWS],
        group_name=lambda group: words.group_name(group, made, 200),
        confidence=words.confidence,
        reliability=_both(lambda width, ident: reliability_chart(named, width, ident), "reliability"),
        risk=_both(lambda width, ident: risk_chart(named, made.margin, width, ident), "risk"),
        bars=_both(lambda width, ident: confidence_bars(report.bars, only, width, ident), "bars"),
        shown=len(named),
        rate=words.rate,
        thousand=lambda usd: 1000 * usd,
    )


def _both(draw: Callable[[float, str], str | None], ident: str) -> Drawing | None:
    wide, slim = draw(WIDE_PX, f"{ident}-wide"), draw(SLIM_PX, f"{ident}-slim")
    if wide is None or slim is None:
        return None
    return Drawing(Markup(wide), Markup(slim))  # noqa: S704  drawn here; every text in it was escaped by the canvas


def _facts(report: CalibrationReport) -> tuple[Fact, ...]:
    made, on = report.calibration, report.calibration.fitted_on
    saved = report.savings
    effective = f", worth {on.effective:,.0f} of equal weight" if on.effective < 0.99 * on.labels else ""
    return (
        Fact("Served cheaply", figures.percent(report.acceptance), "of the eligible requests"),
        Fact(
            "Loss",
            figures.percent(report.loss),
            f"estimated; the margin is {words.rate(made.margin)}".replace(" %", "\u00a0%"),
        ),
        Fact("Saved per 1,000 requests", "not known", "no costs with the labels")
        if saved is None
        else Fact(
            "Saved per 1,000 requests",
            figures.usd(1000 * saved.usd_per_request),
            f"{figures.usd_interval((1000 * saved.interval[0], 1000 * saved.interval[1]))}, after "
            f"{figures.usd(1000 * saved.wasted_usd_per_request)} for answers that are thrown away",
        ),
        Fact("Labels", figures.count(on.labels), f"{figures.count(on.good)} as good as the capable tier{effective}"),
    )
