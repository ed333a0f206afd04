"""How good a calibration is said to be."""

import numpy as np
import pytest
from scipy.special import expit, logit

from calibration_factory import draw
from undertow.calibration.quality import (
    FEWEST,
    MAX_BINS,
    bins_of,
    cross_fitted,
    expected_calibration_error,
    measure,
    reliability,
)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_bins_hold_equal_numbers_and_equal_confidences_stay_together():
    confidence = rng().random(3000)
    counts = np.bincount(bins_of(confidence))
    assert len(counts) == MAX_BINS
    assert counts.min() >= 195
    assert len(np.unique(bins_of(np.repeat([0.2, 0.9], 500)))) == 2


def test_the_error_is_what_a_bin_is_off_by():
    confidence, good = np.repeat([0.2, 0.9], 500), np.concatenate([np.arange(500) < 150, np.arange(500) < 450])
    assert expected_calibration_error(confidence, good, np.ones(1000)) == pytest.approx(0.05)
    weight = np.repeat([1.0, 3.0], 500)
    assert expected_calibration_error(confidence, good, weight) == pytest.approx(0.025)


def test_a_raw_confidence_is_worse_than_the_fitted_one_which_is_about_as_good_as_chance_allows():
    score, good, _ = draw(2000, rng(), "temp")
    found = measure(score, good, np.ones(2000), "probability", rng(2))
    assert found.raw_ece > 0.05
    assert found.ece < 0.03
    assert found.ece < 2.5 * found.ece_floor
    assert found.ece_interval[0] <= found.ece
    assert found.auroc_interval[0] < found.auroc < found.auroc_interval[1]
    assert 0.0 < found.brier < 0.25
    assert measure(logit(score), good, np.ones(2000), "logit", rng(2)).raw_ece is None


def test_confidence_of_a_label_comes_from_the_others():
    score, good, _ = draw(300, rng(), "temp")
    confidence, fold = cross_fitted(score, good, np.ones(300), "probability", rng(3))
    assert np.bincount(fold).tolist() == [60] * 5
    flipped = good.copy()
    flipped[0] = not flipped[0]
    again, _ = cross_fitted(score, flipped, np.ones(300), "probability", rng(3))
    mine = fold == fold[0]
    assert again[mine] == pytest.approx(confidence[mine])
    assert (again[~mine] != confidence[~mine]).all()


def test_a_fold_whose_rest_has_one_class_says_nothing():
    score = np.linspace(0.1, 0.9, 100)
    good = np.zeros(100, dtype=bool)
    good[50] = True
    confidence, fold = cross_fitted(score, good, np.ones(100), "probability", rng())
    assert np.isnan(confidence[fold == fold[50]]).all()


def test_too_few_labels_or_one_class_say_nothing():
    score, good, _ = draw(FEWEST - 1, rng(), "temp")
    assert measure(score, good, np.ones(len(score)), "probability", rng()) is None
    assert measure(np.linspace(0, 1, 100), np.ones(100, dtype=bool), np.ones(100), "probability", rng()) is None


def test_reliability_has_intervals_that_hold_their_rate_and_widen_with_unequal_weights():
    confidence = rng().random(900)
    good = rng(2).random(900) < confidence
    equal = reliability(confidence, good, np.ones(900))
    assert sum(each.labels for each in equal) == 900
    assert [each.confidence for each in equal] == sorted(each.confidence for each in equal)
    assert all(each.interval[0] <= each.rate <= each.interval[1] for each in equal)
    unequal = reliability(confidence, good, rng(3).choice([1.0, 20.0], 900))
    wide = [np.mean([b.interval[1] - b.interval[0] for b in bins]) for bins in (equal, unequal)]
    assert wide[1] > 1.2 * wide[0]


def test_a_perfect_confidence_is_at_its_floor():
    p = expit(rng().normal(1, 1.5, 5000))
    found = measure(p, rng(2).random(5000) < p, np.ones(5000), "probability", rng(3))
    assert found.ece == pytest.approx(found.ece_floor, abs=0.008)
