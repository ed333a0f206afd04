"""Maps from scores to confidence, held to scikit-learn's and to maps that are known."""

import numpy as np
import pytest
from scipy.special import expit, logit

from undertow.calibration.maps import (
    ISOTONIC_FROM,
    MAX_KNOTS,
    SPLINE_FROM,
    apply_map,
    check_labels,
    fit_beta,
    fit_isotonic,
    fit_map,
    fit_platt,
    probabilities,
)
from undertow.errors import DataError
from undertow.records.calibration import ConfidenceMap


def drawn(n, rate, seed=1):
    """Probabilities as scores, and labels that are good at `rate(score)`."""
    rng = np.random.default_rng(seed)
    score = rng.beta(3, 1.5, n).clip(1e-4, 1 - 1e-4)
    return score, rng.random(n) < rate(score), np.ones(n)


def test_platt_agrees_with_scikit_learn_on_the_same_softened_labels():
    from sklearn.linear_model import LogisticRegression

    score, good, _ = drawn(800, lambda p: expit(0.6 * logit(p) - 0.4))
    weight = np.random.default_rng(2).choice([1.0, 4.0], 800)
    made = fit_platt(score, good, weight, "probability")
    # Platt's targets are labels that are wrong with a small probability: each label twice, with weights.
    better, worse = good.sum(), (~good).sum()
    sure = np.where(good, (better + 1) / (better + 2), (worse + 1) / (worse + 2))
    x = np.tile(logit(score), 2)[:, None]
    scaled = weight * weight.sum() / (weight**2).sum()
    there = LogisticRegression(C=1e3, tol=1e-10, max_iter=1000).fit(
        x, np.append(good, ~good), sample_weight=np.append(scaled * sure, scaled * (1 - sure))
    )
    assert made.slope == pytest.approx(there.coef_[0, 0], rel=1e-4)
    assert made.intercept == pytest.approx(there.intercept_[0], rel=1e-3)


def test_isotonic_agrees_with_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    score, good, _ = drawn(500, lambda p: p**2)
    score = score.round(2)
    weight = np.random.default_rng(2).choice([1.0, 4.0], 500)
    made = fit_isotonic(score, good, weight)
    there = IsotonicRegression(out_of_bounds="clip", y_min=1 / 502, y_max=1 - 1 / 502).fit(score, good, weight)
    at = np.linspace(-0.1, 1.1, 300)
    # Ours rises a little everywhere, by a thousandth in all.
    assert apply_map(made, "probability", at) == pytest.approx(there.predict(at), abs=1e-3)
    assert (np.diff(made.ys) > 0).all()


@pytest.mark.parametrize(
    ("fit", "rate"),
    [
        (fit_platt, lambda p: expit(0.5 * logit(p) - 0.3)),
        (fit_beta, lambda p: expit(0.8 * np.log(p) - 0.2 * np.log1p(-p) + 0.5)),
        (fit_beta, lambda p: expit(2.0 * np.log(p) + 1.0)),
    ],
)
def test_a_map_that_is_known_comes_back(fit, rate):
    score, good, weight = drawn(40_000, rate)
    at = np.linspace(0.2, 0.98, 50)
    assert apply_map(fit(score, good, weight, "probability"), "probability", at) == pytest.approx(rate(at), abs=0.02)


def test_isotonic_comes_back_where_there_is_much():
    score, good, weight = drawn(40_000, lambda p: np.where(p < 0.6, 0.3, 0.8))
    made = fit_isotonic(score, good, weight)
    assert apply_map(made, "probability", [0.4, 0.8]) == pytest.approx([0.3, 0.8], abs=0.03)
    assert len(made.xs) <= MAX_KNOTS
    assert 0.0 < made.ys[0] <= made.ys[-1] < 1.0


def test_many_blocks_are_joined():
    score = np.linspace(0.001, 0.999, 6000)
    good = np.random.default_rng(1).random(6000) < score
    assert len(fit_isotonic(score, good, np.ones(6000)).xs) <= MAX_KNOTS


def test_the_map_suits_the_number_of_labels():
    straight = drawn(SPLINE_FROM - 1, lambda p: expit(0.7 * logit(p)))
    assert fit_map(*straight, "probability").method == "platt"
    bent = drawn(SPLINE_FROM - 1, lambda p: expit(6.0 * np.log(p) + 2.0))
    assert fit_map(*bent, "probability").method == "beta"
    more = drawn(SPLINE_FROM, lambda p: expit(0.7 * logit(p)))
    assert fit_map(*more, "probability").method == "spline"
    stepped = drawn(ISOTONIC_FROM + 3000, lambda p: np.where(p < 0.5, 0.05, np.where(p < 0.9, 0.6, 0.95)))
    assert fit_map(*stepped, "probability").method == "isotonic"
    few = [part[: ISOTONIC_FROM - 1] for part in stepped]
    assert fit_map(*few, "probability").method == "spline"
    much = drawn(ISOTONIC_FROM + 3000, lambda p: expit(0.7 * logit(p)))
    assert fit_map(*much, "probability").method == "spline"


def test_scores_that_all_mean_certainty_are_refused_though_they_differ():
    score = -np.random.default_rng(1).random(600) * 1e-8
    with pytest.raises(DataError, match="a constant"):
        fit_map(score, np.arange(600) % 3 > 0, np.ones(600), "log_probability")


def test_links_say_what_a_score_is():
    for link, score in (("log_probability", np.log(0.8)), ("probability", 0.8), ("logit", logit(0.8))):
        assert probabilities(np.array([score]), link) == pytest.approx([0.8])
    assert probabilities(np.array([0.0, -np.inf]), "log_probability").tolist() == [1 - 1e-6, 1e-6]


def test_a_beta_map_with_one_slope_fixed_still_rises():
    score, good, weight = drawn(2000, lambda p: expit(2.0 * np.log(p) + 1.0), seed=4)
    made = fit_beta(score, good, weight, "probability")
    assert min(made.slope, made.slope_above) >= 0
    assert (np.diff(apply_map(made, "probability", np.linspace(0.01, 0.99, 99))) >= 0).all()


def test_labels_that_teach_nothing_are_refused_with_what_is_missing():
    with pytest.raises(DataError, match=r"all 60 labelled cheap answers are as good.*needs worse ones too"):
        check_labels(np.linspace(0, 1, 60), np.ones(60, dtype=bool))
    with pytest.raises(DataError, match=r"are worse than.*needs good ones too"):
        check_labels(np.linspace(0, 1, 60), np.zeros(60, dtype=bool))
    with pytest.raises(DataError, match=r"all 60 scores are 0\.5: a constant"):
        check_labels(np.full(60, 0.5), np.arange(60) < 30)


@pytest.mark.parametrize("fit", [fit_platt, fit_beta])
def test_a_score_that_orders_answers_wrongly_is_refused(fit):
    score, good, weight = drawn(2000, lambda p: 1 - p)
    with pytest.raises(DataError, match="a higher score does not go with a better answer"):
        fit(score, good, weight, "probability")


def test_beta_numbers_are_applied_as_written():
    made = ConfidenceMap(method="beta", intercept=0.1, slope=0.5, slope_above=2.0)
    assert apply_map(made, "probability", [0.7])[0] == pytest.approx(expit(0.1 + 0.5 * np.log(0.7) - 2.0 * np.log(0.3)))
