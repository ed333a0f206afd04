"""Naming: one bad segment, an even rise, and segments that only look bad."""

import numpy as np

from undertow.detectors.naming import WHOLE_TIER, name_segment

N = np.full((4, 1), 200.0)
RATE = np.full((4, 1), 0.08)


def named(failures, n=N, rate=RATE):
    failures = np.asarray(failures, float).reshape(4, 1)
    tier_rate = (n * rate).sum(0) / n.sum(0)
    return int(name_segment(failures.sum(0), n.sum(0), tier_rate, failures, n, rate)[0])


def test_one_bad_segment_is_named():
    assert named([16, 15, 60, 17]) == 2


def test_an_even_rise_is_the_whole_tier():
    assert named([32, 30, 34, 33]) == WHOLE_TIER


def test_the_largest_segment_is_not_blamed_for_being_large():
    n = np.array([[2000.0], [200.0], [200.0], [200.0]])
    assert named([320, 32, 31, 33], n) == WHOLE_TIER


def test_two_equally_bad_segments_are_not_told_apart():
    assert named([60, 15, 60, 16]) == WHOLE_TIER


def test_a_segment_that_was_always_bad_is_not_blamed():
    rate = np.array([[0.05], [0.05], [0.3], [0.05]])
    assert named([10, 9, 60, 26], rate=rate) == 3


def test_works_for_many_runs_and_strata_at_once():
    failures = np.stack([np.array([[8.0, 8], [8, 8], [30, 40], [8, 8]]), np.full((4, 2), 16.0)])
    n = np.broadcast_to(100.0, (2, 4, 2))
    rate = np.broadcast_to(0.08, (2, 4, 2))
    which, gain = name_segment(failures.sum(1), n.sum(1), rate[:, 0], failures, n, rate)
    assert which.tolist() == [2, WHOLE_TIER]
    assert gain.shape == (2, 4)
    assert (gain >= 0.0).all()
