import pytest

from undertow.reports import calibration_words as words
from undertow.reports.svg.calibration import confidence_bars, reliability_chart, risk_chart
from unit.reports.calibration_factory import EVERY, grouped, hopeless, single, weighted
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts


def named(report):
    made = report.calibration
    return [
        (words.group_name(group, made, 28), group, group.quality) for group in made.groups if group.quality is not None
    ]


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    report = EVERY[name]()
    shown = named(report)
    for svg in (
        reliability_chart(shown, width, "a"),
        risk_chart(shown, report.calibration.margin, width, "b"),
        confidence_bars(report.bars, report.calibration.groups[0].threshold, width, "c"),
    ):
        if svg is not None:
            assert_legible(svg)


def test_each_group_has_its_panel_with_its_points():
    shown = named(grouped())
    svg = reliability_chart(shown, WIDE, "a")
    assert [text for text in texts(svg) if text in {"billing", "faq", "legal"}] == ["billing", "faq", "legal"]
    points = sum(len(quality.reliability) for _, _, quality in shown)
    assert len(of_class(svg, "mark")) == points
    assert len(of_class(svg, "whisker")) == points


def test_the_threshold_lies_below_the_margin_line():
    report = single()
    svg = risk_chart(named(report), report.calibration.margin, WIDE, "b")
    (mark,) = of_class(svg, "mark")
    (margin,) = of_class(svg, "marginline")
    assert float(mark.get("cy")) > float(margin.get("y1"))
    assert "margin 4 %" in texts(svg)
    assert of_class(risk_chart(named(hopeless()), 0.04, WIDE, "b"), "mark") == []


def test_bars_stack_what_is_good_failing_and_unknown():
    report = weighted()
    svg = confidence_bars(report.bars, 0.2, WIDE, "c")
    assert {"as good as the capable tier's", "worse", "without a label", "served from 0.200 on"} <= set(texts(svg))
    assert "without a label" not in texts(confidence_bars(single().bars, None, WIDE, "c"))


def test_nothing_to_draw_is_none():
    assert reliability_chart([], WIDE, "a") is None
    assert risk_chart([], 0.02, WIDE, "b") is None
    assert confidence_bars((), None, WIDE, "c") is None
