"""Topic streams: the same evidence as a segment's, from the bucket in which the topic was known."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, labels, served
from undertow.detectors.quality_gap import StreamOptions
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.detectors.topic_streams import Topic, topic_streams
from undertow.records.label_grid import label_grid, signal_units

DAYS, CHANGE, KNOWN = 60, 45, 28


def stream_of(known_from=KNOWN, bucket_s=86_400, per_day=10):
    failures = np.where(np.arange(DAYS) < CHANGE, 1.0, 6.0)
    cells = build(
        served("capable", 100, days=DAYS),
        served("cheap", 100, days=DAYS),
        labels("cheap", 100, 6, days=DAYS),
        labels("cheap", per_day, failures, days=DAYS, segment="topic=a"),
    )
    unit = signal_units(cells)[0]
    grids = [label_grid(cells, unit, code, first_bucket=FIRST, buckets=DAYS) for code in (0, 1)]
    options = StreamOptions(bucket_s, 0, None, 0.02, 0.01)
    return topic_streams(unit, grids[0], {1: Topic(1, known_from, grids[1])}, options), failures


def test_evidence_is_that_of_the_detector_once_the_topic_is_known():
    (stream,), failures = stream_of()
    n = np.full((DAYS, 1), 10.0)
    expected = run_self_calibrating(failures[:, None], n, 3, 7)
    assert not stream.evidence[: KNOWN + 1].any()
    np.testing.assert_allclose(stream.evidence[KNOWN + 1 :], expected[KNOWN + 1 :], rtol=1e-9)
    assert stream.first_seen == KNOWN + 1
    assert (stream.role, stream.kind, stream.tier, stream.segment) == ("topic", "change", 0, 1)
    assert stream.evidence[CHANGE - 1] < 100 < stream.evidence[-1]


def test_a_topic_with_few_labels_by_then_is_not_watched():
    assert stream_of(known_from=0, per_day=9)[0] == []


def test_hours_count_by_days_and_are_known_at_the_days_end():
    (stream,), _ = stream_of(bucket_s=3_600)
    assert len(stream.evidence) == DAYS
    # 60 hours are two whole days: evidence moves only at their ends.
    assert len(np.unique(stream.evidence[KNOWN + 1 : 47])) == 1


def test_no_stream_of_the_capable_tier():
    streams, _ = stream_of()
    assert {stream.tier for stream in streams} == {0}


@pytest.mark.parametrize("known_from", [20, 40])
def test_cutting_the_log_changes_nothing_before_the_cut(known_from):
    (stream,), failures = stream_of(known_from)
    cut = 50
    expected = run_self_calibrating(failures[:cut, None], np.full((cut, 1), 10.0), 3, 7)
    np.testing.assert_allclose(stream.evidence[known_from + 1 : cut], expected[known_from + 1 :], rtol=1e-9)


def test_steering_that_looks_at_one_stratum_of_a_topic_is_no_change_of_it():
    """The tail of the topic fails five times as often as the rest, and steering sends fifty reviews a day to it from day 40 on."""
    tail = labels("cheap", 5, 1.0, days=DAYS, weight=10.0, segment="topic=a")
    rest = labels("cheap", 5, 0.2, days=DAYS, weight=30.0, stratum=1, segment="topic=a")
    more = labels("cheap", 50, 10.0, days=20, start=40, steered=1, segment="topic=a")
    cells = replace(build(served("cheap", 100, days=DAYS), tail, rest, more), strata={0: ("tail", "common")})
    unit = signal_units(cells)[0]
    grids = [label_grid(cells, unit, code, first_bucket=FIRST, buckets=DAYS) for code in (0, 1)]
    options = StreamOptions(86_400, 0, None, 0.02, 0.01)
    (stream,) = topic_streams(unit, grids[0], {1: Topic(1, KNOWN, grids[1])}, options)
    assert stream.evidence.max() < DAYS
