"""What a threshold saves."""

import numpy as np
import pytest

from undertow.calibration.money import expected_savings


def test_every_request_pays_for_the_cheap_answer_and_the_served_ones_save_the_capable_one():
    found = expected_savings(
        np.array([True, True, False, False]), np.array([1.0, 1, 1, 5]), np.full(4, 0.1), np.full(4, 2.0)
    )
    assert found.usd_per_request == pytest.approx(2 / 8 * 2.0 - 0.1)
    assert found.wasted_usd_per_request == pytest.approx(6 / 8 * 0.1)
    assert found.share == pytest.approx((0.5 - 0.1) / 2.0)
    assert found.interval[0] < found.usd_per_request < found.interval[1]


def test_unknown_costs_are_the_mean_of_known_ones_and_without_any_nothing_is_said():
    cheap, capable = np.array([1.0, np.nan]), np.array([np.nan, 10.0])
    assert expected_savings(np.array([True, True]), np.ones(2), cheap, capable).usd_per_request == 9.0
    unknown = np.full(2, np.nan)
    assert expected_savings(np.array([True, True]), np.ones(2), unknown, capable) is None
    assert expected_savings(np.array([True, True]), np.ones(2), cheap, unknown) is None
    assert expected_savings(np.array([True, True]), np.ones(2), None, capable) is None


def test_a_threshold_that_serves_nothing_costs_the_cheap_calls():
    found = expected_savings(np.zeros(3, dtype=bool), np.ones(3), np.ones(3), np.full(3, 5.0))
    assert found.usd_per_request == -1.0
    assert expected_savings(np.zeros(3, dtype=bool), np.ones(3), np.zeros(3), np.zeros(3)).share is None


def test_the_interval_covers():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        served = rng.random(200) < 0.4
        found = expected_savings(served, np.ones(200), np.full(200, 0.2), rng.exponential(2.0, 200))
        covered += found.interval[0] <= 0.4 * 2.0 - 0.2 <= found.interval[1]
    assert 0.91 <= covered / 400 <= 0.98
