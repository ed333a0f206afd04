"""One segment over time."""

import pytest

from cells_factory import build, labels, served
from undertow.records.report import AuditSettings
from undertow.services.place_series import find_segment, place_series

CELLS = build(
    served("cheap", 60, days=28, segment="intent=billing"),
    served("capable", 40, days=28, segment="intent=billing"),
    served("cheap", 500, days=28, segment="intent=account"),
    labels("cheap", 10, 2, days=28, segment="intent=billing"),
    labels("cheap", 10, 0, days=28, segment="intent=account"),
    segments=("key=a=b",),
)


def test_only_the_segment_counts():
    told = place_series(CELLS, AuditSettings(), find_segment(CELLS, "intent=billing"))
    assert (str(told.segment), told.decisions, told.signal) == ("intent=billing", 2800, "review.accuracy")
    assert [line.tier for line in told.quality] == [None, "cheap"]  # nobody judged the capable tier here
    assert {round(point.mean, 6) for line in told.quality for point in line.points} == {0.8}
    shares = {line.tier: line.points[0].mean for line in told.share}
    assert shares == {"cheap": pytest.approx(0.6), "capable": pytest.approx(0.4)}


def test_the_whole_tier_is_a_segment_too_and_one_without_labels_has_no_lines():
    assert place_series(CELLS, AuditSettings(), 0).decisions == 28 * 600
    code = find_segment(CELLS, "key=a=b")
    told = place_series(CELLS, AuditSettings(), code)
    assert (str(told.segment), told.decisions, told.quality) == ("key=a=b", 0, ())
    without = place_series(build(served("cheap", 5, days=3)), AuditSettings(), 0)
    assert (without.signal, without.quality) == (None, ())


def test_a_segment_is_found_by_its_text():
    assert find_segment(CELLS, "") == find_segment(CELLS, "whole tier") == 0
    assert find_segment(CELLS, "intent=nope") is None
