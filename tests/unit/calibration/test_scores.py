"""Scores of one feature and of several."""

import numpy as np
import pytest
from scipy.special import expit, logit

from undertow.calibration.scores import (
    combine,
    default_feature,
    link_of,
    plain_name,
    score_values,
    single_score,
    values_of,
)
from undertow.errors import DataError
from undertow.records.calibration import FeatureWeight
from undertow.stats.roc import roc_area


def test_names_say_what_a_feature_is():
    assert [link_of(name) for name in ("prefix.min_logprob", "p_true", "hedging")] == [
        "log_probability",
        "probability",
        None,
    ]
    assert plain_name("prefix.p_true") == "p_true"
    assert single_score("hedging").features[0].weight == -1.0
    assert single_score("hedging").link == "logit"
    assert single_score("mean_margin").link == "probability"


def test_the_default_is_the_first_of_a_fixed_order_that_was_measured():
    nothing = np.full(3, np.nan)
    assert default_feature({"p_true": np.ones(3), "mean_logprob": np.ones(3)}) == "mean_logprob"
    assert default_feature({"p_true": np.ones(3), "mean_logprob": nothing}) == "p_true"
    assert default_feature({"prefix.first_logprob": np.ones(3)}, "prefix.") == "prefix.first_logprob"
    with pytest.raises(DataError, match=r"measured: hedging.*self_check or samples"):
        default_feature({"hedging": np.ones(3), "mean_logprob": nothing})


def test_a_missing_feature_makes_no_score_unless_its_absence_was_fitted():
    features = {"hedging": np.array([0.5, np.nan])}
    plain = single_score("hedging")
    assert score_values(plain, features, 2).tolist()[0] == -0.5
    assert np.isnan(score_values(plain, features, 2)[1])
    assert np.isnan(score_values(single_score("p_true"), features, 2)).all()
    fitted = type(plain)((FeatureWeight(name="hedging", weight=2.0, center=0.5, scale=0.1, missing_weight=-3.0),), 1.0)
    assert score_values(fitted, features, 2).tolist() == [1.0, -2.0]


def test_a_probability_enters_as_its_log_odds():
    feature = FeatureWeight(name="p_true", link="probability")
    assert values_of(feature, {"p_true": np.array([0.8])}, 1) == pytest.approx(logit([0.8]))
    assert np.isnan(values_of(feature, {}, 2)).all()


def drawn(n=4000):
    rng = np.random.default_rng(1)
    a, b, noise = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    good = rng.random(n) < expit(1.5 * a + 1.5 * b)
    return {"mean_logprob": np.log(expit(a)), "hedging": -b, "answer_log_chars": noise}, good


def test_several_features_tell_more_than_the_best_alone_and_noise_gets_little_weight():
    features, good = drawn()
    score = combine(tuple(features), features, good, np.ones(len(good)))
    area = roc_area(score_values(score, features, len(good)), good, np.ones(len(good)))
    alone = roc_area(features["mean_logprob"], good, np.ones(len(good)))
    assert area.low > alone.high
    weights = {feature.name: feature.weight for feature in score.features}
    assert weights["hedging"] < -1.0 < 1.0 < weights["mean_logprob"]
    assert abs(weights["answer_log_chars"]) < 0.2


def test_absence_counts_for_what_it_was_worth_and_never_for_certainty():
    features, good = drawn()
    # The check was made only where the answer was doubtful, so those without it are better than average, but not certain.
    checked = good ^ (np.random.default_rng(2).random(len(good)) < 0.2)
    is_doubtful = features["mean_logprob"] < np.median(features["mean_logprob"])
    features["p_true"] = np.where(is_doubtful, np.where(checked, 0.9, 0.1), np.nan)
    score = combine(("mean_logprob", "p_true"), features, good, np.ones(len(good)))
    by_name = {feature.name: feature for feature in score.features}
    assert by_name["mean_logprob"].missing_weight is None
    values = score_values(score, features, len(good))
    assert np.isfinite(values).all()
    without, with_good = values[~is_doubtful], values[is_doubtful & checked]
    assert expit(without).mean() == pytest.approx(good[~is_doubtful].mean(), abs=0.03)
    assert expit(with_good).mean() == pytest.approx(good[is_doubtful & checked].mean(), abs=0.05)


def test_an_option_that_an_answer_is_not_is_no_missing_value():
    features, good = drawn()
    is_a = np.random.default_rng(3).random(len(good)) < 0.5
    good = good & ~is_a
    features["answer=a"] = np.where(is_a, 1.0, np.nan)
    score = combine(("mean_logprob", "answer=a"), features, good, np.ones(len(good)))
    values = score_values(score, {**features, "answer=a": np.full(len(good), np.nan)}, len(good))
    assert np.isfinite(values).all()
    explicit = score_values(score, {**features, "answer=a": np.zeros(len(good))}, len(good))
    assert values == pytest.approx(explicit)


def test_features_that_hardly_vary_or_were_hardly_measured_are_left_out():
    features, good = drawn()
    features["format_valid"] = np.ones(len(good))
    features["agreement"] = np.where(np.arange(len(good)) < 20, 0.5, np.nan)
    score = combine(("mean_logprob", "format_valid", "agreement"), features, good, np.ones(len(good)))
    assert [feature.name for feature in score.features] == ["mean_logprob"]
    with pytest.raises(DataError, match="none of the features format_valid varies"):
        combine(("format_valid",), features, good, np.ones(len(good)))
