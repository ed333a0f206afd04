"""Calibration by seeded simulation: how often a certificate is wrong, what it keeps, and whether the figures beside it cover the truth."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom

from calibration_factory import Truth, draw
from undertow.calibration.certificates import choose_threshold, log_wealth, weighted_upper
from undertow.calibration.maps import apply_map, fit_map
from undertow.calibration.quality import expected_calibration_error, measure
from undertow.stats.roc import roc_area

pytestmark = pytest.mark.statistical

MARGIN, DELTA = 0.03, 0.1


def most_errors(runs, delta=DELTA):
    """Errors that a rule with an error probability of delta stays below in all but one of a thousand repetitions."""
    return int(binom.ppf(0.999, runs, delta))


def thresholds(kind, n, runs, seed, weigh=None):
    """A threshold for each of many samples, and how many were drawn with which weights."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        score, good, weight = sample(kind, n, rng, weigh)
        yield choose_threshold(score, good, weight, MARGIN, DELTA).threshold


def sample(kind, n, rng, weigh):
    """n labels; unequal: those of the requests that look hard are drawn more often, as a review queue would."""
    if weigh is None:
        score, good, _ = draw(n, rng, kind)
        return score, good, np.ones(n)
    score, good, _ = draw(12 * n, rng, kind)
    pi = np.where(score < 0.9, *weigh)
    drawn = np.flatnonzero(rng.random(12 * n) < pi)[:n]
    return score[drawn], good[drawn], 1.0 / pi[drawn]


@pytest.mark.parametrize("weigh", [None, (0.5, 0.1), (0.1, 0.5)], ids=["equal", "doubtful-first", "sure-first"])
@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("kind", ["temp", "noisy", "hidden"])
def test_a_certificate_is_wrong_no_more_often_than_it_says(kind, n, weigh):
    truth, runs = Truth(kind), 1000
    wrong = sum(truth.loss(threshold) > MARGIN * 1.001 for threshold in thresholds(kind, n, runs, 11, weigh))
    assert wrong <= most_errors(runs)


@pytest.mark.parametrize(("n", "kept"), [(200, 0.65), (500, 0.78), (1000, 0.87), (2000, 0.90)])
def test_it_keeps_the_acceptance_that_was_promised(n, kept):
    truth = Truth("temp")
    found = [truth.acceptance(threshold) for threshold in thresholds("temp", n, 300, 5)]
    assert np.mean(found) / truth.oracle(MARGIN) >= kept - 0.01


@pytest.mark.parametrize("n", [1000, 2000])
def test_a_review_queue_that_asks_more_of_doubtful_answers_still_keeps_most(n):
    truth = Truth("temp")
    found = [truth.acceptance(threshold) for threshold in thresholds("temp", n, 200, 6, (0.5, 0.1))]
    assert np.mean(found) / truth.oracle(MARGIN) >= 0.6


