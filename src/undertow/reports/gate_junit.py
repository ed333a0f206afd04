"""A check of a candidate as a JUnit file: a case for the verdict, one a place and one for the suite.

A shown loss is a failure. A hole of a place that decides is one too, of another type, since it stops the build; a place too small to decide is
skipped.
"""

from xml.etree import ElementTree as ET

from undertow.records.gate import GatePlace, GateReport
from undertow.reports import figures
from undertow.reports.names import clip, prose, segment_name

FAILURES = {"loss": "loss", "hole": "coverage-hole"}


def gate_junit(report: GateReport) -> str:
    """The document, as text to be written in UTF-8."""
    suite = ET.Element("testsuite", name="undertow check")
    _case(suite, "undertow.check", "verdict", report.verdict, prose(report.headline, 500))
    for place in report.places:
        _place(suite, place)
    if report.suite is not None:
        said = prose(report.suite.why, 500)
        _case(suite, "undertow.check.suite", clip(report.suite.suite, 80), report.suite.state, said)
    for name, tag in (("failures", "failure"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _place(suite: ET.Element, place: GatePlace) -> None:
    message = (
        f"{place.why}: added loss {figures.points(place.loss)} ({figures.points_interval(place.interval)}), "
        f"{figures.plural(place.labels, 'label')}, must be below {figures.points(place.bar)}"
    )
    classname = f"undertow.check.{clip(place.tier, 60)}"
    name = segment_name(place.segment, 120)
    if not place.is_watched and place.state != "pass":
        case = ET.SubElement(suite, "testcase", classname=classname, name=name)
        ET.SubElement(case, "skipped", message=prose(f"too small to decide; {message}", 500))
        return
    _case(suite, classname, name, place.state, prose(message, 500))


def _case(suite: ET.Element, classname: str, name: str, state: str, message: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=classname, name=name)
    if state in FAILURES:
        ET.SubElement(case, "failure", type=FAILURES[state], message=message)
