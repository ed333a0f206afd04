import re

import pytest

from undertow.records.report import AuditReport
from undertow.reports.markdown import render_markdown
from unit.reports.factory import EVERY, HOSTILE, hostile, pareto_trap, sparse


@pytest.mark.parametrize("name", EVERY)
def test_tables_are_rectangular(name):
    rows = 0
    for line in render_markdown(EVERY[name]()).splitlines():
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            rows = rows or cells
            assert cells == rows, line
        else:
            rows = 0


def test_it_says_verdict_money_alarms_and_next():
    text = render_markdown(pareto_trap())
    assert text.startswith("## ▼ Undertow audit: pareto trap\n")
    for part in (
        "| net value a month | −$322k | −$440k to −$205k |",
        "| cheap | intent=billing | review.accuracy | 2026-01-25 to 2026-01-28 | 2026-01-31 |",
        "1. Send intent=billing back",
        "| all tiers |  | 91.4 % |",
    ):
        assert part in text, part


def test_hostile_names_do_not_act():
    text = render_markdown(hostile())
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]", text)
    assert "https://example" not in text
    tags = set(re.findall(r"</?[a-z]+", text))
    assert tags <= {"<details", "</details", "<summary", "</summary", "<sub", "</sub"}


@pytest.mark.parametrize(
    ("name", "broken"),
    [("@team", "@team"), ("#12", "#12"), ("https://a.b", "://a"), ("a|b", " a|b"), ("`x`", " `x"), ("[a](b)", "[a](")],
)
def test_what_a_forge_acts_on_is_broken(name, broken):
    report: AuditReport = sparse()
    text = render_markdown(type(report)(**{f: getattr(report, f) for f in report.__slots__} | {"next": (name,)}))
    assert broken not in text


def test_an_entry_cannot_open_a_list():
    report = sparse()
    fields = {f: getattr(report, f) for f in report.__slots__} | {"next": ("- x", "1. y", "> z")}
    assert render_markdown(type(report)(**fields)).count("\\") == 3
    assert HOSTILE


def test_each_alarm_has_its_sentence():
    report = pareto_trap()
    told = render_markdown(report)
    assert told.count("Since 2 March; what changed then:") == len(report.alarms)
