from dataclasses import replace
from datetime import timedelta

import pytest

from undertow.records.segment import WHOLE
from undertow.reports import figures
from undertow.reports.changes import marks
from undertow.reports.svg.lines import Line, Lines, lines_chart, value_range
from unit.reports.factory import EVERY, START, falls, line
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts

REPORT = EVERY["pareto_trap"]()


def what(**options):
    lines = (
        Line(line("all", None, WHOLE, falls(0.95, 0.93), seed=1), "all tiers", "c-all"),
        Line(line("cheap", "cheap", WHOLE, falls(0.94, 0.8), seed=2), "cheap", "c-cheap"),
    )
    given = {
        "alarms": ((3, REPORT.alarms[0]),), "marks": marks(REPORT.changes, REPORT.period),
    }  # fmt: skip
    return Lines("Quality over time", lines, figures.percent, **{**given, **options})


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_it_is_legible(width):
    drawn = lines_chart(what(), width, "l")
    assert_legible(drawn)
    assert {"all tiers", "cheap", "3"} <= set(texts(drawn))
    assert len(of_class(drawn, "onset")) == len(of_class(drawn, "detected")) == 1
    assert len(of_class(drawn, "band")) == 2


def test_only_the_period_asked_for_is_drawn():
    early = START, START + timedelta(days=10)
    drawn = lines_chart(what(period=early), WIDE, "l")
    assert "Mar 2" not in texts(drawn)
    assert not of_class(drawn, "detected")
    assert lines_chart(what(period=(START - timedelta(days=9), START - timedelta(days=1))), WIDE, "l") is None


def test_without_bands_there_are_none():
    assert not of_class(lines_chart(what(is_banded=False), WIDE, "l"), "band")


def test_nothing_to_draw_is_none():
    empty = replace(line("cheap", "cheap", WHOLE, falls(1, 1), seed=1), points=())
    assert lines_chart(Lines("Nothing", (Line(empty, "cheap", "c-cheap"),), str), WIDE, "l") is None


def test_the_range_holds_all_values_and_stays_inside_its_ends():
    series = [each.series for each in what().lines]
    low, high = value_range(series, 0.0, 1.0)
    means = [point.mean for one in series for point in one.points]
    assert 0.0 <= low < min(means)
    assert max(means) < high <= 1.0
    flat = replace(series[0], points=tuple(replace(p, mean=0.5, interval=None) for p in series[0].points))
    low, high = value_range([flat], 0.0, 1.0)
    assert low < 0.5 < high
