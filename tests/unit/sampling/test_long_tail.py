"""The long-tail score: bounded, monotone, and what is unknown neither in the tail nor kept out of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.sampling.long_tail import TYPICAL_CONFIDENCE, long_tail_score

shares = st.floats(0, 1)
known = st.none() | shares
distances = st.none() | st.floats(0, 1e6)


@given(known, distances, known)
def test_it_lies_in_the_unit_interval(confidence, novelty, disagreement):
    assert 0.0 <= long_tail_score(confidence, novelty, disagreement) <= 1.0


@given(shares, shares, distances, known)
def test_less_confidence_never_lowers_it(one, other, novelty, disagreement):
    low, high = sorted((one, other))
    assert long_tail_score(low, novelty, disagreement) >= long_tail_score(high, novelty, disagreement)


@given(known, st.floats(0, 1e6), st.floats(0, 1e6), known)
def test_more_novelty_never_lowers_it(confidence, one, other, disagreement):
    low, high = sorted((one, other))
    assert long_tail_score(confidence, high, disagreement) >= long_tail_score(confidence, low, disagreement)


@given(known, distances, shares, shares)
def test_more_disagreement_never_lowers_it(confidence, novelty, one, other):
    low, high = sorted((one, other))
    assert long_tail_score(confidence, novelty, high) >= long_tail_score(confidence, novelty, low)


def test_each_of_the_three_alone_moves_it():
    calm = long_tail_score(0.9, 0.1, 0.0)
    assert long_tail_score(0.5, 0.1, 0.0) > calm
    assert long_tail_score(0.9, 0.8, 0.0) > calm
    assert long_tail_score(0.9, 0.1, 0.5) > calm


def test_what_is_unknown_ranks_in_the_middle():
    assert long_tail_score(0.95) < long_tail_score() == pytest.approx(1.0 - TYPICAL_CONFIDENCE)
    assert long_tail_score() < long_tail_score(0.6)
    assert long_tail_score(0.9, None, None) == long_tail_score(0.9, 0.0, 0.0)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_counts_as_unknown(odd):
    assert long_tail_score(odd, odd, odd) == long_tail_score()


def test_what_is_out_of_range_counts_as_its_end():
    assert long_tail_score(7.0, -3.0, -1.0) == long_tail_score(1.0, 0.0, 0.0) == 0.0
    assert long_tail_score(-1.0, 0.0, 9.0) == 1.0