def test_labels_of_served_answers_alone_bound_the_loss_of_all_requests():
    # Only answers above .6 were served under the rule in force, and a tenth of those was labelled.
    truth, runs, wrong, kept = Truth("temp"), 1000, 0, []
    rng = np.random.default_rng(8)
    for _ in range(runs):
        score, good, _ = draw(4000, rng, "temp")
        is_served = score > 0.6
        known = is_served & (rng.random(4000) < 0.2)
        rows = known | ~is_served
        weight = np.where(known, 5.0, 1.0)
        choice = choose_threshold(score[rows], (good & known)[rows], weight[rows], MARGIN, DELTA, known[rows])
        wrong += truth.loss(choice.threshold) > MARGIN * 1.001
        kept.append(truth.acceptance(choice.threshold))
    assert wrong <= most_errors(runs)
    assert np.mean(kept) / truth.oracle(MARGIN) > 0.75


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 5.0), (1.0, 40.0)])
@pytest.mark.parametrize("where", ["anywhere", "heavy", "light"])
def test_the_evidence_against_a_loss_at_the_margin_is_at_most_one_on_average(weights, where):
    rng, n, runs = np.random.default_rng(3), 300, 20_000
    # Strata as large as their labels stand for; all losses in one of them is the hardest case.
    light, heavy = np.full(n // 2, weights[0]), np.full(n // 2, weights[1])
    weight = np.append(light, heavy)
    share_heavy = weights[1] / sum(weights)
    share_light = 1.0 - share_heavy
    first = {"anywhere": MARGIN, "heavy": 0.0, "light": min(MARGIN / share_light, 1.0)}[where]
    rates = (first, (MARGIN - share_light * first) / share_heavy)
    rate = np.repeat(rates, n // 2)
    # The evidence depends on the two counts of losses alone.
    counts = rng.binomial(n // 2, rates, size=(runs, 2))
    seen = {}
    for of_light, of_heavy in {tuple(pair) for pair in counts.tolist()}:
        lost = np.append(np.arange(n // 2) < of_light, np.arange(n // 2) < of_heavy)
        seen[of_light, of_heavy] = np.exp(log_wealth(weight, lost, MARGIN, DELTA))
    wealth = np.array([seen[tuple(pair)] for pair in counts.tolist()])
    assert (rate * weight).sum() / weight.sum() == pytest.approx(MARGIN)
    assert wealth.mean() <= 1.0 + 4.0 * wealth.std() / np.sqrt(runs)
    assert (wealth >= 1.0 / DELTA).mean() <= DELTA


def test_the_betting_bound_covers_the_loss():
    rng, missed, runs = np.random.default_rng(4), 0, 1000
    for _ in range(runs):
        weight = rng.choice([2.0, 10.0], 400)
        lost = rng.random(400) < 0.05
        missed += weighted_upper(weight, lost, DELTA) < 0.05
    assert missed <= most_errors(runs)


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_a_thousand_labels_bring_the_error_of_a_confidence_below_three_points(slope):
    rng, errors = np.random.default_rng(7), []
    for _ in range(40):
        z = rng.normal(1.2, 1.5, 21_000)
        good = rng.random(21_000) < expit(slope * z + 0.3)
        score = expit(z)
        made = fit_map(score[:1000], good[:1000], np.ones(1000), "probability")
        fresh = slice(1000, None)
        errors.append(
            expected_calibration_error(apply_map(made, "probability", score[fresh]), good[fresh], np.ones(20_000))
        )
        assert logit(score[0]) == pytest.approx(z[0])
    assert np.mean(errors) < 0.03


def test_the_error_of_a_perfect_confidence_is_its_floor_and_the_interval_of_a_bad_one_covers():
    rng, gaps, covered, runs = np.random.default_rng(9), [], 0, 60
    for _ in range(runs):
        z = rng.normal(1.0, 1.5, 1000)
        found = measure(z, rng.random(1000) < expit(z), np.ones(1000), "logit", rng)
        assert found is not None
        gaps.append(found.ece - found.ece_floor)
        # A fitted map is nearly perfect, so the true error is nearly 0 and the interval reaches down to it.
        covered += found.ece_interval[0] <= 0.01
    assert abs(np.mean(gaps)) < 0.005
    assert covered / runs >= 0.9


def test_the_area_under_the_curve_is_covered_about_as_often_as_it_says():
    # Hanley and McNeil's error is that of exponential numbers: of others an interval of 95 % covers 92 to 95.
    rng, covered, runs = np.random.default_rng(10), 0, 500
    z = rng.normal(1.0, 1.5, 400_000)
    good = rng.random(400_000) < expit(z)
    truth = roc_area(z, good, np.ones(400_000)).value
    for _ in range(runs):
        drawn = rng.integers(0, 400_000, 500)
        found = roc_area(z[drawn], good[drawn], np.ones(500))
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / runs <= 0.98


def test_answers_that_nobody_labelled_are_bounded_and_not_only_estimated():
    """Served answers never fail, withheld ones always: all of the loss is in the rows without a label, whose share is random too."""
    margin, delta, runs, n = 0.05, 0.1, 400, 2000
    over = 0
    for run in range(runs):
        rng = np.random.default_rng([77, run])
        confidence = rng.random(n)
        withheld = confidence < 0.7
        labelled = ~withheld & (rng.random(n) < 0.3)
        kept = labelled | withheld
        weight = np.where(withheld, 1.0, (~withheld).sum() / max(labelled.sum(), 1))
        found = choose_threshold(
            confidence[kept], ~withheld[kept], weight[kept], margin, delta, labelled[kept]
        ).threshold
        # True loss at a threshold t below .7: every request between t and .7 fails.
        over += found is not None and 0.7 - found > margin
    assert over / runs <= delta + 3 * np.sqrt(delta * (1 - delta) / runs)
