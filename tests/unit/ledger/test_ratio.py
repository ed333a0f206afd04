"""Ratios of clustered sums."""

import numpy as np
import pytest

from undertow.ledger.ratio import per_cluster, ratio_of


def test_sums_are_by_cluster_and_empty_ones_count_as_nothing():
    assert per_cluster(np.array([3, 0, 3]), np.array([1.5, 2.0, 1.0]), 5).tolist() == [2.0, 0.0, 0.0, 2.5, 0.0]


@pytest.mark.parametrize("decisions", [[0.0, 0.0], [5.0, 0.0]])
def test_fewer_than_two_clusters_give_no_ratio(decisions):
    assert ratio_of(np.array([1.0, 0.0]), np.array(decisions)) is None


def test_influence_estimates_the_standard_error_of_the_ratio():
    # Users differ in how often they ask and in their own rate: treating requests as independent would be far too sure.
    rng, clusters, rounds = np.random.default_rng(7), 200, 2_000
    ratios, variances = [], []
    for _ in range(rounds):
        decisions = rng.poisson(20, clusters).astype(float)
        events = rng.binomial(decisions.astype(int), rng.beta(1, 9, clusters)).astype(float)
        found = ratio_of(events, decisions)
        assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)
        ratios.append(found.value)
        variances.append((found.influence**2).sum())
    # The relative standard error of a variance of 2,000 rounds is sqrt(2 / 2,000), 3.2 %; four of those.
    assert np.mean(variances) == pytest.approx(np.var(ratios, ddof=1), rel=0.13)
