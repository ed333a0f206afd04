"""Concurrent contrasts: the mean over the whole null by enumeration."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from undertow.stats.two_sample import CONTRAST_LOSSES, log_contrast_bets, predictable_rate, project_on_margin


@pytest.mark.parametrize("margin", [0.0, 0.02])
@pytest.mark.parametrize(("n_t", "n_r"), [(30, 30), (40, 5), (3, 25)])
def test_mean_is_at_most_one_everywhere_in_the_null(n_t, n_r, margin):
    k_t, k_r = np.meshgrid(np.arange(n_t + 1), np.arange(n_r + 1), indexing="ij")
    bets = np.exp(log_contrast_bets(k_t, n_t, k_r, n_r, margin, 0.1))
    largest = 0.0
    for p_r in (0.01, 0.05, 0.1, 0.3, 0.7, 0.97):
        for below in (0.0, 0.03):
            p_t = min(max(p_r + margin - below, 0.0), 1.0)
            probability = binom.pmf(k_t, n_t, p_t) * binom.pmf(k_r, n_r, p_r)
            mean = (probability[..., None] * bets).sum((0, 1))
            assert (mean <= 1.0 + 1e-9).all()
            largest = max(largest, mean.max())
    assert largest > 0.9  # the bound is nearly reached, so the bets are not merely timid


def test_projection_agrees_with_a_numerical_minimum():
    def entropy(q, p):
        return q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))

    for q_t, q_r, n_t, n_r, margin in ((0.3, 0.1, 50, 20, 0.02), (0.12, 0.05, 140, 10, 0.0), (0.9, 0.2, 5, 50, 0.1)):
        best = minimize_scalar(
            lambda r: n_t * entropy(q_t, r + margin) + n_r * entropy(q_r, r),  # noqa: B023
            bounds=(q_r, q_t - margin),
            method="bounded",
            options={"xatol": 1e-10},
        ).x
        assert float(project_on_margin(q_t, q_r, n_t, n_r, margin)) == pytest.approx(best, abs=1e-6)


def test_an_empty_arm_says_nothing():
    assert (log_contrast_bets(5, 10, 0, 0, 0.02, 0.1) == 0.0).all()
    assert (log_contrast_bets(0, 0, 5, 10, 0.02, 0.1) == 0.0).all()


def test_impossible_losses_are_not_bet_on():
    bets = log_contrast_bets(10, 10, 10, 10, 0.05, 0.97)
    assert np.isfinite(bets).all()
    assert bets.shape == (len(CONTRAST_LOSSES),)


def test_predictable_rate_uses_the_past_only():
    failures = np.array([3.0, 5.0, 50.0])
    rate = predictable_rate(failures, [30.0, 30.0, 30.0])
    changed = predictable_rate(np.array([3.0, 5.0, 0.0]), [30.0, 30.0, 30.0])
    assert (rate == changed).all()
    assert rate[2] == pytest.approx((8 + 1) / (60 + 10))
