from dataclasses import replace

import pytest

from undertow.reports.svg.confidence import confidence_chart
from unit.reports.factory import histogram
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("column", ["confidence", "score"])
def test_it_is_legible(width, column):
    drawn = confidence_chart(replace(histogram(), column=column), width, "c")
    assert_legible(drawn)
    assert ("raw routing score" in texts(drawn)) == (column == "score")


def test_nothing_to_draw_is_none():
    assert confidence_chart(None, WIDE, "c") is None
    empty = (0.0,) * 20
    assert confidence_chart(replace(histogram(), baseline=empty, now=empty), WIDE, "c") is None


def test_scores_below_nothing_have_their_own_axis():
    edges = tuple(-4.0 + i * 0.2 for i in range(21))
    assert "−4" in texts(confidence_chart(replace(histogram(), edges=edges, column="score"), WIDE, "c"))


def test_then_and_now_are_drawn_differently():
    drawn = confidence_chart(histogram(), WIDE, "c")
    assert [e.tag.rpartition("}")[2] for e in of_class(drawn, "fill")] == ["rect", "polygon"]
    assert "baseline, 2026-01-05 to 2026-01-19" in texts(drawn)
    assert "now, 2026-03-02 to 2026-03-16" in texts(drawn)
