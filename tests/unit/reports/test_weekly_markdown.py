"""The week in Markdown."""

import pytest

from undertow.reports.weekly_markdown import week_markdown
from unit.reports.factory import EVERY, HOSTILE
from week_factory import week


def test_title_table_and_lists():
    text = week_markdown(week())
    assert text.startswith("## ▼ Undertow, ")
    assert "| cheap | intent=billing |" in text
    assert "### What to do next" in text


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_no_markup(name, text):
    said = week_markdown(week(name, text=f"intent={text}"))
    assert "<script" not in said
    assert "\x1b" not in said
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
