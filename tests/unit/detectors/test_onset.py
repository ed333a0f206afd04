"""Onset: the posterior against a direct sum, and what it must find."""

import numpy as np
import pytest

from undertow.detectors.onset import RAMP_DAYS, SIZES, estimate_common_onset, estimate_onset, onset_posterior


def test_posterior_agrees_with_a_direct_sum():
    rng = np.random.default_rng(2)
    k, n, m = rng.binomial(30, 0.1, 25).astype(float), np.full(25, 30.0), 0.1
    k[15:] += 3
    direct = np.zeros(25)
    for day in range(25):
        for ramp in RAMP_DAYS:
            for size in SIZES:
                reached = np.minimum(1.0, (np.arange(25) - day + 1) / ramp)
                q = np.where(np.arange(25) >= day, np.minimum(m * (1 + (size - 1) * reached), 0.97), m)
                direct[day] += np.exp((k * np.log(q / m) + (n - k) * np.log((1 - q) / (1 - m))).sum())
    assert onset_posterior(k, n, m) == pytest.approx(direct / direct.sum(), abs=1e-9)


def test_many_streams_at_once_equal_one_by_one():
    rng = np.random.default_rng(3)
    k = rng.binomial(40, 0.1, (50, 3)).astype(float)
    k[30:, 1] += 8
    together = onset_posterior(k, 40.0, np.array([0.1, 0.09, 0.12]), 500.0)
    apart = [onset_posterior(k[:, i], 40.0, m, 500.0) for i, m in enumerate((0.1, 0.09, 0.12))]
    assert together == pytest.approx(np.stack(apart, axis=1))


def test_the_interval_reaches_back_to_the_start_of_a_ramp():
    days = np.arange(60)
    k = 140 * (0.07 + 0.15 * np.clip((days - 29) / 28, 0, 1))
    onset = estimate_onset(k[:48], 140.0, 0.07)
    assert onset.low <= 30 <= onset.high


def test_an_uncertain_baseline_is_corrected_by_the_days_before_the_change():
    k = np.full(50, 10.0)
    k[40:] = 18.0
    sure, unsure = estimate_onset(k, 140.0, 0.05), estimate_onset(k, 140.0, 0.05, 400.0)
    assert sure.low == 0  # a baseline taken as known and too low: everything looks changed
    assert 25 < unsure.low <= 40 <= unsure.high


def test_old_days_are_left_out_but_keep_their_place():
    k = np.full(300, 10.0)
    k[280:] = 30.0
    assert int(estimate_onset(k, 140.0, 0.07).day) == 280


def test_more_labels_from_a_stratum_that_fails_more_often_are_no_change():
    """As where steering sets in some days after the onset: pooled, the change seems to begin with it."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        n = np.where(np.arange(45)[:, None] < 36, [12.0, 50.0], [100.0, 20.0])
        k = rng.binomial(n.astype(int), np.where(np.arange(45)[:, None] < 30, [0.2, 0.06], [0.4, 0.08])).astype(float)
        rate, size = (k[:20].sum(0) + 1.0) / (n[:20].sum(0) + 10.0), n[:20].sum(0)
        apart = estimate_common_onset(k, n, rate, size)
        pooled = estimate_onset(k.sum(1), n.sum(1), k[:20].sum() / size.sum(), size.sum())
        found.append((apart.low <= 30 <= apart.high, pooled.low <= 30 <= pooled.high))
    apart, pooled = np.mean(found, axis=0)
    assert apart >= 0.85
    assert pooled < 0.6


def test_one_stratum_has_the_onset_that_it_had():
    k = np.full((40, 1), 10.0)
    k[30:] = 25.0
    assert estimate_common_onset(k, 140.0, [0.07]) == estimate_onset(k[:, 0], 140.0, 0.07)
