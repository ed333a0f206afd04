from undertow.records.segment import WHOLE, Segment
from undertow.reports.svg.palette import series_classes, series_label, tier_class
from unit.reports.factory import BILLING, line


def test_the_ends_of_the_price_order_keep_their_colours():
    tiers = ("nano", "small", "large")
    assert [tier_class(t, tiers) for t in tiers] == ["c-cheap", "c-mid0", "c-capable"]
    assert tier_class("nano", ("nano",)) == "c-cheap"
    assert tier_class("unheard of", tiers) == tier_class(None, tiers) == "c-all"


def test_segments_differ_from_their_tier_and_from_one_another():
    series = [
        line("cheap", "cheap", WHOLE, lambda _: 0.5, seed=1),
        line("a", "cheap", BILLING, lambda _: 0.5, seed=1),
        line("b", "cheap", Segment("k", "v"), lambda _: 0.5, seed=1),
    ]
    classes = series_classes(series, ("cheap", "capable"))
    assert classes[0] == "c-cheap"
    assert len(set(classes)) == 3


def test_labels_name_what_differs():
    assert series_label(line("x", None, WHOLE, lambda _: 0.5, seed=1), 20) == "all tiers"
    assert series_label(line("x", "cheap", WHOLE, lambda _: 0.5, seed=1), 20) == "cheap"
    assert series_label(line("x", "cheap", BILLING, lambda _: 0.5, seed=1), 20) == "intent=billing"
