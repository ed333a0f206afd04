from dataclasses import replace

import pytest

from undertow.reports.order import worst_first
from undertow.reports.svg.forest import forest_chart
from unit.reports.factory import EVERY, many_segments, pareto_trap
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = forest_chart(worst_first(EVERY[name]().segments)[:20], 0.02, width, "f")
    if drawn is not None:
        assert_legible(drawn)


def test_nothing_to_draw_is_none():
    unlabelled = [replace(one, loss=None, interval=None) for one in pareto_trap().segments]
    assert forest_chart(unlabelled, 0.02, WIDE, "f") is None
    assert forest_chart([], 0.02, WIDE, "f") is None


def test_states_differ_in_shape_and_word_not_only_in_colour():
    drawn = forest_chart(worst_first(pareto_trap().segments), 0.02, WIDE, "f")
    marks = {e.get("class").split()[-1]: e.tag.rpartition("}")[2] for e in of_class(drawn, "mark")}
    assert marks == {"s-beyond": "polygon", "s-open": "circle", "s-inside": "circle"}
    assert {"▲", "?", "✓"} <= set(texts(drawn))
    assert "no labels" in texts(drawn)


def test_an_interval_right_of_the_margin_is_drawn_right_of_its_line():
    segments = worst_first(pareto_trap().segments)
    drawn = forest_chart(segments, 0.02, WIDE, "f")
    margin = float(of_class(drawn, "marginline")[0].get("x1"))
    whiskers = of_class(drawn, "whisker")
    known = [one for one in segments if one.interval is not None]
    for one, whisker in zip(known, whiskers, strict=True):
        assert (float(whisker.get("x1")) > margin) == (one.interval[0] > 0.02)


def test_an_endless_interval_ends_in_an_arrow_and_leaves_the_others_readable():
    first, *rest = worst_first(pareto_trap().segments)
    drawn = forest_chart([replace(first, interval=(-1.0, 1.0)), *rest], 0.02, WIDE, "f")
    assert len(of_class(drawn, "arrow")) == 2
    assert_legible(drawn)


def test_rows_are_as_many_as_segments():
    drawn = forest_chart(many_segments().segments[:20], 0.02, SLIM, "f", with_tier=False)
    assert len(of_class(drawn, "mark")) == 20
    assert not any("cheap" in text for text in texts(drawn))
