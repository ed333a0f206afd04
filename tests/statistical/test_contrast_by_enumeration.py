"""Concurrent contrasts: the mean over the whole null by enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from undertow.stats.contrast import log_contrast_bets, project_to_halfspace


def mean_bets(sizes, rates, coef, bound, alternatives):
    counts = np.array(list(product(*(range(n + 1) for n in sizes))), float)
    probability = np.prod(
        [binom.pmf(counts[:, g], n, p) for g, (n, p) in enumerate(zip(sizes, rates, strict=True))], axis=0
    )
    n = np.broadcast_to(np.array(sizes, float), counts.shape)
    bet_on = np.asarray(alternatives, float)
    bet_on = np.broadcast_to(bet_on, (len(counts), *bet_on.shape))
    bets = log_contrast_bets(counts, n, np.array(coef), np.array(bound), bet_on)
    return probability @ np.exp(bets)


@pytest.mark.parametrize("margin", [0.0, 0.02])
@pytest.mark.parametrize("sizes", [(16, 16), (24, 4), (3, 20)])
def test_two_arms_mean_is_at_most_one_everywhere_in_the_null(sizes, margin):
    alternatives = [[0.1 + margin + loss, 0.1] for loss in (0.02, 0.1, 0.4)]
    largest = 0.0
    for p_r, below in product((0.01, 0.05, 0.1, 0.3, 0.7, 0.97), (0.0, 0.03)):
        mean = mean_bets(sizes, (min(max(p_r + margin - below, 0.0), 1.0), p_r), (1.0, -1.0), margin, alternatives)
        assert (mean <= 1.0 + 1e-9).all()
        largest = max(largest, mean.max())
    assert largest > 0.8  # the bound is nearly reached: the bets are not merely timid


@pytest.mark.parametrize("holdout_rate", [0.02, 0.1, 0.4])
def test_three_groups_of_a_diluted_treatment(holdout_rate):
    # Cheap (share .6) and escalated against the holdout: .6 p_c + .4 p_e - p_h <= .6 * .02.
    coef, bound = (0.6, 0.4, -1.0), 0.012
    alternatives = [[holdout_rate + 0.2, holdout_rate, holdout_rate]]
    for p_e in (0.5 * holdout_rate, holdout_rate, 1.2 * holdout_rate):
        p_c = (bound + holdout_rate - 0.4 * p_e) / 0.6
        assert (mean_bets((8, 5, 6), (p_c, p_e, holdout_rate), coef, bound, alternatives) <= 1.0 + 1e-9).all()


def test_fixed_reference_is_the_plain_bet():
    from undertow.stats.betting import bet_rates, log_bernoulli_bets

    q = bet_rates(0.07)
    bets = log_contrast_bets(np.array([12.0]), np.array([100.0]), np.array([1.0]), np.array(0.07), q[:, None])
    assert bets == pytest.approx(log_bernoulli_bets(12, 100, 0.07), abs=1e-6)


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
        q, n = np.array([q_t, q_r]), np.array([float(n_t), float(n_r)])
        found = project_to_halfspace(q, n, np.array([1.0, -1.0]), np.array(margin))
        assert found == pytest.approx([best + margin, best], abs=1e-6)


def test_an_alternative_inside_the_null_is_no_bet_and_an_empty_arm_says_nothing():
    coef, bound = np.array([1.0, -1.0]), np.array(0.02)
    alternatives = np.array([[0.3, 0.1]])
    inside = np.array([[0.1, 0.1]])
    assert (log_contrast_bets(np.array([9.0, 1.0]), np.array([10.0, 10.0]), coef, bound, inside) == 0.0).all()
    assert log_contrast_bets(np.array([9.0, 0.0]), np.array([10.0, 0.0]), coef, bound, alternatives) == pytest.approx(
        0.0, abs=1e-6
    )
    assert log_contrast_bets(np.array([0.0, 5.0]), np.array([0.0, 10.0]), coef, bound, alternatives) == pytest.approx(
        0.0, abs=1e-6
    )
