from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from undertow.reports.junit import render_junit
from unit.reports.factory import EVERY, healthy, inconclusive, pareto_trap


def suite_of(report):
    return ET.fromstring(render_junit(report).encode()).find("testsuite")  # noqa: S314  written by the code under test


@pytest.mark.parametrize("name", EVERY)
def test_counts_are_those_of_the_cases(name):
    report = EVERY[name]()
    suite = suite_of(report)
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == 1 + len(report.segments) + len(report.suspects)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))


def test_a_loss_fails_an_open_question_is_skipped_and_what_was_shown_passes():
    cases = {case.get("name"): [part.tag for part in case] for case in suite_of(pareto_trap()).findall("testcase")}
    assert cases["verdict"] == ["failure"]
    assert cases["intent=billing by review.accuracy"] == ["failure"]
    assert cases["intent=account by review.accuracy"] == ["skipped"]
    assert cases["language=fi by review.accuracy"] == ["skipped"]
    assert cases["intent=shipping by review.accuracy"] == []


@pytest.mark.parametrize(
    ("report", "tags"),
    [(healthy(), []), (inconclusive(), ["skipped"]), (replace(pareto_trap(), verdict="quality_loss"), ["failure"])],
)
def test_the_verdict_is_a_case(report, tags):
    assert [part.tag for part in suite_of(report).find("testcase")] == tags


def test_the_message_bears_the_figures():
    failure = suite_of(pareto_trap()).findall("testcase/failure")[1]
    assert (
        failure.get("message")
        == "beyond margin: loss 21.2 points (13.1 to 29.7 points), margin 10.0 points, 812 labels"
    )
