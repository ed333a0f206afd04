"""Drift warnings: the whole budget on days that differ by weekday and from day to day, and how soon a drift is seen."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from cells_factory import behaved, binned, build, confidence, served
from undertow.detectors.drift import distribution_drift, rate_drift
from undertow.detectors.ewma import chart
from undertow.detectors.reliability import watch_reliability
from undertow.records.cells import CONFIDENCE_BINS, NOVELTY_BINS
from undertow.records.report import AuditSettings
from undertow.services.drift import drift_warnings

pytestmark = pytest.mark.statistical

HORIZON = 180
WEEKEND = (np.arange(HORIZON + 14) % 7 >= 5).astype(float)
DAYS = HORIZON + 14


def tolerance(bound, runs):
    return bound + 3 * np.sqrt(bound * (1 - bound) / runs)


def test_the_whole_budget_holds_on_noisy_days_with_a_weekly_pattern():
    """Six segments and eight quantities of 1,000 requests a day. A day's mean and rates have noise of their own beyond sampling."""
    runs, found = 120, 0
    settings = AuditSettings(alpha=0.1)
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        parts = []
        noise = rng.standard_normal((4, DAYS))
        for name in "abcdef":
            n = rng.poisson(170 * (1 - 0.2 * WEEKEND))
            drawn = partial(rates, rng, n)
            centre = 0.75 - 0.02 * WEEKEND + 0.01 * noise[0]
            score = rng.normal(centre[:, None], 0.12, (DAYS, 170)).clip(0, 1 - 1e-9)
            new = rng.normal((0.4 + 0.01 * WEEKEND + 0.008 * noise[1])[:, None], 0.1, (DAYS, 170)).clip(0, 0.99)
            cheap = drawn(0.6, 0.02 * noise[2])
            parts += [
                served("cheap", cheap, days=DAYS, segment=f"intent={name}"),
                served("capable", n - cheap, days=DAYS, segment=f"intent={name}"),
                confidence("cheap", binned_rows(score, CONFIDENCE_BINS), segment=f"intent={name}"),
                binned("novelty", "cheap", binned_rows(new, NOVELTY_BINS), segment=f"intent={name}"),
                behaved(
                    "cheap", n, days=DAYS, segment=f"intent={name}",
                    escalated=drawn(0.1, 0.1 * noise[3]), refusals=drawn(0.01, 0.0), hedging=drawn(0.03, 0.0),
                    output_tokens=n * rng.normal(250 * (1 + 0.01 * noise[0]), 250 * 0.4 / np.sqrt(n)),
                    novelty=(new / (1 - new)).mean(1) * n,
                ),
            ]  # fmt: skip
        found += bool(drift_warnings(build(*parts), settings))
    assert found / runs <= tolerance(settings.alpha / 2, runs), found / runs


def rates(rng, n, base, by):
    """Counts of a rate that each day's noise moves by a part of itself."""
    return rng.binomial(n, np.clip(base * (1 + by), 0, 1)).astype(float)


def binned_rows(values, bins):
    counts = np.zeros((len(values), bins))
    np.add.at(counts, (np.arange(len(values))[:, None], (values * bins).astype(int)), 1.0)
    return counts


@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_one_chart_keeps_its_level_whatever_the_weekday_pattern(alpha):
    rng = np.random.default_rng(1)
    runs = 1500
    for pattern in (0.0, 0.03):
        crossed = sum(
            chart(rng.normal(0.7, 0.01, DAYS) - pattern * WEEKEND, alpha, HORIZON).day is not None for _ in range(runs)
        )
        assert crossed / runs <= tolerance(alpha, runs), (pattern, crossed / runs)


def test_counts_of_rare_events_keep_their_level():
    rng = np.random.default_rng(2)
    runs, alpha = 600, 0.02
    for rate in (0.004, 0.05):
        crossed = sum(
            rate_drift(rng.binomial(300, rate, DAYS), np.full(DAYS, 300), alpha, HORIZON).day is not None
            for _ in range(runs)
        )
        assert crossed / runs <= tolerance(alpha, runs), (rate, crossed / runs)


BINS = 40
EDGES = np.linspace(0, 1, BINS + 1)
BEFORE, MIXED_IN = np.diff(stats.beta(5, 2).cdf(EDGES)), np.diff(stats.beta(2.5, 2.5).cdf(EDGES))
CENTRE = (np.arange(BINS) + 0.5) / BINS


def ramp_delay(alpha, runs=120, onset=60, seed=3):
    """Days from the onset until a share of 18 % uncertain requests, ramping in over 28 days, is seen at 1,000 scores a day."""
    rng = np.random.default_rng(seed)
    share = np.minimum(0.18, 0.18 * np.maximum(0, np.arange(onset + 60) - onset + 1) / 28)
    delays = []
    for _ in range(runs):
        days = np.array([rng.multinomial(1000, (1 - s) * BEFORE + s * MIXED_IN) for s in share])
        found = distribution_drift(days, days @ CENTRE, alpha, HORIZON)
        if found.day is None or found.day >= onset:
            delays.append(np.inf if found.day is None else found.day - onset + 1)
    return np.array(delays)


def test_a_ramp_is_seen_within_ten_days_alone_and_twelve_inside_the_whole_budget():
    alone = ramp_delay(0.05)
    assert np.median(alone) <= 10
    # As the whole tier's confidence has it in a log with every quantity and segments: .05 / 2 * .25 / 2.
    shared = ramp_delay(0.05 / 2 * 0.25 / 2)
    assert np.median(shared) <= 12
    assert np.quantile(shared, 0.9) <= 15


def test_reliability_keeps_its_level_with_unequal_weights():
    """Labels at two inclusion probabilities, failures at what is stated: the e-detector passes its line in at most T / line runs."""
    rng = np.random.default_rng(4)
    runs, days, line = 400, 180, 1800.0
    confidence_of = np.array([0.6, 0.8, 0.95])
    crossed = 0
    for _ in range(runs):
        # A third of the traffic is a tail that fails twice as often, and the rest makes up for it: honest over all traffic.
        stated = 1 - confidence_of
        tail, rest = np.minimum(1.6 * stated, 1.0), 0.7 * stated
        share = 1 / 3
        actual = share * tail + (1 - share) * rest
        n = rng.binomial(200, [[share * 0.2] * 3, [(1 - share) * 0.05] * 3], (days, 2, 3)).astype(float)
        k = rng.binomial(n.astype(int), [tail, rest]).astype(float)
        w = np.array([1 / 0.2, 1 / 0.05])[:, None]
        weight, failed = (n * w).sum(1), (k * w).sum(1)
        most = np.where(n[:, 1] > 0, 20.0, np.where(n[:, 0] > 0, 5.0, 0.0))
        found = watch_reliability(n.sum(1), weight, failed, weight * (1 - actual), most, line)
        crossed += found.day is not None
    assert crossed / runs <= tolerance(days / line, runs)
