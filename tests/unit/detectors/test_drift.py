"""Drift warnings: what they see, and what they must not make up."""

import numpy as np
import pytest

from undertow.detectors.drift import (
    MIN_BASELINE_DAYS,
    confidence_drift,
    population_stability_index,
    share_drift,
    wasserstein_distance,
)
from undertow.errors import StatisticalError

SHAPE = np.array([0.02, 0.05, 0.1, 0.13, 0.2, 0.25, 0.15, 0.1])
CENTRE = (np.arange(8) + 0.5) / 8


def histograms(days, seed=1, shape=SHAPE):
    return np.random.default_rng(seed).multinomial(1000, shape, days)


def test_a_shift_is_seen_with_its_direction_and_size():
    moved = np.r_[0.0, SHAPE[:-2], SHAPE[-2:].sum()]
    counts = np.concatenate([histograms(60), histograms(20, 2, 0.7 * SHAPE + 0.3 * moved)])
    drift = confidence_drift(counts, counts @ CENTRE, 60, np.random.default_rng(1))
    expected = float((0.7 * SHAPE + 0.3 * moved - SHAPE) @ CENTRE)
    assert drift.enough_history
    assert 60 <= drift.day <= 70
    assert drift.direction == ("up" if expected > 0 else "down")
    assert drift.what == "mean"
    assert drift.size == pytest.approx(expected, abs=0.02)
    assert drift.psi > 0.0
    assert drift.wasserstein > 0.0


def test_a_tail_that_grows_while_the_mean_stays():
    changed = SHAPE + np.array([0.04, 0.0, 0.0, -0.04, -0.04, 0.0, 0.0, 0.04])
    changed -= (changed @ CENTRE - SHAPE @ CENTRE) / (CENTRE[5] - CENTRE[4]) * np.array([0, 0, 0, 0, -1, 1, 0, 0])
    counts = np.concatenate([histograms(60), histograms(20, 3, changed)])
    drift = confidence_drift(counts, counts @ CENTRE, 60, np.random.default_rng(1))
    assert drift.what == "tail"
    assert drift.direction == "up"


def test_short_history_says_so_and_tests_nothing():
    counts = histograms(40)
    drift = confidence_drift(counts, counts @ CENTRE, MIN_BASELINE_DAYS - 1, np.random.default_rng(1))
    assert (drift.enough_history, drift.day, drift.direction) == (False, None, None)
    assert drift.psi is not None
    share = share_drift([600] * 20, [1000] * 20, 5, np.random.default_rng(1))
    assert not share.enough_history
    empty = confidence_drift(np.zeros((30, 8)), np.zeros(30), 20, np.random.default_rng(1))
    assert not empty.enough_history
    assert not share_drift(np.zeros(30), np.zeros(30), 20, np.random.default_rng(1)).enough_history


def test_weekends_are_no_drift():
    rng = np.random.default_rng(4)
    weekend = np.arange(100) % 7 >= 5
    cheap = rng.binomial(2000, np.where(weekend, 0.5, 0.65))
    drift = share_drift(cheap, np.full(100, 2000), 56, np.random.default_rng(1))
    assert drift.enough_history
    assert drift.day is None


def test_days_without_traffic_are_skipped():
    rng = np.random.default_rng(5)
    cheap = rng.binomial(1000, np.where(np.arange(80) < 50, 0.6, 0.7))
    total = np.full(80, 1000)
    cheap[[10, 55]] = 0
    total[[10, 55]] = 0
    drift = share_drift(cheap, total, 50, np.random.default_rng(1))
    assert drift.direction == "up"
    assert np.isfinite(drift.statistic[55])


def test_result_is_a_function_of_the_rows_so_far():
    counts = np.concatenate([histograms(40), histograms(30, 2, np.roll(SHAPE, 1))])
    full = confidence_drift(counts, counts @ CENTRE, 40, np.random.default_rng(1))
    cut = confidence_drift(counts[: full.day + 1], counts[: full.day + 1] @ CENTRE, 40, np.random.default_rng(1))
    assert (full.day, full.direction, full.size) == (cut.day, cut.direction, cut.size)


def test_distances():
    p = np.array([10.0, 20.0, 30.0, 40.0])
    assert population_stability_index(p, p) == 0.0
    assert population_stability_index(p, p[::-1]) > 0.2
    assert wasserstein_distance(p, p) == 0.0
    assert wasserstein_distance([1, 0, 0, 0], [0, 0, 0, 1]) == pytest.approx(0.75)
    with pytest.raises(StatisticalError, match="empty"):
        wasserstein_distance([0, 0], [1, 1])
