"""Day effects: exact means over the Beta-binomial class, and estimates from daily counts."""

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from undertow.stats.betting import log_bernoulli_bets
from undertow.stats.day_effects import (
    corrected_bets,
    estimate_day_effect,
    log_mean_bet,
    log_overdispersed_bets,
)


def pmf(n, m, rho):
    k = np.arange(n + 1)
    return binom.pmf(k, n, m) if rho == 0 else betabinom.pmf(k, n, m * (1 / rho - 1), (1 - m) * (1 / rho - 1))


@pytest.mark.parametrize("kind", ["corrected", "overdispersed"])
@pytest.mark.parametrize(
    ("n", "m", "bound"), [(50, 0.03, 0.01), (140, 0.07, 0.005), (140, 0.07, 0.05), (10, 0.2, 0.02), (60, 0.005, 0.01)]
)
def test_mean_is_at_most_one_for_every_lower_mean_and_correlation(kind, n, m, bound):
    k = np.arange(n + 1)
    if kind == "corrected":
        bets = np.exp(corrected_bets(log_bernoulli_bets(k, n, m), n, m, bound))
    else:
        bets = np.exp(log_overdispersed_bets(k, n, m, bound))
    for rate in (m, 0.9 * m, 0.5 * m):
        for rho in (0.0, bound / 10, bound / 2, bound):
            assert (pmf(n, rate, rho) @ bets <= 1.0 + 1e-8).all()
    assert pmf(n, m, bound) @ bets == pytest.approx(np.ones(bets.shape[-1]), abs=1e-7)


def test_uncorrected_bets_are_no_e_values_under_day_effects():
    k = np.arange(51)
    means = pmf(50, 0.03, 0.01) @ np.exp(log_bernoulli_bets(k, 50, 0.03))
    assert means.max() > 10.0
    assert np.allclose(np.log(means), log_mean_bet(50, 0.03, 0.01))


def test_without_correlation_nothing_is_corrected():
    plain = log_bernoulli_bets([3, 9], 50, 0.05)
    assert (corrected_bets(plain, 50, 0.05, 0.0) == plain).all()
    assert (log_overdispersed_bets([3, 9], 50, 0.05, 0.0) == plain).all()
    mixed = log_overdispersed_bets([9, 9], 50, 0.05, [0.0, 0.02])
    assert (mixed[0] == plain[1]).all()
    assert (mixed[1] < plain[1]).all()


def test_bets_of_one_label_and_of_certainty():
    assert (log_mean_bet(1, 0.1, 0.05) == 0.0).all()
    assert (log_overdispersed_bets(5, 5, 1.0, 0.01) == 0.0).all()
    assert np.isfinite(log_overdispersed_bets(5, 5, 0.99, 0.5)).all()


def test_estimate_finds_the_correlation_it_was_given_and_bounds_it():
    rng = np.random.default_rng(6)
    rates = rng.beta(0.07 * 49, 0.93 * 49, (300, 40))  # rho = 0.02
    effects = [estimate_day_effect(rng.binomial(140, row), np.full(40, 140)) for row in rates]
    assert np.mean([e.rho for e in effects]) == pytest.approx(0.02, rel=0.15)
    covered = np.mean([e.rho_upper >= 0.02 for e in effects])
    assert covered >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300) - 0.02  # chi-square is an approximation
    assert estimate_day_effect(rng.binomial(140, 0.07, 40), np.full(40, 140)).rho_upper < 0.02


@pytest.mark.parametrize(
    ("k", "n"), [([1] * 5, [10] * 5), ([0] * 30, [10] * 30), ([10] * 30, [10] * 30), ([1] * 30, [1] * 30)]
)
def test_too_little_to_estimate_from(k, n):
    assert estimate_day_effect(k, n) is None
