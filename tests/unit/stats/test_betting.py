"""Bets: exact means under the null by enumeration, no simulation needed."""

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from undertow.errors import StatisticalError
from undertow.stats.betting import (
    BET_MULTIPLIERS,
    bet_rates,
    log_bernoulli_bets,
    log_pair_bets,
    log_ratio_bets,
    log_stratified_bets,
)


def mean_bet(n, p, m, bets=log_bernoulli_bets):
    k = np.arange(n + 1)
    return binom.pmf(k, n, p) @ np.exp(bets(k, n, m))


@pytest.mark.parametrize("m", [0.01, 0.07, 0.4, 0.95])
@pytest.mark.parametrize("n", [1, 7, 140])
def test_mean_is_one_at_the_null_rate_and_less_below(n, m):
    assert mean_bet(n, m, m) == pytest.approx(np.ones(len(BET_MULTIPLIERS)), abs=1e-9)
    assert (mean_bet(n, 0.7 * m, m) < 1.0).all()
    assert (mean_bet(n, min(1.3 * m, 0.99), m) > 1.0).all()


def test_fractional_failures_gain_no_more_than_whole_ones():
    # y = 0 or 1/2 or 1 with mean m: the factor is convex in y, so its mean is at most that of 0/1 labels.
    m, values = 0.2, np.array([0.0, 0.5, 1.0])
    probability = np.array([0.7, 0.2, 0.1])
    assert probability @ values == pytest.approx(m)
    assert (probability @ np.exp(log_bernoulli_bets(values, 1.0, m)) < 1.0).all()


def test_bets_leave_room_below_certainty():
    q = bet_rates(np.array([0.01, 0.3, 0.9]))
    assert (q > np.array([[0.01], [0.3], [0.9]])).all()
    assert (q < 1.0).all()


def test_a_null_of_one_cannot_be_refuted_and_a_null_of_zero_is_refused():
    assert (log_bernoulli_bets(5, 5, 1.0) == 0.0).all()
    with pytest.raises(StatisticalError, match="above 0"):
        log_bernoulli_bets(1, 5, 0.0)


def test_ratio_bets_hold_under_unequal_inclusion():
    # A label comes from stratum h with probability proportional to share_h / w_h; E[w (y - m)] = 0 at the traffic's mean m.
    share, rates, weights = np.array([0.2, 0.8]), np.array([0.25, 0.04]), np.array([2.0, 20.0])
    m = share @ rates
    drawn = share / weights / (share / weights).sum()
    expectation = np.zeros(len(BET_MULTIPLIERS))
    for chance, rate, weight in zip(drawn, rates, weights, strict=True):
        for y, probability in ((1, rate), (0, 1 - rate)):
            expectation += chance * probability * np.exp(log_ratio_bets(weight * y, weight, 20.0, m))
    assert (expectation <= 1.0 + 1e-12).all()
    # The scale of the weights does not matter.
    assert np.allclose(log_ratio_bets(3.0, 40.0, 20.0, m), log_ratio_bets(0.3, 4.0, 2.0, m))


@pytest.mark.parametrize("rates", [(0.07, 0.07), (0.15, 0.05), (0.0, 0.0875), (0.3, 0.0125)])
def test_stratified_bets_hold_for_any_split_of_the_mean(rates):
    quota, weights, m = np.array([20, 20]), np.array([0.4, 1.6]), 0.07
    assert (quota * weights) @ np.array(rates) / quota.sum() == pytest.approx(m)
    k0, k1 = np.meshgrid(np.arange(21), np.arange(21), indexing="ij")
    probability = binom.pmf(k0, 20, rates[0]) * binom.pmf(k1, 20, rates[1])
    log_bets = log_stratified_bets(np.stack([k0 * 0.4, k1 * 1.6], -1), quota * weights, weights, m)
    assert ((probability[..., None] * np.exp(log_bets)).sum((0, 1)) <= 1.0 + 1e-9).all()


def test_stratified_bets_ignore_empty_strata_and_stay_finite_with_heavy_weights():
    with_empty = log_stratified_bets([12.0, 0.0], [100.0, 0.0], [1.0, 0.0], 0.05)
    assert np.allclose(with_empty, log_bernoulli_bets(12, 100, 0.05))
    assert np.isfinite(log_stratified_bets([0.0, 50.0], [100.0, 50.0], [1.0, 50.0], 0.05)).all()
    with pytest.raises(StatisticalError, match="inside"):
        log_stratified_bets([1.0], [10.0], [1.0], 1.0)


@pytest.mark.parametrize("margin", [0.0, 0.02, 0.1])
def test_pair_bets_hold_at_the_margin(margin):
    n, tie = 12, 0.6
    up = (1 - tie + margin) / 2
    outcomes = np.array([(u, d) for u in range(n + 1) for d in range(n + 1 - u)])
    counts = np.column_stack([outcomes, n - outcomes.sum(1)])
    probability = multinomial.pmf(counts, n, [up, 1 - tie - up, tie])
    log_bets = log_pair_bets(n, outcomes[:, 0], outcomes[:, 1], margin)
    assert probability @ np.exp(log_bets) == pytest.approx(np.ones(log_bets.shape[-1]), abs=1e-9)
    # A pair that is half a loss is worth no more than the chord between a tie and a loss.
    half = np.exp(log_pair_bets(1, 0.5, 0.0, margin))
    direct = np.exp(0.5 * (log_pair_bets(1, 1.0, 0.0, margin) + log_pair_bets(1, 0.0, 0.0, margin)))
    assert np.allclose(half, direct)


def test_shapes_broadcast_over_runs_and_streams():
    assert log_bernoulli_bets(np.zeros((5, 4)), 10, np.full(4, 0.1)).shape == (5, 4, 9)
    assert log_pair_bets(np.ones((3, 2)), 0, 0, 0.02).shape == (3, 2, 9)
