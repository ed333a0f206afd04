"""A check as a comment on a pull request."""

from gate_factory import nothing, report
from undertow.reports.gate_markdown import gate_markdown


def test_title_headline_table_and_next():
    text = gate_markdown(report(0.3))
    assert text.startswith("## ✗ Undertow check: fails\n")
    assert "| cheap | intent=billing |" in text
    assert gate_markdown(report(0.0, n=40)).startswith("## ? Undertow check: not shown to be safe")
    assert "### Next" in gate_markdown(report(0.0, n=40))
    assert "| tier |" not in gate_markdown(nothing())


def test_every_row_has_as_many_cells_as_the_head():
    rows = [line for line in gate_markdown(report(0.3, segment="a=b|c")).splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_names_mention_nobody_and_are_no_markup():
    text = gate_markdown(report(0.3, segment="team=@boss <img src=x> [x](http://e.vil)"))
    assert "@boss" not in text
    assert "<img" not in text
    assert "\\[x\\](http://\u2060" in text
