"""Where labels go: floors, totals and shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import StatisticalError
from undertow.sampling.steering import (
    FOCUS,
    STEERING_LINE,
    base_shares,
    steer_in_proportion,
    steer_to_top,
    whole_labels,
)

evidence = st.lists(st.floats(0.0, 1e130), min_size=2, max_size=12)


@given(evidence, st.floats(1.0, 500.0))
def test_every_cell_keeps_its_floor_and_the_labels_add_up(seen, labels):
    base = np.full(len(seen), 1.0 / len(seen))
    for allocation in (steer_in_proportion(seen, base, labels), steer_to_top(seen, base, labels)):
        assert allocation.labels.sum() == pytest.approx(labels)
        assert (allocation.base >= (1.0 - FOCUS) * labels * base - 1e-9).all()
        assert (allocation.extra >= 0.0).all()


def test_labels_follow_the_evidence():
    base = np.array([0.25, 0.25, 0.5])
    calm = steer_in_proportion([1.0, 1.0, 1.0], base, 100.0)
    assert calm.extra.sum() < 20.0, "what a calm week brings moves little"
    some = steer_in_proportion([30.0, 30.0, 1.0], base, 100.0)
    assert some.extra[0] == some.extra[1] > 25.0, "several suspicious cells share"
    much = steer_in_proportion([1e6, 30.0, 1.0], base, 100.0)
    assert much.extra[0] == pytest.approx(80.0, rel=1e-3)


def test_the_line_decides_for_the_top_cell():
    base = np.array([0.5, 0.5])
    assert (steer_to_top([1.0, STEERING_LINE - 0.1], base, 10.0).extra == 0.0).all()
    assert steer_to_top([1.0, STEERING_LINE], base, 10.0).extra.tolist() == [0.0, 7.0]
    assert steer_to_top(np.array([[90.0, 1.0], [1.0, 1.0]]), base, 10.0).extra.tolist() == [[7.0, 0.0], [0.0, 0.0]]


def test_nothing_may_take_all_labels():
    with pytest.raises(StatisticalError, match="every cell keeps"):
        steer_in_proportion([1.0], [1.0], 10.0, focus=1.0)


def test_base_shares_spread_over_small_segments():
    traffic = np.array([[0.72, 0.18], [0.08, 0.02]])
    shares = base_shares(traffic)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[:, 1].sum() == pytest.approx(0.7)
    assert shares[1, 1] > 2 * base_shares(traffic, even_share=0.0)[1, 1]


@given(st.lists(st.floats(0.0, 40.0), min_size=1, max_size=12), st.floats(0.0, 0.999))
def test_whole_labels_are_within_one_of_what_is_expected(expected, offset):
    n = whole_labels(expected, offset)
    assert (np.abs(n - expected) < 1.0 + 1e-6).all()
    assert abs(n.sum() - sum(expected)) < 1.0 + 1e-6


def test_whole_labels_have_the_right_mean():
    n = whole_labels(np.tile([0.3, 1.5, 2.2], (20_000, 1)), np.random.default_rng(1).random(20_000))
    assert n.mean(0) == pytest.approx([0.3, 1.5, 2.2], abs=0.02)
