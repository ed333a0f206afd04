from dataclasses import replace

import pytest

from undertow.reports.svg.alarms import alarm_chart
from unit.reports.factory import EVERY, alarm, pareto_trap, sparse
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = alarm_chart(EVERY[name](), width, "c")
    if drawn is not None:
        assert_legible(drawn)


def test_nothing_to_draw_is_none():
    assert alarm_chart(sparse(), WIDE, "c") is None


def test_onset_comes_before_detection_and_warnings_carry_no_number():
    report = pareto_trap()
    drawn = alarm_chart(report, WIDE, "c")
    bars, seen = of_class(drawn, "onsetbar"), of_class(drawn, "seen")
    assert len(bars) == len(seen) == len(report.alarms) + len(report.warnings)
    for bar, diamond in zip(bars, seen, strict=True):
        assert float(bar.get("x")) < float(diamond.get("points").split(",")[0])
    assert len(of_class(drawn, "tag")) == len(report.alarms)
    assert any("4 days later" in text for text in texts(drawn))


def test_an_alarm_without_onset_is_still_a_row():
    report = replace(pareto_trap(), alarms=(alarm(onset_interval=None),), warnings=())
    report = replace(report, alarms=(replace(report.alarms[0], onset=None),))
    drawn = alarm_chart(report, SLIM, "c")
    assert_legible(drawn)
    assert not of_class(drawn, "onsetbar")
