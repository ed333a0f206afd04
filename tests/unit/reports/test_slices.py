"""Where a tier loses: in words, on a terminal, in JSON, HTML and Markdown; what users wrote is shown as text, and harmlessly."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from undertow.records.report import SliceReport
from undertow.records.segment import Segment
from undertow.reports import slices
from undertow.reports.html import render_html
from undertow.reports.json import to_document
from undertow.reports.markdown import render_markdown
from undertow.reports.terminal import render_terminal
from unit.reports import factory

EVIL = "<script>alert(1)</script>\x1b[31m [bold]| \u202e"

ROW = SliceReport(
    tier="cheap",
    signal="review.accuracy",
    segments=(Segment("channel", "app"),),
    topics=("pending, charge, card", '"charge"'),
    words=("charge", "card"),
    examples=("What is this charge?", "a pending charge on my card"),
    share=0.081,
    share_before=0.021,
    failures=0.44,
    interval=(0.35, 0.53),
    failures_before=0.45,
    rest=0.06,
    rest_interval=(0.05, 0.07),
    part_of_failures=0.39,
    part_before=0.14,
    n=210,
    evidence=4.2,
    contrast="before",
    since=factory.day(22),
)


def terminal(report, width=100):
    out = StringIO()
    render_terminal(report, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.fixture
def report():
    return replace(factory.pareto_trap(), slices=(ROW,))


def test_a_slice_is_named_by_its_labels_and_what_its_texts_are_about():
    assert slices.slice_name(ROW, 80) == 'channel=app and about pending, charge, card and with "charge"'
    assert slices.slice_name(replace(ROW, topics=(), segments=(Segment("a", "b"), Segment("c", "d")))) == "a=b and c=d"


def test_what_is_not_known_is_not_told():
    bare = replace(
        ROW, share_before=None, failures_before=None, interval=None, rest=None, rest_interval=None, part_before=None
    )
    assert slices.shares(bare) == "8.1 %"
    assert slices.part(bare) == "39.0 %"
    assert "before" not in slices.failing(bare)
    assert "None" not in slices.rest(bare)


def test_every_report_tells_it(report):
    shown = terminal(report)
    page = render_html(report)
    summary = render_markdown(report)
    for text in (shown, page, summary):
        assert "Where it loses" in text
        assert "8.1 % (2.1 % before)" in text
    assert "What is this charge?" in shown
    assert "What is this charge?" in page


def test_examples_stay_out_of_a_pull_request(report):
    assert "What is this charge?" not in render_markdown(report)


def test_nothing_is_said_where_nothing_was_found():
    report = factory.pareto_trap()
    assert "Where it loses" not in terminal(report) + render_html(report) + render_markdown(report)
    assert to_document(report)["slices"] == []


def test_json_holds_all_of_it(report):
    (row,) = to_document(report)["slices"]
    assert row["segments"] == [{"channel": "app"}]
    assert row["topics"] == ["pending, charge, card", '"charge"']
    assert row["examples"] == list(ROW.examples)
    assert (row["share"], row["failure_rate"], row["n"], row["contrast"]) == (0.081, 0.44, 210, "before")
    assert row["since"].endswith("Z")


@pytest.mark.parametrize("width", [40, 100])
def test_what_strangers_wrote_acts_on_nothing(report, width):
    hostile = replace(ROW, topics=(EVIL,), words=(EVIL,), examples=(EVIL,), segments=(Segment(EVIL, EVIL),))
    report = replace(report, slices=(hostile,))
    shown, page, summary = terminal(report, width), render_html(report), render_markdown(report)
    assert "\x1b[31m" not in shown + page + summary
    assert "\u202e" not in shown + page + summary
    assert "<script>alert" not in page
    assert "<script>" not in summary


def test_a_slice_of_sketches_alone_says_that_its_words_are_not_known(report):
    gone = replace(ROW, topics=("group 3",), words=(), examples=())
    told = replace(report, slices=(gone,))
    assert "words not known" in terminal(told)
    assert "words not known" in render_html(told)
    assert "words not known" not in terminal(report)
    assert slices.unknown_words(replace(gone, topics=())) is None
