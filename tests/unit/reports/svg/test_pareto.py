import math

import pytest

from undertow.reports.svg.pareto import Dot, pareto_chart
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts

LEGEND = [("cheap", "fill c-cheap"), ("what nothing beats", "c-all front")]
DOTS = [
    Dot("as routed", 0.6, 0.03, (0.01, 0.05), "c-all", is_large=True),
    Dot("cheap", 0.25, 0.08, (0.04, 0.15), "c-cheap", is_large=True),
    Dot("capable", 1.0, 0.0, None, "c-capable", is_large=True),
    Dot("intent=billing", 0.25, 0.2, (0.1, 0.3), "c-cheap", is_part=True),
    Dot("intent=account", 0.25, 0.01, (-0.05, 0.1), "c-cheap", is_part=True),
]
FRONT = [(0.25, 0.08), (0.6, 0.03), (1.0, 0.0)]


def drawn(dots=DOTS, front=FRONT, width=WIDE):
    return pareto_chart(dots, front, 0.02, LEGEND, width, "p")


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_it_is_legible(width):
    found = drawn(width=width)
    assert_legible(found)
    assert {"as routed", "cheap", "capable", "margin 2.0 points"} <= set(texts(found))


def middle(circle):
    return float(circle.get("cx")), float(circle.get("cy"))


def test_cheaper_is_left_and_worse_is_down():
    routed, cheap, capable = (middle(each) for each in of_class(drawn(), "ring"))
    assert cheap[0] < routed[0] < capable[0]
    assert capable[1] < routed[1] < cheap[1]


def test_every_point_has_its_interval_and_parts_that_cost_alike_stand_apart():
    found = drawn()
    assert len(of_class(found, "spread")) == 4
    one, other = (middle(each)[0] for each in of_class(found, "part") if each.tag.endswith("circle"))
    assert abs(one - other) > 5


def test_the_front_is_a_line_where_it_is_more_than_a_point():
    assert len([e for e in of_class(drawn(), "front") if e.tag.endswith("polyline")]) == 1
    assert not [e for e in of_class(drawn(front=FRONT[:1]), "front") if e.tag.endswith("polyline")]


def test_names_that_have_no_room_are_left_out():
    crowd = [Dot(f"segment {i}", 0.25, 0.08 + i / 10_000, None, "c-cheap") for i in range(60)]
    assert_legible(drawn([*crowd, *DOTS]))


def test_nothing_to_draw_is_none():
    assert drawn([]) is None
    assert drawn([Dot("x", math.nan, 0.1, None, "c-all")]) is None
    assert "nan" not in drawn([*DOTS, Dot("x", 0.5, 0.1, (math.nan, math.nan), "c-all")])
