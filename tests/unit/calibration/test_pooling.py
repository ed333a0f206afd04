"""Pooling adjacent violators, held to SciPy's isotonic regression."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from undertow.calibration.pooling import made_rising


@pytest.mark.parametrize("seed", range(20))
def test_it_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    values = np.linspace(0, rng.uniform(-1, 2), n) + rng.normal(size=n)
    if seed % 2:
        values = values.round(0)
    weight = rng.uniform(0.1, 9.0, n)
    assert made_rising(values, weight) == pytest.approx(isotonic_regression(values, weights=weight).x)


def test_it_never_falls_and_keeps_the_mean():
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=3000), rng.uniform(0.5, 2.0, 3000)
    found = made_rising(values, weight)
    assert (np.diff(found) >= 0).all()
    assert (found * weight).sum() == pytest.approx((values * weight).sum())
    assert made_rising(np.zeros(0), np.zeros(0)).tolist() == []
