"""A check as JUnit XML."""

from xml.etree import ElementTree as ET

from gate_factory import report
from undertow.records.gate import SuiteCheck
from undertow.reports.gate_junit import gate_junit


def cases(made):
    root = ET.fromstring(gate_junit(made))  # noqa: S314 (our own)
    suite = root.find("testsuite")
    assert int(suite.get("tests")) == len(suite)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    return {case.get("name"): case for case in suite}


def test_one_case_a_place_and_one_for_the_verdict():
    found = cases(report(0.3))
    assert list(found) == ["verdict", "whole tier", "intent=billing"]
    assert found["intent=billing"].find("failure").get("type") == "loss"
    assert all(case.find("failure") is None for case in cases(report(0.0)).values())


def test_a_hole_is_a_failure_of_another_type():
    found = cases(report(0.0, n=40, suite=SuiteCheck("support", "hole", 0, None, "no run")))
    assert found["whole tier"].find("failure").get("type") == "coverage-hole"
    assert found["support"].find("failure").get("message") == "no run"


def test_control_characters_leave_it_well_formed():
    assert cases(report(0.3, segment="intent=\x00\x1b<&>"))
