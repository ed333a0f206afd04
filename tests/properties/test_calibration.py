"""What holds of every calibration, whatever the labels."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from undertow.calibration.certificates import (
    certify,
    choose_threshold,
    log_wealth,
    most_losses,
    risk_coverage,
    weighted_upper,
)
from undertow.calibration.fit import FitOptions, fit_calibration
from undertow.calibration.maps import apply_map, fit_beta, fit_isotonic, fit_platt
from undertow.errors import DataError
from undertow.records.labelled_answers import LabelledAnswers

SEEDS = st.integers(0, 2**32 - 1)
MARGINS = st.sampled_from([0.01, 0.02, 0.05, 0.2])
DELTAS = st.sampled_from([0.01, 0.1, 0.4])
SIZES = st.integers(1, 400)


def draw(seed, n, weights=(1.0,), ties=False, blind=0.0, labelled=1.0):
    rng = np.random.default_rng(seed)
    confidence = rng.random(n)
    if ties:
        confidence = confidence.round(1)
    good = rng.random(n) < confidence ** rng.uniform(0.0, 2.0)
    confidence[rng.random(n) < blind] = np.nan
    known = rng.random(n) < labelled
    return confidence, good & known, rng.choice(weights, n), known


@given(SEEDS, SIZES, MARGINS, DELTAS, st.booleans(), st.sampled_from([0.0, 0.3]))
def test_a_threshold_never_certifies_more_losses_than_the_bound_allows(seed, n, margin, delta, ties, blind):
    confidence, good, weight, _ = draw(seed, n, ties=ties, blind=blind)
    choice = choose_threshold(confidence, good, weight, margin, delta)
    if choice.threshold is None:
        assert choice.certificate is None
        return
    served = np.nan_to_num(confidence, nan=-1.0) >= choice.threshold
    assert served.any()
    assert (served & ~good).sum() == choice.certificate.losses <= most_losses(n, margin, delta)
    assert choice.certificate.upper <= margin


@given(
    SEEDS,
    SIZES,
    MARGINS,
    DELTAS,
    st.booleans(),
    st.sampled_from([0.5, 0.9]),
    st.sampled_from([(1.0,), (1.0, 2.0, 30.0)]),
)
def test_a_certificate_bounds_its_own_estimate_and_no_lower_threshold_has_one(
    seed, n, margin, delta, ties, labelled, weights
):
    confidence, good, weight, known = draw(seed, n, weights, ties=ties, labelled=labelled)
    choice = choose_threshold(confidence, good, weight, margin, delta, known)
    if choice.threshold is None:
        return
    assert choice.certificate.loss <= choice.certificate.upper <= margin * (1 + 1e-9)
    below = confidence[confidence < choice.threshold - 1e-8]
    if len(below) and choice.certificate.method == "clopper_pearson":
        lower = certify(confidence, good, weight, float(below.max()), margin, delta, known)
        assert (
            lower.upper > margin
            or not known[confidence >= below.max()].all()
            or lower.acceptance == choice.certificate.acceptance
        )


@given(SEEDS, SIZES, st.sampled_from([(1.0,), (1.0, 2.0, 30.0)]), st.booleans())
def test_permuting_rows_and_scaling_weights_change_nothing(seed, n, weights, ties):
    confidence, good, weight, known = draw(seed, n, weights, ties=ties, labelled=0.8)
    order = np.random.default_rng(seed).permutation(n)
    one = choose_threshold(confidence, good, weight, 0.05, 0.1, known)
    other = choose_threshold(confidence[order], good[order], weight[order] * 4.0, 0.05, 0.1, known[order])
    assert one.threshold == other.threshold
    assert one.more_labels == other.more_labels
    if one.certificate is not None:
        assert math.isclose(one.certificate.upper, other.certificate.upper, rel_tol=1e-9)


@given(SEEDS, st.integers(20, 400), DELTAS, st.integers(1, 50), st.sampled_from([(1.0,), (1.0, 2.0, 30.0)]))
def test_good_labels_at_low_confidence_never_raise_the_bound(seed, n, delta, more, weights):
    confidence, good, weight, _ = draw(seed, n, weights)
    added = (np.append(confidence, np.zeros(more)), np.append(good, np.ones(more, bool)))
    light = np.append(weight, np.full(more, weight.min()))
    before = certify(confidence, good, weight, 0.5, 0.05, delta)
    after = certify(*added, light, 0.5, 0.05, delta)
    if before.method == after.method == "clopper_pearson":
        assert after.upper <= before.upper
    assert after.loss <= before.loss


@given(SEEDS, st.integers(1, 400), DELTAS, st.sampled_from([(1.0, 2.0), (1.0, 50.0)]))
def test_the_betting_bound_is_where_the_evidence_crosses(seed, n, delta, weights):
    confidence, good, weight, _ = draw(seed, n, weights)
    lost = ~good & (confidence > 0.7)
    upper = weighted_upper(weight, lost, delta)
    assert 0.0 < upper <= 1.0
    assume(upper < 0.999)
    for beyond in np.linspace(upper, 1.0, 12, endpoint=False)[1:]:
        assert log_wealth(weight, lost, float(beyond), delta) >= math.log(1 / delta) - 1e-9


@given(SEEDS, st.integers(2, 300), st.sampled_from([(1.0,), (1.0, 9.0)]))
def test_losses_and_bounds_do_not_fall_as_a_threshold_is_lowered(seed, n, weights):
    confidence, good, weight, known = draw(seed, n, weights, blind=0.1, labelled=0.8)
    curve = risk_coverage(confidence, good, weight, 0.1, 15, known)
    for name in ("acceptance", "loss", "upper"):
        values = [getattr(point, name) for point in curve]
        assert all(a <= b + 1e-9 for a, b in pairwise(values))


@given(SEEDS, st.integers(10, 500), st.sampled_from(["log_probability", "probability", "logit"]), st.booleans())
def test_maps_rise_and_stay_between_0_and_1(seed, n, link, ties):
    confidence, good, weight, _ = draw(seed, n, (1.0, 5.0), ties=ties)
    score = {
        "log_probability": np.log(confidence + 1e-3) - 1e-3,
        "probability": confidence,
        "logit": confidence * 8 - 4,
    }[link]
    at = np.sort(np.concatenate([score, np.linspace(score.min() - 2, score.max() + 2, 50)]))
    if link == "log_probability":
        at = np.minimum(at, 0.0)
    for fit in (fit_platt, fit_beta):
        try:
            made = fit(score, good, weight, link)
        except DataError:
            continue
        confidences = apply_map(made, link, at)
        assert (np.diff(confidences) >= 0).all()
        assert (confidences >= 0).all()
        assert (confidences <= 1).all()
    confidences = apply_map(fit_isotonic(score, good, weight), link, at)
    assert (np.diff(confidences) >= 0).all()
    assert confidences.min() > 0
    assert confidences.max() < 1


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(60, 600), st.sampled_from(["one class", "constant", "nan", "none"]))
def test_labels_that_teach_nothing_are_refused_and_never_become_a_threshold(seed, n, sort):
    confidence, good, weight, _ = draw(seed, n)
    score = np.log(confidence + 1e-6)
    features = {"mean_logprob": score}
    match sort:
        case "one class":
            good = np.full(n, bool(seed % 2))
        case "constant":
            features = {"mean_logprob": np.full(n, -0.5)}
        case "nan":
            features = {"mean_logprob": np.full(n, np.nan)}
        case "none":
            features = {}
    options = FitOptions(tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", margin=0.05)
    with pytest.raises(DataError) as refused:
        fit_calibration(LabelledAnswers(features, good, weight), options)
    assert "\n" not in str(refused.value)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(100, 800), st.sampled_from([(1.0,), (1.0, 4.0)]))
def test_a_calibration_of_permuted_rows_is_the_same(seed, n, weights):
    confidence, good, weight, _ = draw(seed, n, weights)
    options = FitOptions(tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", margin=0.05)
    order = np.random.default_rng(seed).permutation(n)
    made = []
    for place in (np.arange(n), order):
        try:
            there = LabelledAnswers({"p_true": confidence[place]}, good[place], weight[place])
            made.append(fit_calibration(there, options).groups[0])
        except DataError as error:
            made.append(str(error))
    if isinstance(made[0], str) or made[0].threshold is None:
        assert made[0] == made[1] or made[1].threshold is None
        return
    assert math.isclose(made[0].threshold, made[1].threshold, abs_tol=1e-7)
    assert made[0].certificate.losses == made[1].certificate.losses
