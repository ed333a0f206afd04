from dataclasses import replace
from random import Random

from undertow.reports.order import worst_first
from unit.reports.factory import many_segments, pareto_trap


def test_shown_losses_come_first_and_shown_safe_last():
    ordered = worst_first(pareto_trap().segments)
    assert [one.state for one in ordered] == ["beyond"] * 2 + ["open"] * 2 + ["no_data"] + ["inside"] * 3
    assert str(ordered[0].segment) == "intent=billing"


def test_open_ones_are_ordered_by_what_they_lose_at_least():
    open_ones = [one for one in worst_first(many_segments().segments) if one.state == "open"]
    bounds = [one.interval[0] for one in open_ones]
    assert bounds == sorted(bounds, reverse=True)


def test_the_order_does_not_depend_on_the_order_given():
    segments = [*many_segments().segments, replace(pareto_trap().segments[0], loss=None, interval=None)]
    expected = worst_first(segments)
    Random(4).shuffle(segments)
    assert worst_first(segments) == expected
