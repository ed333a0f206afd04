import pytest

from undertow.reports.svg.power import PowerPoint, power_chart
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts

POINTS = (
    PowerPoint(10, None, None),
    PowerPoint(30, 61, None),
    PowerPoint(100, 24, 40),
    PowerPoint(193, 15, 26),
    PowerPoint(1_000, 5, 9),
)


def drawn(points=POINTS, labels=193.0, horizon_days=180, width=WIDE):
    return power_chart(points, labels, horizon_days, width, "p")


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_it_is_legible_and_marks_what_was_asked_for(width):
    found = drawn(width=width)
    assert_legible(found)
    assert {"193 a day", "never", "days from the onset"} <= set(texts(found))


def test_more_reviews_lie_to_the_right_and_sooner_lies_lower():
    dots = [(float(each.get("cx")), float(each.get("cy"))) for each in of_class(drawn(), "c-cheap") if each.get("cx")]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)


def test_never_stands_where_fewer_than_half_of_the_runs_see_it():
    assert texts(drawn()).count("never") == 1
    assert texts(drawn([PowerPoint(10, None, None), PowerPoint(30, None, None)])).count("never") == 2


def test_a_loss_that_nobody_sees_is_drawn_over_the_whole_horizon():
    shown = texts(drawn([PowerPoint(10, None, None), PowerPoint(30, None, None)], horizon_days=180))
    assert "150" in shown


def test_the_order_of_points_does_not_matter_and_one_is_no_line():
    assert drawn(tuple(reversed(POINTS))) == drawn()
    assert drawn(POINTS[:1]) is None
    assert drawn((PowerPoint(0, 1, 1), *POINTS[:1])) is None


def test_what_was_asked_for_is_not_marked_where_it_lies_outside():
    assert not any("a day" in each for each in texts(drawn(labels=5.0)) if each[0].isdigit())


def test_days_are_whole_and_labels_do_not_lie_upon_one_another():
    close = [PowerPoint(labels, None, None) for labels in (100, 110, 120)]
    shown = texts(drawn([*close, PowerPoint(1_000, 5, 9)], width=SLIM))
    assert shown.count("never") == 1
    days = [each for each in shown if each.isdigit()]
    assert len(days) == len(set(days))
    assert "8" not in days, "a tick at seven and a half days would be called so"
