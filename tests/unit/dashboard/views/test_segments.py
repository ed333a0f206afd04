"""Segments: sorted, searched, paged, and the worst first where nobody asks for another order."""

from dataclasses import replace
from datetime import UTC, datetime
from html import escape

import pytest

from undertow.dashboard.links import place_link
from undertow.dashboard.views.segments import MATRIX_ROWS, PER_PAGE, Choice, matrix_of
from undertow.errors import UsageError
from undertow.records.report import SliceReport
from undertow.records.segment import Segment
from undertow.reports.order import worst_first
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY

TRAP = EVERY["pareto_trap"]()


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_report_has_its_page(client, name):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get("/ui/segments")
    assert answer.status == 200
    assert "<script>alert" not in answer.text


def test_the_worst_come_first_unless_another_order_is_asked_for():
    assert Choice().of(TRAP.segments) == list(worst_first(TRAP.segments))
    shares = [each.share for each in Choice(sort="-share").of(TRAP.segments)]
    assert shares == sorted(shares, reverse=True)
    with pytest.raises(UsageError, match="expected one of tier, segment"):
        Choice(sort="password").of(TRAP.segments)
    with pytest.raises(UsageError, match="expected one of beyond"):
        Choice(state="fine").of(TRAP.segments)


def test_search_and_state_narrow_it():
    name = str(TRAP.segments[0].segment)
    assert {str(each.segment) for each in Choice(query=name.upper()).of(TRAP.segments)} == {name}
    for state in ("beyond", "open", "inside"):
        assert {each.state for each in Choice(state=state).of(TRAP.segments)} <= {state}
    assert Choice(query="nothing is called so").of(TRAP.segments) == []


def test_many_segments_are_shown_page_by_page(client):
    many = EVERY["many_segments"]()
    mine = client(made_ui(FixedLog(many)))
    first, second = mine.get("/ui/segments").text, mine.get("/ui/segments?page=2").text
    assert len(many.segments) > PER_PAGE
    assert 'href="/ui/segments?page=2"' in first
    assert "Page before" in second
    assert mine.get("/ui/segments?page=x").status == 400


def test_what_is_asked_for_stays_in_the_address_and_is_shown_inert(client):
    answer = client().get("/ui/segments?q=%22%3E%3Cscript%3E1%3C/script%3E&sort=-loss")
    assert "<script>1" not in answer.text
    assert "No segment is like that." in answer.text
    assert 'name="sort" value="-loss"' in answer.text


def test_examples_of_users_are_for_those_who_may_see_texts(client):
    found = SliceReport(
        tier="cheap", signal="review.accuracy", segments=(Segment("intent", "billing"),), topics=(), words=("charge",),
        examples=("Where is <b>my</b> charge from?",), share=0.04, share_before=0.01, failures=0.4, interval=(0.3, 0.5),
        failures_before=0.1, rest=0.1, rest_interval=(0.08, 0.12), part_of_failures=0.2, part_before=0.05, n=100, evidence=4.0,
        contrast="before", since=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    log = FixedLog(replace(TRAP, slices=(found,)))
    seen = client(made_ui(log, role="reviewer")).get("/ui/segments").text
    assert "Where is &lt;b&gt;my&lt;/b&gt; charge from?" in seen
    hidden = client(made_ui(log, role="viewer")).get("/ui/segments").text
    assert "charge from" not in hidden
    assert "Where it loses" in hidden


def test_the_matrix_has_a_cell_for_each_tier():
    told = matrix_of(TRAP)
    assert told.rows
    assert told.left_out == 0
    assert all(len(cells) == len(told.tiers) for _, cells in told.rows)
    many = matrix_of(EVERY["many_segments"]())
    assert len(many.rows) == MATRIX_ROWS
    assert many.left_out > 0


def test_each_row_leads_to_its_segment(client):
    one = TRAP.segments[0]
    text = client().get("/ui/segments").text
    assert f'href="{escape(place_link(one.tier, one.segment))}"' in text
    assert "?tier=nope" not in text
    assert client().get("/ui/segments?tier=nope").text.count("No segment is like that.") == 1


def test_a_page_beyond_the_last_is_the_last(client):
    many = client(made_ui(FixedLog(EVERY["many_segments"]())))
    assert "Next page" not in many.get("/ui/segments?page=999").text
    assert many.get("/ui/segments?page=999").text.count("Page before") == 1


def test_keys_that_were_not_looked_at_are_named(client):
    note = "segment keys with more than 64 values were left out: `customer`"
    log = FixedLog(replace(TRAP, coverage=replace(TRAP.coverage, notes=(note, "another note"))))
    text = client(made_ui(log)).get("/ui/segments").text
    assert "egment keys with more than 64 values were left out: `customer`." in text
    assert "another note" not in text
