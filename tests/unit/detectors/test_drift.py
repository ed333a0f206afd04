"""Drift warnings: what they see, and what they must not make up."""

import numpy as np
import pytest

from undertow.detectors.drift import (
    distribution_drift,
    mean_drift,
    population_stability_index,
    rate_drift,
    training_drift,
    wasserstein_distance,
)
from undertow.errors import StatisticalError

SHAPE = np.array([0.02, 0.05, 0.1, 0.13, 0.2, 0.25, 0.15, 0.1])
CENTRE = (np.arange(8) + 0.5) / 8
TEN = [0.1] * 10


def histograms(days, seed=1, shape=SHAPE, n=1000):
    return np.random.default_rng(seed).multinomial(n, shape, days)


def test_a_shift_is_seen_with_its_direction_and_size():
    moved = np.r_[0.0, SHAPE[:-2], SHAPE[-2:].sum()]
    now = 0.7 * SHAPE + 0.3 * moved
    counts = np.concatenate([histograms(60), histograms(30, 2, now)])
    drift = distribution_drift(counts, counts @ CENTRE, 0.01, 180)
    assert drift.enough_history
    assert 60 <= drift.day <= 68
    assert (drift.direction, drift.what) == ("up", "mean")
    assert drift.before == pytest.approx(float(SHAPE @ CENTRE), abs=0.003)
    assert drift.size == pytest.approx(float((now - SHAPE) @ CENTRE), abs=0.02)
    assert drift.psi > 0.0
    assert drift.wasserstein > 0.0


def test_a_tail_that_grows_while_the_mean_stays():
    changed = SHAPE + np.array([0.04, 0.0, 0.0, -0.04, -0.04, 0.0, 0.0, 0.04])
    changed -= (changed @ CENTRE - SHAPE @ CENTRE) / (CENTRE[5] - CENTRE[4]) * np.array([0, 0, 0, 0, -1, 1, 0, 0])
    counts = np.concatenate([histograms(60), histograms(30, 3, changed)])
    drift = distribution_drift(counts, counts @ CENTRE, 0.01, 180)
    assert (drift.what, drift.direction) == ("tail", "up")
    assert drift.before == pytest.approx(0.07, abs=0.01)
    assert drift.now > 0.08


def test_the_upper_tail_is_watched_where_that_is_the_odd_end():
    changed = SHAPE + np.array([0.04, 0.0, -0.04, 0.0, 0.0, -0.04, 0.0, 0.04])
    counts = np.concatenate([histograms(60), histograms(30, 3, changed)])
    drift = distribution_drift(counts, counts @ CENTRE, 0.01, 180, tail="high")
    assert (drift.what, drift.direction) == ("tail", "up")
    assert drift.before == pytest.approx(0.1, abs=0.01)


def test_short_history_says_so_and_tests_nothing():
    counts = histograms(14)
    drift = distribution_drift(counts, counts @ CENTRE, 0.01, 180)
    assert (drift.enough_history, drift.day, drift.direction, drift.size) == (False, None, None, None)
    assert not rate_drift([600] * 14, [1000] * 14, 0.01, 180).enough_history
    assert not distribution_drift(np.zeros((30, 8)), np.zeros(30), 0.01, 180).enough_history
    assert not rate_drift(np.zeros(30), np.zeros(30), 0.01, 180).enough_history
    assert not mean_drift(np.zeros(30), np.zeros(30), 0.01, 180).enough_history


def test_weekends_are_no_drift():
    rng = np.random.default_rng(4)
    weekend = np.arange(100) % 7 >= 5
    cheap = rng.binomial(2000, np.where(weekend, 0.5, 0.65))
    assert rate_drift(cheap, np.full(100, 2000), 0.01, 180).day is None


def test_days_with_too_little_traffic_are_skipped():
    rng = np.random.default_rng(5)
    cheap = rng.binomial(1000, np.where(np.arange(80) < 50, 0.6, 0.7))
    total = np.full(80, 1000)
    cheap[[10, 55]], total[[10, 55]] = 3, 3
    drift = rate_drift(cheap, total, 0.01, 180)
    assert drift.direction == "up"
    assert 50 < drift.day < 58
    assert np.isnan(drift.statistic[55])


@pytest.mark.parametrize("rate", [0.002, 0.5, 0.998])
def test_rare_and_common_rates_that_stay_are_quiet(rate):
    rng = np.random.default_rng(6)
    quiet = [rate_drift(rng.binomial(400, rate, 120), np.full(120, 400), 0.005, 180).day is None for _ in range(40)]
    assert np.mean(quiet) > 0.9


def test_answers_that_grow_are_seen_in_their_own_unit():
    rng = np.random.default_rng(7)
    mean = np.where(np.arange(90) < 50, 250.0, 275.0)
    total = np.array([rng.lognormal(np.log(m), 0.5, 600).sum() for m in mean])
    drift = mean_drift(total, np.full(90, 600), 0.005, 180, relative_sd=0.5)
    assert (drift.direction, drift.what) == ("up", "mean")
    assert 50 < drift.day < 62
    assert drift.now / drift.before == pytest.approx(1.08, abs=0.05)


def test_scores_as_in_training_are_quiet_and_others_are_not():
    rng = np.random.default_rng(8)
    slightly = np.array([0.11, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.09])
    assert training_drift(rng.multinomial(800, slightly, 60), TEN, 1000, 0.005, 180).day is None
    low = np.linspace(0.15, 0.05, 10)
    drift = training_drift(rng.multinomial(800, low, 60), TEN, 1000, 0.005, 180)
    assert (drift.what, drift.direction) == ("rank", "down")
    assert drift.before == pytest.approx(4.5)
    assert 14 <= drift.day < 20, "what is off from the first day is seen as soon as the spread is known"
    assert drift.psi > 0.05


def test_shares_that_equal_scores_leave_empty_are_no_drift():
    expected = [0.0, 0.0, 0.4, *([0.1] * 6), 0.0]
    counts = np.random.default_rng(9).multinomial(500, expected, 60)
    assert training_drift(counts, expected, 1000, 0.005, 180).day is None


def test_result_is_a_function_of_the_rows_so_far():
    counts = np.concatenate([histograms(40), histograms(30, 2, np.roll(SHAPE, 1))])
    full = distribution_drift(counts, counts @ CENTRE, 0.01, 180)
    end = full.day + 1
    part = distribution_drift(counts[:end], counts[:end] @ CENTRE, 0.01, 180)
    assert part.day == full.day
    assert distribution_drift(counts[: end - 1], counts[: end - 1] @ CENTRE, 0.01, 180).day is None


def test_psi_and_wasserstein_measure_how_far():
    assert population_stability_index([50, 50], [50, 50]) == pytest.approx(0.0)
    assert population_stability_index([50, 50], [80, 20]) > 0.2
    assert wasserstein_distance([10, 0, 0, 0], [0, 0, 0, 10]) == pytest.approx(0.75)
    with pytest.raises(StatisticalError):
        wasserstein_distance([0, 0], [1, 1])
