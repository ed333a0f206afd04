from dataclasses import replace

import pytest

from undertow.reports.svg.evidence import evidence_chart
from unit.reports.factory import EVERY, pareto_trap, sparse
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, labels, of_class


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = evidence_chart(EVERY[name](), width, "c")
    if drawn is not None:
        assert_legible(drawn)


def test_nothing_to_draw_is_none():
    assert evidence_chart(sparse(), WIDE, "c") is None


def test_the_alarm_line_is_drawn_where_its_value_is():
    report = pareto_trap()
    drawn = evidence_chart(report, WIDE, "c")
    (line,) = of_class(drawn, "alarmline")
    rules = [(float(e.get("y1"))) for e in of_class(drawn, "grid")]
    ticks = [label.text for label in labels(drawn) if label.cls == "tick"]
    below, above = rules[ticks.index("100")], rules[ticks.index("10⁴")]
    per_power = (below - above) / 2
    assert float(line.get("y1")) == pytest.approx(below - per_power * (report.alarm_line - 2), abs=0.2)


def test_evidence_far_beyond_the_line_does_not_flatten_it():
    report = pareto_trap()
    series = report.evidence_series[0]
    huge = replace(series, points=tuple(replace(p, mean=(p.mean or 0) * 1e6) for p in series.points))
    drawn = evidence_chart(replace(report, evidence_series=(huge,)), WIDE, "c")
    (line,) = of_class(drawn, "alarmline")
    (axis, *_) = of_class(drawn, "axis")
    assert float(axis.get("y1")) - float(line.get("y1")) > 60
    assert_legible(drawn)
