"""The spline: a line where a line is enough, a curve where labels say otherwise, and always rising."""

import numpy as np
import pytest
from scipy.special import expit

from undertow.calibration.spline import fit_spline, tilted


def fitted(rate, n=4000, seed=1, weight=None):
    rng = np.random.default_rng(seed)
    u = rng.normal(0.5, 1.5, n)
    good = rng.random(n) < rate(u)
    made = fit_spline(u, u, good, np.ones(n) if weight is None else weight)
    at = np.quantile(u, np.linspace(0.05, 0.95, 30))
    return made, np.interp(at, made.xs, made.ys), rate(at)


@pytest.mark.parametrize(
    "rate",
    [
        lambda u: expit(0.7 * u + 0.3),
        lambda u: 0.2 + 0.6 * expit(4 * u),
        lambda u: np.where(u < 0, 0.4, 0.9),
        lambda u: 1 - 0.9 * expit(-u),
    ],
)
def test_a_rate_that_rises_comes_back(rate):
    _, found, truth = fitted(rate)
    assert np.abs(found - truth).mean() < 0.03


def test_it_rises_everywhere_even_where_labels_fall():
    made, found, _ = fitted(lambda u: 0.5 + 0.3 * np.sin(u))
    assert (np.diff(made.ys) > 0).all()
    assert (np.diff(made.xs) > 0).all()
    assert 0.0 < min(made.ys) < max(made.ys) < 1.0
    assert (np.diff(found) >= 0).all()


def test_knots_reach_from_the_least_score_to_the_largest_and_ties_do_no_harm():
    rng = np.random.default_rng(2)
    u = rng.choice([-1.0, 0.0, 2.0], 900)
    made = fit_spline(u, u, rng.random(900) < expit(u), np.ones(900))
    assert (made.xs[0], made.xs[-1]) == (-1.0, 2.0)
    assert np.interp([-1.0, 0.0, 2.0], made.xs, made.ys) == pytest.approx(expit([-1.0, 0.0, 2.0]), abs=0.08)


def test_it_is_a_function_of_the_score_and_not_of_its_log_odds():
    rng = np.random.default_rng(3)
    u = rng.normal(size=2000)
    good = rng.random(2000) < expit(u)
    made = fit_spline(expit(u), u, good, np.ones(2000))
    assert 0.0 < made.xs[0] < made.xs[-1] < 1.0
    assert np.interp(expit([-1.0, 1.0]), made.xs, made.ys) == pytest.approx(expit([-1.0, 1.0]), abs=0.05)


def test_scaling_weights_changes_nothing_and_weights_count():
    weight = np.random.default_rng(4).choice([1.0, 5.0], 4000)
    one, other = fitted(expit, weight=weight)[0], fitted(expit, weight=weight * 3)[0]
    assert one.ys == pytest.approx(other.ys)
    assert one.ys != fitted(expit)[0].ys


def test_a_flat_stretch_is_tilted_by_a_thousandth_in_all():
    assert tilted(np.full(5, 0.8))[-1] - tilted(np.full(5, 0.8))[0] == pytest.approx(1e-3)
    assert max(np.abs(np.array(tilted(np.linspace(0, 1, 9))) - np.linspace(0, 1, 9))) <= 1e-3
