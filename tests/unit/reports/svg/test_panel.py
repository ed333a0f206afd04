from dataclasses import replace

import pytest

from undertow.records.report import Change, Series, SeriesPoint
from undertow.records.segment import WHOLE
from undertow.reports.changes import LETTERS, marks
from undertow.reports.svg.canvas import Canvas
from undertow.reports.svg.panel import MAX_ALARM_MARKS, Panel, from_midnight, legend, span_of
from unit.reports.factory import DAYS, START, alarm, day, line
from unit.reports.svg.drawing import assert_legible, of_class, texts


@pytest.fixture
def panel():
    return Panel(Canvas(600, 300, "p"), 50, 20, 500, 240, (START, day(DAYS)), 0.5, 1.0, "main")


def drawn(panel):
    return panel.canvas.render("t", "d")


def test_axes_are_legible(panel):
    panel.draw_axes(lambda v: f"{v:.0%}")
    assert_legible(drawn(panel))
    assert "100%" in texts(drawn(panel))


def test_a_gap_in_the_labels_is_a_gap_in_the_line(panel):
    points = tuple(SeriesPoint(day(d), None if d == 5 else 0.8, None if d == 5 else (0.7, 0.9), 3) for d in range(10))
    panel.draw_series(Series("x", "cheap", WHOLE, None, points), "c-cheap")
    assert len(of_class(drawn(panel), "line")) == 2
    assert len(of_class(drawn(panel), "band")) == 2


def test_one_point_is_a_dot(panel):
    panel.draw_series(Series("x", "cheap", WHOLE, None, (SeriesPoint(day(3), 0.8, None, 3),)), "c-cheap")
    assert len(of_class(drawn(panel), "dot")) == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_what_is_not_finite_is_not_drawn(panel, bad):
    points = tuple(SeriesPoint(day(d), bad, None if bad is None else (bad, 0.9), 3) for d in range(10))
    panel.draw_series(Series("x", "cheap", WHOLE, None, points), "c-cheap")
    assert not of_class(drawn(panel), "line") + of_class(drawn(panel), "band")


def test_detection_lies_where_its_day_is(panel):
    panel.mark_detections([alarm(detected=35)])
    (mark,) = of_class(drawn(panel), "detected")
    assert float(mark.get("x1")) == pytest.approx(50 + 500 * 35 / DAYS, abs=0.1)


def test_alarms_outside_the_period_are_left_out_and_crowds_are_cut(panel):
    panel.mark_detections([alarm(detected=DAYS + 5)])
    assert not of_class(drawn(panel), "detected")
    panel.mark_detections([alarm()] * 20)
    assert len(of_class(drawn(panel), "tag")) == MAX_ALARM_MARKS
    assert_legible(drawn(panel))


def test_changes_close_together_get_letters_beside_one_another(panel):
    letters = marks([Change(day(10 + n / 10), "model", "cheap", f"m{n}") for n in range(20)], (START, day(DAYS)))
    panel.mark_changes(letters)
    assert texts(drawn(panel)) == list(LETTERS)
    assert_legible(drawn(panel))


def test_letters_and_dates_have_rows_of_their_own(panel):
    marked = replace(panel, marked=True)
    marked.draw_axes("{:.1f}".format)
    marked.mark_changes(marks([Change(day(n * 7), "model", "cheap", f"m{n}") for n in range(10)], (START, day(DAYS))))
    assert_legible(drawn(marked))


def test_only_the_earliest_onset_is_shaded(panel):
    panel.shade_onset([alarm(onset=40), alarm(onset=20), alarm(onset_interval=None)])
    (shade,) = of_class(drawn(panel), "onset")
    assert float(shade.get("x")) == pytest.approx(50 + 500 * 18 / DAYS, abs=0.1)


def test_an_axis_of_days_begins_on_a_day():
    late = START.replace(hour=0, minute=10)
    assert from_midnight((late, day(9))) == (START, day(9))
    assert from_midnight((late, day(1))) == (late, day(1))


def test_end_labels_keep_apart(panel):
    same = line("a", "cheap", WHOLE, lambda _: 0.8, seed=1)
    panel.draw_end_labels([(replace(same, name=str(i)), f"l{i}", "c-all") for i in range(6)])
    assert_legible(drawn(panel))


def test_a_legend_wraps():
    canvas = Canvas(200, 100, "l")
    height = legend(canvas, 0, 0, 200, [("a" * 20, "c-all"), ("b" * 20, "fill c-all")])
    assert height == 36
    assert_legible(canvas.render("t", "d"))


def test_the_span_of_nothing_is_the_fallback():
    fallback = (START, day(3))
    assert span_of([], fallback) == fallback
    assert span_of([line("a", None, WHOLE, lambda _: 0.5, seed=1)], fallback) == (START, day(DAYS - 1))
