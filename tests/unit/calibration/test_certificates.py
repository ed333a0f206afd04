"""The threshold rule by hand-worked cases; how often it errs stands in tests/statistical/test_calibration.py."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from undertow.calibration.certificates import (
    certify,
    choose_threshold,
    clopper_pearson_upper,
    fewest_labels,
    log_wealth,
    most_losses,
    risk_coverage,
    weighted_upper,
)


def test_the_upper_bound_is_where_so_few_losses_would_be_that_improbable():
    for k, n in ((0, 114), (3, 300), (22, 1000)):
        assert binom.cdf(k, n, float(clopper_pearson_upper(k, n, 0.1))) == pytest.approx(0.1)
    assert clopper_pearson_upper(5, 5, 0.1) == 1.0


def test_most_losses_and_fewest_labels_are_the_edges_of_the_bound():
    for n, margin in ((200, 0.03), (1000, 0.02)):
        most = most_losses(n, margin, 0.1)
        assert clopper_pearson_upper(most, n, 0.1) <= margin < clopper_pearson_upper(most + 1, n, 0.1)
    for losses in (0, 7):
        n = fewest_labels(0.02, 0.1, losses)
        assert clopper_pearson_upper(losses, n, 0.1) <= 0.02 < clopper_pearson_upper(losses, n - 1, 0.1)


def test_it_serves_down_to_the_first_loss_that_is_one_too_many():
    confidence = np.linspace(0.01, 1.0, 100)
    good = np.ones(100, dtype=bool)
    good[[95, 80, 60]] = False
    assert most_losses(100, 0.04, 0.1) == 1
    choice = choose_threshold(confidence, good, np.ones(100), 0.04, 0.1)
    assert confidence[80] < choice.threshold < confidence[81]
    assert choice.certificate.losses == 1
    assert choice.certificate.acceptance == pytest.approx(0.19)
    assert choice.certificate.loss == pytest.approx(0.01)
    assert choice.certificate.upper <= 0.04
    assert choice.certificate.acceptance_interval[0] < 0.19 < choice.certificate.acceptance_interval[1]


def test_equal_confidences_are_served_together_or_not_at_all():
    confidence = np.repeat([0.9, 0.8, 0.7], 100)
    good = np.ones(300, dtype=bool)
    good[100:110] = False  # ten of those at .8 fail, two would be allowed
    assert most_losses(300, 0.02, 0.1) == 2
    choice = choose_threshold(confidence, good, np.ones(300), 0.02, 0.1)
    assert 0.8 < choice.threshold < 0.9
    # Another way to compute .8 differs from it by a rounding error, and must not let a hundred answers through.
    assert choice.threshold - 0.8 > 1e-12


def test_where_nothing_fails_everything_that_has_a_confidence_is_served():
    confidence = np.append(np.linspace(0.3, 1.0, 199), np.nan)
    good = np.append(np.ones(199, dtype=bool), False)
    choice = choose_threshold(confidence, good, np.ones(200), 0.02, 0.1)
    assert choice.certificate.losses == 0
    assert choice.certificate.acceptance == pytest.approx(199 / 200)
    assert choice.threshold < 0.3


def test_too_few_labels_say_how_many_more_and_hopeless_ones_say_none():
    few = choose_threshold(np.full(50, 0.9), np.ones(50, dtype=bool), np.ones(50), 0.02, 0.1)
    assert (few.threshold, few.certificate, few.more_labels) == (None, None, 64)
    bad = choose_threshold(np.linspace(0, 1, 500), np.zeros(500, dtype=bool), np.ones(500), 0.02, 0.1)
    assert bad.threshold is not None  # a few of the most confident losses are allowed
    same = choose_threshold(np.full(500, 0.9), np.zeros(500, dtype=bool), np.ones(500), 0.02, 0.1)
    assert (same.threshold, same.more_labels) == (None, None)
    nothing = choose_threshold(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0), 0.02, 0.1)
    assert (nothing.threshold, nothing.more_labels) == (None, 114)


def test_unequal_weights_are_bet_on_and_a_heavy_loss_counts_more_than_a_light_one():
    rng = np.random.default_rng(1)
    weight = rng.choice([1.0, 10.0], 1000)
    confidence = rng.random(1000)
    light, heavy = np.ones(1000, dtype=bool), np.ones(1000, dtype=bool)
    light[np.flatnonzero(weight == 1.0)[:15]] = False
    heavy[np.flatnonzero(weight == 10.0)[:15]] = False
    uppers = [weighted_upper(weight, ~good, 0.1) for good in (light, heavy)]
    assert uppers[0] < uppers[1] / 2
    choice = choose_threshold(confidence, heavy, weight, 0.02, 0.1)
    assert choice.certificate.method == "betting"
    assert choice.certificate.upper <= 0.02
    assert log_wealth(weight, ~heavy & (confidence >= choice.threshold), 0.02, 0.1) >= math.log(10)


def test_the_betting_bound_is_not_far_from_the_exact_one_where_weights_are_equal():
    lost = np.arange(1000) < 20
    exact = float(clopper_pearson_upper(20, 1000, 0.1))
    assert exact < weighted_upper(np.ones(1000), lost, 0.1) < 1.25 * exact


def test_answers_that_nobody_labelled_count_as_failures_once_they_would_be_served():
    confidence = np.concatenate([np.linspace(0.7, 1.0, 600), np.linspace(0.2, 0.72, 400)])
    known = np.arange(1000) < 600
    good = known & (np.arange(1000) % 50 > 0)  # 12 of 600 fail
    choice = choose_threshold(confidence, good, np.ones(1000), 0.03, 0.1, known)
    # 12 losses of 600 are bounded at 1.9 % of all requests; about ten of those that nobody knows fit in beside them.
    assert 0.70 < choice.threshold < 0.72
    assert choice.certificate.labels == 600
    assert choice.certificate.upper <= 0.03
    assert choice.certificate.acceptance == pytest.approx((confidence >= choice.threshold).mean())
    lower = certify(confidence, good, np.ones(1000), choice.threshold - 0.002, 0.03, 0.1, known)
    assert lower.upper > 0.03
    weight = np.where(known & (np.arange(1000) % 2 == 0), 2.0, 1.0)
    bet = choose_threshold(confidence, good, weight, 0.03, 0.1, known)
    assert bet.certificate.method == "betting"
    assert bet.certificate.upper <= 0.03


def test_labels_of_a_part_of_the_requests_bound_the_loss_of_all():
    # Nothing below .7 was served, so nothing there was labelled: the loss of all requests is that of six tenths of them.
    confidence = np.concatenate([np.linspace(0.7, 1.0, 600), np.linspace(0.1, 0.69, 400)])
    known = np.arange(1000) < 600
    good = known & (np.arange(1000) % 25 > 0)  # 24 of 600 fail, 4 %
    choice = choose_threshold(confidence, good, np.ones(1000), 0.04, 0.1, known)
    assert choice.threshold == pytest.approx(0.69, abs=0.02)
    alone = choose_threshold(confidence[known], good[known], np.ones(600), 0.04, 0.1)
    assert alone.threshold > 0.75


def test_the_bound_of_a_threshold_that_serves_unlabelled_answers_counts_them():
    confidence, known = np.linspace(1.0, 0.01, 1000), np.arange(1000) < 600
    with_them = certify(confidence, known, np.ones(1000), 0.3, 0.03, 0.1, known)
    assert with_them.losses == 0
    assert with_them.loss == pytest.approx((confidence[600:] >= 0.3).sum() / 1000)
    assert with_them.upper > with_them.loss
    none_labelled = choose_threshold(confidence, known, np.ones(1000), 0.03, 0.1, np.zeros(1000, dtype=bool))
    assert none_labelled.threshold is None


def test_the_curve_runs_from_strict_to_permissive_and_losses_do_not_fall():
    rng = np.random.default_rng(3)
    confidence = np.append(rng.random(300), np.nan)
    good = np.append(rng.random(300) < confidence[:300], True)
    curve = risk_coverage(confidence, good, np.ones(301), 0.1, 20)
    assert 2 < len(curve) <= 20
    for strict, permissive in itertools.pairwise(curve):
        assert strict.threshold > permissive.threshold
        assert strict.acceptance <= permissive.acceptance
        assert strict.loss <= permissive.loss
        assert strict.upper <= permissive.upper
    assert all(point.loss <= point.upper for point in curve)
    assert risk_coverage(np.full(3, np.nan), np.ones(3, dtype=bool), np.ones(3), 0.1) == ()
