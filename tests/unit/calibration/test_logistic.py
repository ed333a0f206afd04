"""Logistic regression, held to scikit-learn's."""

import numpy as np
import pytest
from scipy.special import expit

from undertow.calibration.logistic import fit_logistic


def test_it_agrees_with_scikit_learn_in_several_columns_with_weights():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 3))
    good = rng.random(600) < expit(x @ [1.0, -0.5, 0.0] + 0.3)
    weight = rng.choice([1.0, 3.0], 600)
    intercept, coefficients = fit_logistic(x, good, weight, ridge=1.0)
    better, worse = good.sum(), (~good).sum()
    sure = np.where(good, (better + 1) / (better + 2), (worse + 1) / (worse + 2))
    scaled = weight * weight.sum() / (weight**2).sum()
    there = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(
        np.tile(x, (2, 1)), np.append(good, ~good), sample_weight=np.append(scaled * sure, scaled * (1 - sure))
    )
    assert coefficients == pytest.approx(there.coef_[0], abs=1e-4)
    assert intercept == pytest.approx(there.intercept_[0], abs=1e-4)


def test_separable_labels_have_finite_coefficients_and_far_values_do_no_harm():
    x = np.append(np.linspace(-3, 3, 40), [1e4, -1e4])[:, None]
    intercept, coefficients = fit_logistic(x, x[:, 0] > 0, np.ones(42))
    assert np.isfinite([intercept, *coefficients]).all()
    assert coefficients[0] > 0


def test_scaling_weights_changes_nothing():
    rng = np.random.default_rng(2)
    x, weight = rng.normal(size=(300, 1)), rng.choice([1.0, 5.0], 300)
    good = rng.random(300) < expit(x[:, 0])
    one, other = fit_logistic(x, good, weight), fit_logistic(x, good, weight * 7.0)
    assert one[0] == pytest.approx(other[0])
    assert one[1] == pytest.approx(other[1])
