from dataclasses import replace

import pytest

from undertow.reports.svg.shapes import Shapes, shapes_chart
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts

WHAT = Shapes(
    "Novelty, then and now", "Told.", (0.0, 0.5, 1.0), (0.8, 0.2), (0.4, 0.6), "then", "now", "novelty", lambda v: f"v{v:g}"
)  # fmt: skip


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_it_is_legible(width):
    drawn = shapes_chart(WHAT, width, "s")
    assert_legible(drawn)
    assert {"then", "now", "novelty", "v0", "v1"} <= set(texts(drawn))


def test_then_is_filled_and_now_is_a_line():
    drawn = shapes_chart(WHAT, WIDE, "s")
    assert len([e for e in of_class(drawn, "fill") if e.tag.endswith("polygon")]) == 1
    assert len([e for e in of_class(drawn, "line") if e.tag.endswith("polyline")]) == 1


def test_nothing_to_draw_is_none():
    assert shapes_chart(replace(WHAT, before=(0.0, 0.0), now=(0.0, 0.0)), WIDE, "s") is None
    assert shapes_chart(replace(WHAT, edges=(0.0,)), WIDE, "s") is None
