"""Labels become a calibration: which labels do what, what is refused, and what is said instead of a threshold."""

import numpy as np
import pytest

from calibration_factory import answers, draw
from undertow.calibration.fit import FitOptions, confidence_of, fit_calibration
from undertow.errors import DataError
from undertow.records.labelled_answers import LabelledAnswers


def options(**other):
    return FitOptions(
        tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", **({"margin": 0.05} | other)
    )


def test_a_threshold_keeps_the_loss_of_its_own_labels_within_the_margin_and_says_so():
    given = answers(2000, cheap_cost_usd=np.full(2000, 1.0), capable_cost_usd=np.full(2000, 10.0))
    made = fit_calibration(given, options())
    (group,) = made.groups
    confidence, _ = confidence_of(made, given)
    served = confidence >= group.threshold
    assert (served & ~given.good).mean() == pytest.approx(group.certificate.loss)
    assert group.certificate.upper <= 0.05
    assert group.certificate.acceptance == pytest.approx(served.mean())
    assert group.certificate.method == "clopper_pearson"
    assert group.savings.usd_per_request == pytest.approx(served.mean() * 10 - 1)
    assert made.monitors_margin == pytest.approx(0.05 / served.mean())
    assert group.quality.risk_coverage[0].acceptance < group.quality.risk_coverage[-1].acceptance
    assert (made.fitted_on.labels, made.fitted_on.good, made.fitted_on.effective) == (2000, given.good.sum(), 2000.0)
    assert len(made.distribution.edges) == 11


def test_the_operating_point_lies_on_its_own_curve():
    (group,) = fit_calibration(answers(2000), options()).groups
    inside = [p for p in group.quality.risk_coverage if p.upper <= 0.05]
    assert inside[-1].threshold >= group.threshold - 1e-6


def test_too_few_labels_are_refused_with_what_was_left_out_and_how_many_are_missing():
    with pytest.raises(DataError, match=r"60 labels from labels \(left out: 7 no_features\).*at least 114 .* 54 more"):
        fit_calibration(answers(60, reasons={"no_features": 7}), options(margin=0.02))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"good": np.ones(500, dtype=bool)}, "needs worse ones too"),
        ({"good": np.zeros(500, dtype=bool)}, "needs good ones too"),
        ({"features": {"mean_logprob": np.full(500, -0.3)}}, "all 500 scores are -0.3: a constant"),
        ({"features": {"mean_logprob": np.full(500, np.nan)}}, "no confidence feature was measured"),
        ({"features": {}}, r"\(measured: none\)"),
    ],
)
def test_labels_that_teach_nothing_are_refused(given, message):
    with pytest.raises(DataError, match=message):
        fit_calibration(answers(500, **given), options())


def test_a_feature_that_nobody_measured_is_refused_by_name():
    with pytest.raises(DataError, match=r"'p_true'; measured: mean_logprob"):
        fit_calibration(answers(500), options(score="p_true"))
    with pytest.raises(DataError, match="p_true was never measured"):
        fit_calibration(
            answers(500, features={"p_true": np.full(500, np.nan), "mean_logprob": np.linspace(-2, -0.1, 500)}),
            options(score="p_true"),
        )


def test_an_answer_without_a_confidence_counts_as_a_request_that_is_not_served():
    given = answers(1000)
    blind = given.features["mean_logprob"].copy()
    blind[::2] = np.nan
    half = fit_calibration(answers(1000, features={"mean_logprob": blind}), options())
    assert half.groups[0].certificate.labels == 1000
    assert half.groups[0].certificate.acceptance <= 0.5


