"""Rises of failure rates, partially pooled: what must hold of them whatever the counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import StatisticalError
from undertow.stats.pooled_rises import RATIOS, RiseCounts, expected_rises


def counts(failures, labels, usual=0.08, flags=0, pairs=0, share=1.0):
    shape = np.shape(failures)
    full = [np.broadcast_to(np.asarray(x, dtype=float), shape).copy() for x in (share, failures, labels, usual, flags, pairs)]  # fmt: skip
    return RiseCounts(*full, np.full(shape, 0.12))


def of_segments(failures, labels, **more):
    """One stratum each."""
    column = {name: np.asarray(value, dtype=float)[:, None] if np.ndim(value) else value for name, value in more.items()}  # fmt: skip
    return counts(np.asarray(failures)[:, None], np.asarray(labels)[:, None], **column)


def test_a_segment_nobody_looked_at_gets_what_the_others_have():
    seen = expected_rises(of_segments([60, 60, 0], [300, 300, 0]))
    none = expected_rises(of_segments([24, 24, 0], [300, 300, 0]))
    assert seen.expected[2] > 0.05
    assert 0 < none.expected[2] < 0.03


def test_with_many_labels_the_segment_speaks_for_itself():
    found = expected_rises(of_segments([3600, 1600], [20_000, 20_000])).expected
    assert found == pytest.approx([0.10, 0.0], abs=0.006)


def test_few_labels_are_drawn_towards_the_others():
    alone = expected_rises(of_segments([8], [40])).expected[0]
    among_calm = expected_rises(of_segments([8, 80, 80, 80], [40, 1000, 1000, 1000])).expected[0]
    assert among_calm < alone < 0.12


def test_a_judge_that_drifts_everywhere_is_believed_less_than_one_that_points_somewhere():
    everywhere = expected_rises(of_segments([32] * 6, [400] * 6, flags=[160] * 6, pairs=[1000] * 6)).expected
    somewhere = expected_rises(of_segments([32] * 6, [400] * 6, flags=[220] + [120] * 5, pairs=[1000] * 6)).expected
    assert everywhere.max() < 0.02, "people found nothing: the judge rose by four points in all segments alike"
    assert somewhere[0] > 0.05
    assert somewhere[1:].max() < 0.02


def test_strata_are_weighed_by_traffic_and_not_by_labels():
    # The tail is a fifth of the traffic, has half of the labels and rises by ten points; the rest does not rise.
    share = np.array([[0.8, 0.2]])
    found = expected_rises(counts([[800, 1800]], [[10_000, 10_000]], share=share)).expected[0]
    # The model lets the common stratum rise by an eighth of the tail's at the least.
    at_most = (0.8 + 0.2 * RATIOS[-1]) / RATIOS[-1] * 0.1
    assert 0.015 < found <= at_most


def test_runs_are_independent():
    few = of_segments([30, 12], [120, 120])
    both = replace(few, failures=np.stack([few.failures, few.failures[::-1]]), labels=np.stack([few.labels] * 2),
                   flags=np.zeros((2, 2, 1)), pairs=np.zeros((2, 2, 1)))  # fmt: skip
    found = expected_rises(both)
    assert found.expected[0] == pytest.approx(expected_rises(few).expected)
    assert found.expected[1] == pytest.approx(found.expected[0][::-1])


segments = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(segments, st.integers(0, 5), st.integers(1, 30))
def test_more_failures_lower_no_segments_rise(pairs, which, more):
    failures = np.array([k for k, _ in pairs])
    labels = failures + np.array([rest for _, rest in pairs]) + 30
    before = expected_rises(of_segments(failures, labels)).expected
    failures[which % len(pairs)] += more
    after = expected_rises(of_segments(failures, labels)).expected
    assert np.all(after >= before - 1e-9)


@settings(deadline=None, max_examples=40)
@given(segments, st.integers(0, 5), st.integers(1, 30), st.integers(0, 1))
def test_more_failures_in_a_stratum_do_not_lower_the_segments_own_rise(pairs, which, more, stratum):
    common = np.array([[k, k // 2] for k, _ in pairs])
    labels = common + np.array([[rest, rest] for _, rest in pairs]) + 30
    share, which = np.array([[0.8, 0.2]] * len(pairs)), which % len(pairs)
    before = expected_rises(counts(common, labels, share=share)).expected[which]
    common[which, stratum] += more
    assert expected_rises(counts(common, labels, share=share)).expected[which] >= before * (1.0 - 1e-9)


@settings(deadline=None, max_examples=40)
@given(segments, st.randoms(use_true_random=False))
def test_the_order_of_segments_does_not_matter(pairs, random):
    failures = np.array([k for k, _ in pairs])
    labels = failures + np.array([rest for _, rest in pairs])
    order = list(range(len(pairs)))
    random.shuffle(order)
    found = expected_rises(of_segments(failures, labels)).expected
    assert expected_rises(of_segments(failures[order], labels[order])).expected == pytest.approx(found[order])


def test_the_probability_beyond_a_margin_falls_with_the_margin():
    found = expected_rises(of_segments([30, 10], [120, 120]))
    beyond = [found.beyond(margin) for margin in (0.0, 0.02, 0.1, 0.9)]
    assert beyond[0] == pytest.approx([1.0, 1.0])
    assert np.all(np.diff(beyond, axis=0) <= 0)
    assert np.all(beyond[-1] == 0.0)


@pytest.mark.parametrize("usual", [0.0, 1.0, np.nan])
def test_a_usual_rate_at_the_edge_is_refused(usual):
    with pytest.raises(StatisticalError, match="inside"):
        expected_rises(of_segments([1], [10], usual=usual))


@pytest.mark.parametrize(("failures", "labels"), [(-1, 10), (11, 10), (np.nan, 10)])
def test_impossible_counts_are_refused(failures, labels):
    with pytest.raises(StatisticalError, match="from 0 failures"):
        expected_rises(of_segments([failures], [labels]))
