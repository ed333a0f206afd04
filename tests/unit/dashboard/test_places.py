"""Tier and segment of a page."""

from datetime import date
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from cells_factory import START, build, labels, served
from undertow.dashboard.places import LONGEST, MOST_SEGMENTS, cells_of, place_of
from undertow.errors import UsageError
from undertow.records.segment import WHOLE, Segment
from unit.dashboard.conftest import HOSTILE, small_cells


def asking(cells=None, **query):
    app = SimpleNamespace(state=SimpleNamespace(ui=None))
    request = Request(
        {"type": "http", "query_string": urlencode(query).encode(), "headers": [], "path": "/ui/x", "app": app}
    )
    if cells is not None:
        from unit.dashboard.conftest import FixedLog, made_ui
        from unit.reports.factory import EVERY

        app.state.ui = made_ui(FixedLog(EVERY["pareto_trap"](), cells))
    return request


def test_without_an_address_it_is_everything():
    place = place_of(asking(), small_cells())
    assert (place.tier, place.segment, place.segment_value, place.left_out) == (None, WHOLE, "", 0)
    assert [each.value for each in place.tiers] == ["cheap", "capable"]
    assert {each.value for each in place.segments} == {"intent=billing", f"intent={HOSTILE}"}
    assert place.words == "every tier"


def test_a_tier_and_a_segment():
    place = place_of(asking(tier="cheap", segment=f"intent={HOSTILE}"), small_cells())
    assert (place.tier, place.segment) == ("cheap", Segment("intent", HOSTILE))
    assert place.segment_value == f"intent={HOSTILE}"


@pytest.mark.parametrize(
    "query", [{"tier": "dear"}, {"segment": "intent"}, {"segment": "intent=nothing"}, {"segment": "a\x00=\u202e"}]
)
def test_what_the_log_does_not_have_is_said(query):
    with pytest.raises(UsageError, match="the log has"):
        place_of(asking(**query), small_cells())


def test_of_many_segments_the_largest_are_offered_and_any_may_be_asked_for():
    many = [served("cheap", 1 + i, days=1, segment=f"user={i:04d}") for i in range(MOST_SEGMENTS + 50)]
    cells = build(served("cheap", 1, days=1, segment="long=" + "x" * 10_000), *many)
    place = place_of(asking(segment="user=0000"), cells)
    assert len(place.segments) == MOST_SEGMENTS + 1
    assert "user=0000" in {each.value for each in place.segments}
    assert "user=0249" in {each.value for each in place.segments}
    assert place.left_out == 50
    assert all(len(each.value) <= LONGEST for each in place.segments)


def test_cells_of_a_day_hold_what_was_known_at_its_end():
    cells = build(served("cheap", 10, days=5), labels("cheap", 4, 1, days=5, delay=2))
    assert cells_of(asking(cells)) is cells
    found = cells_of(asking(cells, as_of=str(date(START.year, START.month, START.day + 2))))
    assert found.traffic.decisions.sum() == 30
    assert found.labels.n.sum() == 4