def two_groups(n=1600, key="task", few=100):
    """Easy questions, hard ones, and a few of a third sort."""
    rng = np.random.default_rng(5)
    score, good, _ = draw(n, rng)
    place = np.arange(n)
    hard = (place >= n // 2) & (place < n - few)
    good = good & ~(hard & (rng.random(n) < 0.25))
    names = np.where(hard, "hard", np.where(place >= n - few, "rare", "easy"))
    return LabelledAnswers({"mean_logprob": np.log(score)}, good, np.ones(n), tuple({key: str(name)} for name in names))


def test_groups_with_enough_labels_have_their_own_threshold_and_all_others_share_one():
    made = fit_calibration(two_groups(), options(group_key="task"))
    easy, hard, rest = made.groups
    assert (easy.value, hard.value, rest.value) == ("easy", "hard", None)
    assert (easy.labels, hard.labels, rest.labels) == (800, 700, 100)
    assert easy.certificate.upper <= 0.05
    assert hard.certificate.acceptance < easy.certificate.acceptance
    assert rest.threshold is not None
    with pytest.raises(DataError, match="no labelled answer has a label 'intent'; labels there are: task"):
        fit_calibration(two_groups(), options(group_key="intent"))


def test_a_group_without_a_threshold_says_how_many_labels_are_missing():
    made = fit_calibration(two_groups(few=40), options(group_key="task", margin=0.03))
    rest = made.groups[-1]
    assert rest.threshold is None
    assert rest.certificate is None
    assert "40 labels cannot show a loss within 0.03: at least 36 more are needed" in rest.note


def test_a_shared_threshold_bounds_all_together_and_shows_each_group():
    made = fit_calibration(two_groups(4000), options(group_key="task", threshold_scope="shared"))
    assert made.certificate.upper <= 0.05
    assert len({group.threshold for group in made.groups}) == 1
    # A third of the labels learned the order, so the other two thirds certify.
    assert made.certificate.labels == 4000 - 1334
    assert sum(group.certificate.labels for group in made.groups) == made.certificate.labels


def test_combined_features_learn_on_half_of_the_labels_and_certify_on_the_rest():
    given = answers(3000)
    noise = np.random.default_rng(9).normal(size=3000)
    given.features["hedging"] = np.where(given.good, noise - 1.0, noise)
    single = fit_calibration(given, options())
    made = fit_calibration(given, options(score="combined"))
    assert {feature.name for feature in made.features} == {"mean_logprob", "hedging"}
    assert made.link == "logit"
    assert made.groups[0].certificate.labels == 1500
    assert made.groups[0].certificate.acceptance > single.groups[0].certificate.acceptance
    assert made == fit_calibration(given, options(score="combined"))
    assert made != fit_calibration(given, options(score="combined", seed=2))


def test_a_prefix_shares_the_margin_with_the_whole_answer():
    given = answers(3000)
    early = given.features["mean_logprob"] * np.random.default_rng(3).uniform(0.3, 1.5, 3000)
    early[:500] = np.nan  # answers shorter than the prefix
    given.features["prefix.mean_logprob"] = early
    made = fit_calibration(given, options(prefix_tokens=8))
    (early_group,), (whole,) = made.prefix.groups, made.groups
    assert made.prefix.tokens == 8
    assert early_group.certificate.upper <= 0.05
    # Serving what either finds confident takes a higher threshold than serving what the whole answer does.
    assert early_group.threshold > whole.threshold
    given.features["prefix.mean_logprob"] = np.full(3000, np.nan)
    with pytest.raises(DataError, match="no confidence feature was measured"):
        fit_calibration(given, options(prefix_tokens=8))


def test_unlabelled_rows_teach_nothing_but_count_as_requests():
    given = answers(1200)
    known = given.features["mean_logprob"] > np.quantile(given.features["mean_logprob"], 0.4)
    part = answers(1200, good=given.good & known, known=known)
    made = fit_calibration(part, options())
    alone = LabelledAnswers(
        {"mean_logprob": given.features["mean_logprob"][known]}, given.good[known], np.ones(known.sum())
    )
    (group,), (without,) = made.groups, fit_calibration(alone, options()).groups
    assert group.map == without.map
    assert group.labels == made.fitted_on.labels == known.sum()
    # 5 % of all requests are more than 5 % of those that were served.
    assert group.threshold < without.threshold
    assert group.certificate.acceptance < 0.6
    assert made.distribution.n == 1200


def test_the_score_of_an_unknown_value_is_that_of_all_other_requests():
    made = fit_calibration(two_groups(), options(group_key="task"))
    new = LabelledAnswers({"mean_logprob": np.array([-0.1, -0.1])}, np.ones(2, bool), np.ones(2), ({"task": "new"}, {}))
    confidence, group = confidence_of(made, new)
    assert group.tolist() == [2, 2]
    assert confidence[0] == confidence[1]
    assert confidence_of(made, LabelledAnswers(new.features, new.good, new.weight))[1].tolist() == [2, 2]


def checked_answers(n=3000, asked_above=0.8, seed=11):
    """A self-check that a policy asked for only where the first score was high; it says little."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.3, 1.0, n)
    good = rng.random(n) < np.where(p > 0.6, 0.93, 0.5)
    said = np.where(good, rng.uniform(0.92, 1.0, n), rng.uniform(0.9, 0.96, n))
    p_true = np.where(p >= asked_above, said, np.nan)
    return LabelledAnswers({"mean_logprob": np.log(p), "p_true": p_true}, good, np.ones(n))


def test_an_answer_that_was_not_asked_for_its_self_check_counts_as_a_loss_wherever_it_would_be_asked():
    given = checked_answers()
    made = fit_calibration(given, options(score="p_true", margin=0.1))
    assert made.groups[0].threshold is None, "half of the answers were never asked, and any threshold would ask them"
    combined = fit_calibration(given, options(score="combined", margin=0.1))
    lenient = [feature for feature in combined.features if feature.name == "p_true"]
    if lenient and combined.groups[0].threshold is not None:
        asked = np.isfinite(given.features["p_true"]).mean()
        assert combined.groups[0].certificate.acceptance <= asked + 0.11


@pytest.mark.parametrize("name", ["novelty", "predicted"])
def test_what_another_file_measures_is_no_score(name):
    given = answers(2000)
    measured = LabelledAnswers(
        {**given.features, name: np.random.default_rng(3).uniform(size=2000)}, given.good, given.weight
    )
    with pytest.raises(DataError, match="another file"):
        fit_calibration(measured, options(score=name))
    made = fit_calibration(measured, options(score="combined"))
    assert name not in {feature.name for feature in made.features}


def test_a_prefix_is_fitted_on_prefixes_of_its_own_length():
    given = answers(2000)
    early = {"prefix.mean_logprob": given.features["mean_logprob"], "prefix.tokens": np.full(2000, 16.0)}
    measured = LabelledAnswers({**given.features, **early}, given.good, given.weight)
    assert fit_calibration(measured, options(prefix_tokens=16)).prefix.tokens == 16
    with pytest.raises(DataError, match="in the log: 16"):
        fit_calibration(measured, options(prefix_tokens=64))


def test_an_answer_that_is_served_without_a_confidence_is_lost_at_every_threshold():
    given = answers(2000)
    always = np.arange(2000) < 200
    bad = LabelledAnswers(given.features, given.good & ~always, given.weight, always_served=always)
    assert fit_calibration(bad, options()).groups[0].threshold is None, "a tenth fails whatever the threshold is"
    fine = LabelledAnswers(given.features, given.good | always, given.weight, always_served=always)
    assert fit_calibration(fine, options()).groups[0].certificate.acceptance >= 0.1
