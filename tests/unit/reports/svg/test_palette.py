from dataclasses import replace

from undertow.records.segment import WHOLE, Segment
from undertow.reports.svg.palette import series_classes, series_label, tier_class
from unit.reports.factory import BILLING, line, pareto_trap


def test_the_ends_of_the_price_order_keep_their_colours():
    tiers = ("nano", "small", "large")
    assert [tier_class(t, tiers) for t in tiers] == ["c-cheap", "c-mid0", "c-capable"]
    assert tier_class("nano", ("nano",)) == "c-cheap"
    assert tier_class("unheard of", tiers) == tier_class(None, tiers) == "c-all"


def test_segments_differ_from_their_tier_and_from_one_another():
    series = [line("cheap", "cheap", WHOLE, lambda _: 0.5, seed=1)]
    series += [line(str(n), "cheap", Segment("k", str(n)), lambda _: 0.5, seed=1) for n in range(6)]
    classes = series_classes(series, replace(pareto_trap(), quality_series=tuple(series)))
    assert classes[0] == "c-cheap"
    assert len(set(classes)) == 7


def test_a_segment_keeps_its_colour_in_every_chart_of_the_page():
    report = pareto_trap()
    quality = dict(
        zip((s.segment for s in report.quality_series), series_classes(report.quality_series, report), strict=True)
    )
    backwards = report.evidence_series[::-1]
    evidence = dict(zip((s.segment for s in backwards), series_classes(backwards, report), strict=True))
    assert quality[BILLING] == evidence[BILLING]
    assert evidence[BILLING] != evidence[Segment("intent", "shipping")]


def test_two_segments_of_one_chart_never_share_a_class():
    lines = tuple(line(str(n), "cheap", Segment("k", str(n)), lambda _: 0.5, seed=1) for n in range(13))
    report = replace(pareto_trap(), quality_series=lines, evidence_series=())
    classes = series_classes([lines[0], lines[6], lines[12]], report)
    assert len(set(classes)) == 3


def test_labels_name_what_differs():
    assert series_label(line("x", None, WHOLE, lambda _: 0.5, seed=1), 20) == "all tiers"
    assert series_label(line("x", "cheap", WHOLE, lambda _: 0.5, seed=1), 20) == "cheap"
    assert series_label(line("x", "cheap", BILLING, lambda _: 0.5, seed=1), 20) == "intent=billing"
