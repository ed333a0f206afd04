import numpy as np
import pytest

from undertow.detectors.day_noise import correlation_known, design_effect
from undertow.detectors.self_calibrating import run_self_calibrating

DAY_S = 86_400


def draw(rho, seed, days=180, n=140, m=0.06, tiers=2):
    rng = np.random.default_rng(seed)
    rate = (
        np.full((days, tiers), m) if rho == 0 else rng.beta(m * (1 / rho - 1), (1 - m) * (1 / rho - 1), (days, tiers))
    )
    return rng.binomial(n, rate).astype(float), np.full((days, tiers), float(n))


def test_it_depends_on_earlier_weeks_only():
    k, n = draw(0.02, 1)
    changed = k.copy()
    changed[70:] = 0.0
    before, after = correlation_known(k, n, DAY_S), correlation_known(changed, n, DAY_S)
    assert np.array_equal(before[:77], after[:77])
    assert not np.array_equal(before[77:], after[77:])
    assert np.array_equal(correlation_known(k[:50], n[:50], DAY_S), before[:50])


@pytest.mark.parametrize("rho", [0.005, 0.02, 0.05])
def test_it_approaches_the_correlation_from_below(rho):
    found = np.array([correlation_known(*draw(rho, seed), DAY_S)[-1] for seed in range(40)])
    assert 0.75 * rho < np.median(found) < 1.05 * rho


def test_independent_labels_show_next_to_none():
    found = np.array([correlation_known(*draw(0.0, seed), DAY_S)[-1] for seed in range(60)])
    assert (found == 0).mean() > 0.5
    assert np.quantile(found, 0.9) < 0.001


def test_a_slow_change_is_no_noise():
    days = np.arange(182)[:, None]
    n = np.full((182, 1), 400.0)
    k = n * np.clip(0.05 + 0.1 * (days - 60) / 60, 0.05, 0.15)
    assert correlation_known(k, n, DAY_S).max() == 0.0


def test_hours_tell_the_same_as_days():
    k, n = draw(0.02, 3, days=70)
    hourly = [np.repeat(x / 24, 24, axis=0) for x in (k, n)]
    assert np.allclose(correlation_known(*hourly, 3_600)[::24], correlation_known(k, n, DAY_S))
    effect = design_effect(hourly[1][:, 0], np.full(70 * 24, 0.01), 3_600)
    assert np.allclose(effect[24:], 1 + 139 * 0.01)
    assert np.all(effect[:23] < effect[23])


@pytest.mark.parametrize("days", [0, 3, 7, 13])
def test_a_short_log_has_no_correlation_yet(days):
    k, n = draw(0.05, 4, days=max(days, 1))
    found = correlation_known(k[:days], n[:days], DAY_S)
    assert found.shape == (days, 2)
    assert np.all(found[:7] == 0)


def test_no_labels_or_no_failures_show_nothing():
    for k, n in (
        (np.zeros((60, 1)), np.zeros((60, 1))),
        (np.zeros((60, 1)), np.full((60, 1), 50.0)),
        (np.full((60, 1), 50.0),) * 2,
    ):
        assert np.all(correlation_known(k, n, DAY_S) == 0)


@pytest.mark.statistical
def test_correlated_days_alarm_seldom_once_divided_and_often_if_not():
    """Self-calibrating detectors at a line of 3600 over 180 days: 5 % if labels were independent."""
    runs = 150
    drawn = [draw(0.01, seed, tiers=1) for seed in range(runs)]
    k, n = (np.stack([x[i] for x in drawn], axis=1) for i in (0, 1))
    effect = np.stack([design_effect(y[:, 0], correlation_known(x, y, DAY_S)[:, 0], DAY_S) for x, y in drawn], axis=1)
    plain = (run_self_calibrating(k, n, 3, 28) >= 3600).any(0).mean()
    divided = (run_self_calibrating(k / effect[..., None], n / effect[..., None], 3, 28) >= 3600).any(0).mean()
    assert plain > 0.15
    assert divided < 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / runs)
