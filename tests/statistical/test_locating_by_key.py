"""Locating: one bad segment, an even rise, and segments that only look bad."""

import numpy as np
import pytest

from undertow.detectors.locating import segment_of_rise


def located(before, after, n_before=400.0, n_after=200.0, keys="one"):
    before, after = np.asarray(before, float)[:, None], np.asarray(after, float)[:, None]
    n_before, n_after = (
        np.broadcast_to(x, (len(before), 1)) if np.ndim(x) == 0 else np.asarray(x, float)[:, None]
        for x in (n_before, n_after)
    )
    with_total = [np.concatenate([x.sum(0, keepdims=True), x]) for x in (before, n_before, after, n_after)]
    return segment_of_rise(*with_total, keys=np.zeros(len(before)) if keys == "one" else keys)


@pytest.mark.parametrize("keys", ["one", None])
def test_one_bad_segment_is_named(keys):
    assert located([32, 30, 34, 33], [16, 15, 60, 17], keys=keys) == 2


@pytest.mark.parametrize("keys", ["one", None])
def test_an_even_rise_is_the_whole_tier(keys):
    assert located([32, 30, 34, 33], [32, 30, 34, 33], keys=keys) is None


@pytest.mark.parametrize("keys", ["one", None])
def test_a_segment_that_was_always_bad_is_not_blamed(keys):
    assert located([20, 20, 120, 20], [10, 10, 60, 30], keys=keys) == 3


def test_two_equally_bad_segments_are_not_told_apart():
    assert located([32, 32, 32, 32], [60, 15, 60, 16]) is None


def test_segments_of_another_key_do_not_have_to_be_led():
    # The last two split the same requests another way; one of them holds the bad segment and more.
    before, after = [32.0, 30, 34, 48, 48], [16.0, 15, 60, 33, 58]
    n_before, n_after = np.array([400.0, 400, 400, 600, 600]), np.array([200.0, 200, 200, 300, 300])
    total = [x[:3].sum() for x in (np.array(before), n_before, np.array(after), n_after)]
    parts = [np.r_[t, x][:, None] for t, x in zip(total, (before, n_before, after, n_after), strict=True)]
    assert segment_of_rise(*parts, keys=np.array([0, 0, 0, 1, 1])) == 2


def test_strata_are_compared_one_by_one():
    # A segment with more long-tail labels has more failures; within each stratum nothing differs.
    n = np.array([[100.0, 20.0], [100.0, 20.0], [20.0, 100.0]])
    before, after = n * np.array([0.05, 0.3]), n * np.array([0.10, 0.35])
    with_total = [np.concatenate([x.sum(0, keepdims=True), x]) for x in (before, n, after, n)]
    assert segment_of_rise(*with_total, keys=np.zeros(3)) is None


def test_a_tier_without_segments_or_labels():
    one = np.ones((1, 1))
    assert segment_of_rise(one, one, one, one) is None
    zero = np.zeros((3, 1))
    assert segment_of_rise(zero, zero, zero, zero, keys=np.zeros(2)) is None
