"""The area under the ROC curve, held to scikit-learn's, and its interval."""

import numpy as np
import pytest

from undertow.stats.roc import effective_number, roc_area


def test_it_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    drawn = np.random.default_rng(1)
    score, positive = drawn.random(300).round(2), drawn.random(300) < 0.4
    weight = drawn.choice([1.0, 5.0, 20.0], 300)
    there = roc_auc_score(positive, score, sample_weight=weight)
    assert roc_area(score, positive, weight).value == pytest.approx(there)


def test_the_interval_covers_and_unequal_weights_widen_it():
    drawn = np.random.default_rng(2)
    covered, n = 0, 200
    truth = 0.7602  # of two normals one standard deviation apart
    for _ in range(200):
        positive = np.arange(n) < n // 2
        score = drawn.normal(size=n) + positive
        area = roc_area(score, positive, np.ones(n))
        covered += area.low <= truth <= area.high
    assert 0.92 <= covered / 200 <= 0.99
    unequal = roc_area(score, positive, drawn.choice([1.0, 20.0], n))
    assert unequal.high - unequal.low > area.high - area.low


def test_examples_of_two_folds_are_not_compared():
    score = np.array([0.9, 0.8, 0.2, 0.1])
    positive = np.array([False, False, True, True])
    fold = np.array([0, 0, 1, 1])
    assert roc_area(score, positive, np.ones(4)).value == 0.0
    assert roc_area(score, positive, np.ones(4), fold).value == 0.5


def test_an_area_at_the_end_has_an_interval_still():
    area = roc_area(np.arange(20.0), np.arange(20) >= 10, np.ones(20))
    assert area.value == pytest.approx(1.0)
    assert 0.7 < area.low < 1.0
    assert area.high == pytest.approx(1.0)


def test_the_effective_number_is_that_of_equal_weights_that_tell_as_much():
    assert effective_number(np.ones(7)) == pytest.approx(7.0)
    assert effective_number(np.array([10.0, 1e-9])) == pytest.approx(1.0)
    assert effective_number(np.zeros(0)) == 0.0
