import json
from xml.etree import ElementTree as ET

import msgspec
import pytest

from suite_runs import result, run
from undertow.records.suite import ROUTED
from undertow.reports.suite import run_line, suite_document, suite_junit, suite_lines, suite_markdown
from undertow.suites.verdict import report_on

EVIL = "a|b\x1b[2J\n@all\u202e"


def report(segment="intent", value="billing", fall=True):
    def one(number, score):
        rows = [
            result(c, t, score if t != "cheap" else 1.0, segment={segment: value if c < 40 else "other"})
            for c in range(80) for t in (ROUTED, "cheap", "capable")
        ]  # fmt: skip
        return run(rows, number, policy_version=f"p{number}", cases=80, cost_usd=0.25)

    return report_on([one(0, 1.0), one(1, 0.0 if fall else 1.0)], alpha=0.05, margin=0.02, level=0.95)


def test_the_terminal_says_what_was_lost_where_and_why():
    text = "\n".join(suite_lines(report()))
    assert text.startswith("s: a loss was shown.")
    assert "tier capable lost against earlier runs: 100.0 points" in text
    assert "Cause: provider: capable alone answers the same cases worse" in text
    assert "policy version was p0, is p1" in text
    assert "run       001: 80 cases, 2 runs compared, $0.25" in text


def test_without_a_loss_it_says_what_would_have_been_seen():
    text = "\n".join(suite_lines(report(fall=False)))
    assert text.startswith("s: no loss was shown.")
    assert "would have been shown" in text


@pytest.mark.parametrize("render", [lambda r: "\n".join(suite_lines(r)), suite_markdown, suite_junit])
def test_names_from_a_file_cannot_act(render):
    text = render(report(segment=EVIL, value=EVIL))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "@all" not in text or render is not suite_markdown


def test_json_has_every_cell_and_no_odd_numbers():
    document = suite_document(report())
    assert document["schema"] == "undertow.suite/1"
    assert json.loads(json.dumps(document, allow_nan=False))["verdict"] == "loss"
    assert len(document["cells"]) == 9


def test_junit_fails_what_was_lost_and_skips_what_is_open():
    suite = ET.fromstring(suite_junit(report())).find("testsuite")  # noqa: S314 (our own)
    assert (suite.get("tests"), suite.get("errors")) == ("10", "0")
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert {"verdict", "whole suite, as routed", "whole suite, tier capable"} <= failed
    assert "whole suite, tier cheap" not in failed
    first = report_on([run([result(1, "cheap", 1.0)])], alpha=0.05, margin=0.02, level=0.95)
    suite = ET.fromstring(suite_junit(first)).find("testsuite")  # noqa: S314 (our own)
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")


def test_markdown_is_a_table_with_a_rule():
    lines = suite_markdown(report()).splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("| ---"))
    assert {line.count(" | ") for line in lines[rule - 1 : rule + 10]} == {6}


def test_a_run_in_a_list_names_models_and_cost():
    head = msgspec.structs.replace(report().run, models={"cheap": ("m fp",)}, is_baseline=True)
    assert run_line(head) == "001  s  80 cases  $0.25  tier cheap m fp  baseline"
