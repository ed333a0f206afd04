"""The audit as a JUnit file, for CI systems that draw test results: one case for the verdict, one a tier and segment.

A segment shown beyond the margin fails; one that is open, without labels or with suspect labels is skipped, since neither
passing nor failing was shown; one shown inside the margin passes.
"""

from xml.etree import ElementTree as ET

from undertow.records.report import AuditReport, SegmentReport
from undertow.reports import figures, words
from undertow.reports.names import clip, prose, segment_name
from undertow.reports.order import worst_first


def render_junit(report: AuditReport) -> str:
    """The document, as text to be written in UTF-8."""
    segments = worst_first((*report.segments, *report.suspects))
    suite = ET.Element("testsuite", name="undertow audit")
    _verdict_case(suite, report)
    for segment in segments:
        _segment_case(suite, segment, report.settings.segment_margin)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _verdict_case(suite: ET.Element, report: AuditReport) -> None:
    case = ET.SubElement(suite, "testcase", classname="undertow.verdict", name="verdict")
    message = prose(report.headline) or words.VERDICTS[report.verdict].sentence
    match report.verdict:
        case "quality_loss" | "pareto_trap":
            failure = ET.SubElement(case, "failure", type=report.verdict, message=message)
            failure.text = "\n".join(prose(reason) for reason in report.reasons)
        case "inconclusive":
            ET.SubElement(case, "skipped", message=message)
        case "healthy":
            pass


def _segment_case(suite: ET.Element, segment: SegmentReport, margin: float) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"undertow.segment.{clip(segment.tier, 60)}",
        name=f"{segment_name(segment.segment, 120)} by {clip(segment.signal, 60)}",
    )
    said = words.STATES[segment.state]
    message = (
        f"{said.word}: loss {figures.points(segment.loss)} ({figures.points_interval(segment.interval)}), "
        f"margin {figures.points(margin)}, {figures.count(segment.n)} labels"
    )
    match segment.state:
        case "beyond":
            ET.SubElement(case, "failure", type="quality_loss", message=message)
        case "inside":
            pass
        case _:
            ET.SubElement(case, "skipped", message=message)
