"""A check of a candidate for people and for programs: terminal, and JSON (undertow.check/1)."""

from dataclasses import asdict
from typing import Any

from undertow.records.gate import Difference, GatePlace, GateReport
from undertow.reports import figures
from undertow.reports.aligned import aligned
from undertow.reports.names import clip, prose, segment_name

SCHEMA = "undertow.check/1"
NAME_COLUMNS = 36
SHOWN_PLACES = 40
MUCH_LESS = 0.75
"""Of the labels, what they are worth is told where it is less."""

SHOWN_LINES = 20

STATES = {"loss": "LOSS", "hole": "not shown", "pass": "passes"}
METHODS = {
    "replay": "replay on labelled answers",
    "off_policy": "off-policy, by logged propensities",
    "none": "no comparison on logged traffic",
}
KINDS = {
    "routing": "",
    "stricter": "fewer requests go below the capable tier, so nothing can be lost",
    "answers": "other answers",
    "unseen": "not to be seen in a log",
    "none": "decides nothing",
}
HEADINGS = ("tier", "segment", "served cheaply", "labels", "changed", "added loss", "interval", "below", "")


def gate_document(report: GateReport) -> dict[str, Any]:
    """The document, as built-in values; absent is null."""
    return {
        "schema": SCHEMA,
        **asdict(report),
        "places": [{**asdict(place), "segment": place.segment.as_dict()} for place in report.places],
    }


def gate_lines(report: GateReport) -> tuple[str, ...]:
    """The lines of the report, without colours."""
    lines = [prose(report.headline, 500), ""]
    lines += [f"  differs   {prose(difference_words(one), 400)}" for one in report.differences[:SHOWN_LINES]]
    if len(report.differences) > SHOWN_LINES:
        lines.append(f"            and {len(report.differences) - SHOWN_LINES} more (--json has all)")
    if report.differences:
        lines.append("")
    if report.places:
        lines += aligned([HEADINGS, *map(place_cells, report.places[:SHOWN_PLACES])], left=(0, 1, 8))
        hidden = len(report.places) - SHOWN_PLACES
        lines += [f"  and {hidden} more places (--json has all)"] if hidden > 0 else []
        lines.append("")
    lines += [f"  {name:<9} {prose(said, 600)}" for name, said in facts(report)]
    lines += [f"  next      {prose(step, 400)}" for step in report.next[:SHOWN_LINES]]
    return tuple(lines)


def place_cells(place: GatePlace) -> tuple[str, ...]:
    """A place as cells under `HEADINGS`."""
    effective = f" (worth {place.effective:,.0f})" if 0 < place.effective < MUCH_LESS * place.labels else ""
    said = STATES[place.state] if place.is_watched else f"{STATES[place.state]}, too small to decide"
    return (
        clip(place.tier, NAME_COLUMNS),
        "all" if place.segment.is_whole else segment_name(place.segment, NAME_COLUMNS),
        f"{figures.percent(place.cheap_before)} -> {figures.percent(place.cheap_after)}",
        f"{figures.count(place.labels)}{effective}",
        figures.count(place.changed),
        figures.points(place.loss),
        figures.points_interval(place.interval),
        figures.points(place.bar),
        said,
    )


def difference_words(one: Difference) -> str:
    """A difference in words."""
    said = KINDS[one.kind]
    why = f": {one.why}" if one.why else ""
    return f"{clip(one.name, 80)}: {clip(one.before, 80)} -> {clip(one.after, 80)}{f' ({said}{why})' if said else ''}"


def savings_words(report: GateReport) -> str:
    """What the candidate saves more, in words."""
    usd = report.savings_usd_month
    if usd is None:
        return "not known: the log has no costs of both tiers"
    return f"{figures.usd(usd, plus=True)} a month against now"


def facts(report: GateReport) -> tuple[tuple[str, str], ...]:
    """What else a reader must know: a name, and a sentence."""
    rows = []
    if report.places:
        rows.append(("saves", savings_words(report)))
    if report.suite is not None:
        rows.append(("suite", f"{report.suite.suite}: {STATES[report.suite.state]}: {report.suite.why}"))
    rows.append(("method", f"{METHODS[report.method]}: {report.method_why}"))
    if report.source:
        period = "" if report.period is None else f", {report.period[0][:10]} to {report.period[1][:10]}"
        rows.append(("labels", f"{report.source}; {figures.plural(report.decisions, 'request')} compared{period}"))
    if report.places:
        rows.append(
            (
                "meaning",
                (
                    "added loss: failures that the capable tier would not have had, per request served by the tier. At most "
                    f"{figures.level(report.alpha)} chance that a candidate without more loss than accepted ever fails, however often this is run"
                ),
            )
        )
    rows += [("note", note) for note in report.notes]
    return tuple(rows)
