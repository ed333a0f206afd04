"""Weighted counts per stratum: what must hold of any labels, however they were drawn."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from undertow.estimators.by_stratum import StratumSums

DRAWN = st.lists(
    st.tuples(st.floats(1.0, 500.0), st.floats(0.0, 1.0), st.booleans(), st.integers(0, 4)), min_size=1, max_size=40
)


def sums_of(drawn, scale=1.0):
    """Sums of labels (weight, failure, whether a pair, bucket) of one stratum; a pair loses what it fails by."""
    out = np.zeros((6, 5, 1))
    for weight, failed, is_pair, bucket in drawn:
        v = weight / scale
        out[:, bucket, 0] += [v, v**2, v * failed, v * is_pair, v * failed * is_pair, weight]
    return StratumSums(*out)


@given(DRAWN)
def test_never_more_labels_than_there_are_and_rates_between_nothing_and_all(drawn):
    found = sums_of(drawn).counts(0, 5)
    assert 1.0 - 1e-9 <= found.n[0] <= len(drawn) * (1 + 1e-9)
    assert 0.0 <= found.failures[0] <= found.n[0]
    assert abs(found.lost[0]) <= found.n[0]
    assert 0.0 <= found.paired[0] <= 1.0 + 1e-9


@given(DRAWN, st.floats(1.0, 1e4))
def test_the_scale_of_the_weights_does_not_matter(drawn, scale):
    one, other = sums_of(drawn).counts(0, 5), sums_of(drawn, scale).counts(0, 5)
    np.testing.assert_allclose(one.n, other.n, rtol=1e-9)
    np.testing.assert_allclose(one.failures, other.failures, rtol=1e-9, atol=1e-12)
    assert one.requests == other.requests


@given(DRAWN, DRAWN)
def test_a_tier_without_a_part_of_it_is_the_other_part(one, other):
    left = sums_of(one + other).minus(sums_of(one)).counts(0, 5)
    alone = sums_of(other).counts(0, 5)
    np.testing.assert_allclose(left.n, alone.n, rtol=1e-4)
    np.testing.assert_allclose(left.failures, alone.failures, rtol=1e-4, atol=1e-3)
