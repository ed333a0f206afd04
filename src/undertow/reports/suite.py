"""A run of a suite for people and for programs: terminal, JSON (undertow.suite/1), JUnit and Markdown."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from undertow.records.suite import ROUTED, CellReport, SuiteFinding, SuiteReport, SuiteRun
from undertow.reports import figures
from undertow.reports.markdown import safe
from undertow.reports.names import clip, columns, prose

SCHEMA = "undertow.suite/1"
NAME_COLUMNS = 32
SHOWN_ROWS = 80
SHOWN_LINES = 20

VERDICTS = {
    "loss": "a loss was shown",
    "no_loss": "no loss was shown",
    "inconclusive": "nothing can be said yet",
}
HEADINGS = ("segment", "answered by", "cases", "quality", "against the capable tier", "against earlier runs", "")


def suite_document(report: SuiteReport) -> dict[str, object]:
    """The report as JSON values."""
    return {"schema": SCHEMA, **msgspec.to_builtins(report)}


def suite_lines(report: SuiteReport) -> tuple[str, ...]:
    """The lines of the report, without colours."""
    run = report.run
    lines = [f"{clip(run.suite, 60)}: {VERDICTS[report.verdict]}.", ""]
    lines += [f"  {_found(each)}" for each in report.findings[:SHOWN_LINES]]
    if len(report.findings) > SHOWN_LINES:
        lines.append(f"  and {len(report.findings) - SHOWN_LINES} more (--json has all)")
    if report.findings:
        lines.append("")
    lines += [*_table([HEADINGS, *(_row(cell, report) for cell in report.cells[:SHOWN_ROWS])]), ""]
    if len(report.cells) > SHOWN_ROWS:
        lines[-1:] = [f"  and {len(report.cells) - SHOWN_ROWS} more rows (--json has all)", ""]
    lines += [f"  changed   {prose(each, 300)}" for each in report.changed[:SHOWN_LINES]]
    lines += [f"  note      {prose(each, 400)}" for each in report.notes]
    cost = figures.usd(run.cost_usd) + (
        f", and {figures.usd(run.grading_usd)} for the judge" if run.grading_usd else ""
    )
    lines.append(
        f"  run       {run.run_id}: {figures.plural(run.cases, 'case')}, {figures.plural(report.runs, 'run')} compared, {cost}"
    )
    lines.append(
        f"  meaning   intervals at {figures.level(report.level)}, in all runs at once; at most {figures.level(report.alpha)} chance that a "
        f"suite that got no worse is ever said to; margin {figures.points(report.margin)}"
    )
    return tuple(lines)


def _found(finding: SuiteFinding) -> str:
    where = f" in {clip(finding.segment, NAME_COLUMNS)}" if finding.segment else ""
    what = "lost against earlier runs" if finding.kind == "change" else "loses against the capable tier"
    return (
        f"{_target(finding.target)}{where} {what}: {figures.points(finding.loss)} (evidence {figures.evidence(finding.evidence)}). "
        f"Cause: {finding.cause}: {prose(finding.why, 400)}."
    )


def _target(target: str) -> str:
    return "as routed" if target == ROUTED else f"tier {clip(target, NAME_COLUMNS)}"


def _row(cell: CellReport, report: SuiteReport) -> tuple[str, ...]:
    marks = [word for word, holds in (("got worse", cell.is_worse), ("beyond the margin", cell.is_beyond)) if holds]
    if cell.unscored:
        marks.append(f"{cell.unscored} without a score")
    if cell.target == report.run.capable:
        against = "is the capable tier"
    else:
        against = (
            "–"
            if cell.loss is None
            else f"loss {figures.points(cell.loss)} ({figures.points_interval(cell.loss_interval)})"
        )
    since = (
        "–"
        if cell.change is None
        else f"{figures.points(cell.change, plus=True)} ({figures.points_interval(cell.change_interval)})"
    )
    return (
        clip(cell.segment, NAME_COLUMNS) if cell.segment else "whole suite",
        "as routed" if cell.target == ROUTED else clip(cell.target, NAME_COLUMNS),
        figures.count(cell.n),
        f"{figures.percent(cell.quality)} ({figures.percent_interval(cell.interval)})"
        if cell.quality is not None
        else "–",
        against,
        since,
        ", ".join(marks),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        (
            "  " + "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def suite_markdown(report: SuiteReport) -> str:
    """The report for a pull request, in GitHub's dialect."""
    lines = [f"## Undertow suite {safe(clip(report.run.suite, 60))}: {VERDICTS[report.verdict]}", ""]
    lines += [f"- {safe(_found(each))}" for each in report.findings[:SHOWN_LINES]]
    lines += [""] if report.findings else []
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(_row(cell, report) for cell in report.cells[:SHOWN_ROWS])]
    lines += [f"| {' | '.join(row if place == 1 else map(safe, row))} |" for place, row in enumerate(rows)]
    lines += ["", *(f"- changed: {safe(prose(each, 300))}" for each in report.changed[:SHOWN_LINES])]
    lines += [f"- {safe(prose(each, 400))}" for each in report.notes]
    return "\n".join(lines) + "\n"


def suite_junit(report: SuiteReport) -> str:
    """The report as JUnit XML: a case for the verdict, and one a target and segment.

    What was shown to have got worse, or to be beyond the margin, fails, unless it is laid to the grader: that, and what has no comparison
    yet, is skipped.
    """
    suite = ET.Element("testsuite", name=f"undertow suite {clip(report.run.suite, 60)}")
    case = ET.SubElement(suite, "testcase", classname="undertow.suite", name="verdict")
    if report.verdict == "loss":
        failure = ET.SubElement(case, "failure", type="loss", message=VERDICTS["loss"])
        failure.text = "\n".join(_found(each) for each in report.findings)
    elif report.verdict == "inconclusive":
        ET.SubElement(case, "skipped", message=VERDICTS["inconclusive"])
    causes = {(each.target, each.segment): each for each in report.findings}
    for cell in report.cells:
        name = f"{clip(cell.segment, 120) if cell.segment else 'whole suite'}, {_target(cell.target)}"
        case = ET.SubElement(suite, "testcase", classname="undertow.suite.cell", name=name)
        found = causes.get((cell.target, cell.segment))
        if found is not None and found.cause != "grader":
            ET.SubElement(case, "failure", type=found.cause, message=_found(found))
        elif found is not None or cell.change is None:
            ET.SubElement(
                case, "skipped", message=_found(found) if found is not None else "no earlier run to compare with"
            )
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def run_line(run: SuiteRun) -> str:
    """One run in a list of them."""
    cost = figures.usd(run.cost_usd + run.grading_usd)
    models = "; ".join(
        f"{_target(target)} {clip(', '.join(names), 80)}" for target, names in run.models.items() if target != ROUTED
    )
    baseline = "  baseline" if run.is_baseline else ""
    return f"{run.run_id}  {clip(run.suite, NAME_COLUMNS)}  {figures.plural(run.cases, 'case')}  {cost}  {models}{baseline}"
