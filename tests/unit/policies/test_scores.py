"""Scores and confidences, number by number; tests/properties holds them against NumPy's."""

import math

import pytest

from undertow.policies.scores import best_score, confidence_of, expit, probability_of, score_of
from undertow.records.calibration import ConfidenceMap, FeatureWeight

STANDARD = FeatureWeight(name="min_logprob", weight=2.0, center=-1.0, scale=0.5)


def test_a_score_adds_standardised_features():
    found = {"min_logprob": -0.5, "mean_logprob": -0.1, "other": 9.0}
    assert score_of([STANDARD, FeatureWeight(name="mean_logprob")], 0.25, found) == pytest.approx(0.25 + 2.0 - 0.1)


def test_a_linked_feature_counts_as_log_odds():
    feature = FeatureWeight(name="p_true", link="probability", weight=3.0)
    assert score_of([feature], 0.0, {"p_true": 0.8}) == pytest.approx(3.0 * math.log(4))
    assert score_of([feature], 0.0, {"p_true": 1.0}) == pytest.approx(3.0 * math.log((1 - 1e-6) / 1e-6))


def test_missing_has_its_own_weight_or_there_is_no_score():
    lenient = FeatureWeight(name="p_true", missing_weight=-0.5)
    assert score_of([STANDARD, lenient], 0.0, {"min_logprob": -1.0}) == -0.5
    assert score_of([STANDARD, lenient], 0.0, {"p_true": 1.0}) is None
    assert score_of([FeatureWeight(name="mean_logprob", weight=1e308)], 0.0, {"mean_logprob": -1e10}) is None


def test_names_of_prefix_features_are_looked_up_without_their_prefix():
    assert score_of([FeatureWeight(name="prefix.mean_logprob")], 0.0, {"mean_logprob": -0.3}) == -0.3


def test_the_best_score_takes_the_best_outcome_of_what_is_still_to_be_asked():
    mean = FeatureWeight(name="mean_logprob")
    up, down = FeatureWeight(name="p_true", weight=2.0), FeatureWeight(name="agreement", weight=-3.0, center=0.5)
    assert best_score([mean, up, down], 0.0, {"mean_logprob": -1.0}) == -1.0 + 2.0 + 1.5
    assert best_score([mean, up, down], 0.0, {"mean_logprob": -1.0, "p_true": 0.0}) == -1.0 + 1.5
    assert best_score([mean, up], 0.0, {"p_true": 1.0}) is None, "no call measures the log-probability"
    generous = FeatureWeight(name="p_true", weight=0.1, missing_weight=5.0)
    assert best_score([generous], 0.0, {}) == 5.0


def test_platt_and_beta():
    u = math.log(0.8 / 0.2)
    assert confidence_of(ConfidenceMap(method="platt", intercept=0.1, slope=2.0), "probability", 0.8) == pytest.approx(
        expit(0.1 + 2.0 * u)
    )
    beta = ConfidenceMap(method="beta", intercept=-0.2, slope=0.5, slope_above=1.5)
    assert confidence_of(beta, "log_probability", math.log(0.8)) == pytest.approx(
        expit(-0.2 + 0.5 * math.log(0.8) - 1.5 * math.log(0.2))
    )
    assert confidence_of(ConfidenceMap(method="platt"), "logit", 1.5) == pytest.approx(expit(1.5))


@pytest.mark.parametrize("method", ["spline", "isotonic"])
def test_knots_are_linear_between_and_constant_beyond(method):
    knots = ConfidenceMap(method=method, xs=(-2.0, -1.0, 0.0), ys=(0.1, 0.5, 0.9))
    assert [
        confidence_of(knots, "log_probability", x) for x in (-9.0, -2.0, -1.5, -1.0, -0.25, 0.0, 3.0)
    ] == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.8, 0.9, 0.9])
    assert confidence_of(ConfidenceMap(method="isotonic", xs=(0.0,), ys=(0.4,)), "logit", -7.0) == 0.4


@pytest.mark.parametrize("link", ["log_probability", "probability", "logit"])
@pytest.mark.parametrize("value", [-1e308, -800.0, 0.0, 800.0, 1e308])
def test_no_number_is_too_large(link, value):
    assert 1e-6 <= probability_of(link, value) <= 1 - 1e-6
