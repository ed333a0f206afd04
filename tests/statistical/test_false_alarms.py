"""Guarantees on false alarms by seeded Monte Carlo: E[M_t] <= t and P(alarm by T) <= T / A, with binomial tolerance."""

import numpy as np
import pytest

from undertow.detectors.e_detector import run_e_detector
from undertow.detectors.multiplicity import Stream, combine, stream_weights
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.stats.betting import log_bernoulli_bets, log_pair_bets, log_ratio_bets, log_stratified_bets
from undertow.stats.contrast import log_contrast_bets
from undertow.stats.day_effects import log_overdispersed_bets

pytestmark = pytest.mark.statistical

RUNS, DAYS, LINE = 1500, 100, 1000.0
BOUND = DAYS / LINE


def assert_few_alarms(evidence, bound=BOUND):
    """Share of runs that reach the line: at most the bound, with three standard errors."""
    share = (evidence.max(0) >= LINE).mean()
    assert share <= bound + 3 * np.sqrt(bound * (1 - bound) / evidence.shape[1]), share


def assert_mean_at_most_days(evidence):
    """E[M_t] <= t. M is heavy-tailed, so it is cut at the line: that only lowers the mean."""
    cut = np.minimum(evidence, LINE)
    for day in (0, 9, 49, len(evidence) - 1):
        error = cut[day].std() / np.sqrt(evidence.shape[1])
        assert cut[day].mean() <= day + 1 + 4 * error, (day, cut[day].mean())


@pytest.mark.parametrize("rate", [0.02, 0.07, 0.3])
def test_known_baseline(rate):
    rng = np.random.default_rng(1)
    evidence = run_e_detector(log_bernoulli_bets(rng.binomial(140, rate, (DAYS, RUNS)), 140, rate))
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)
    # The bound is no accident of timid bets: a null that is a fifth too low breaks it.
    wrong = run_e_detector(log_bernoulli_bets(rng.binomial(140, rate, (DAYS, RUNS)), 140, 0.8 * rate))
    assert (wrong.max(0) >= LINE).mean() > BOUND


def test_fractional_failures():
    rng = np.random.default_rng(2)
    failures = rng.beta(0.4, 3.6, (DAYS, RUNS, 30)).sum(-1)  # mean 0.1
    assert_few_alarms(run_e_detector(log_bernoulli_bets(failures, 30, 0.1)))


def test_unequal_inclusion_probabilities():
    rng = np.random.default_rng(3)
    decisions, share, p, rates = 2000, 0.2, np.array([0.15, 0.015]), np.array([0.2, 0.04])
    n = np.stack(
        [rng.binomial(int(decisions * s), q, (DAYS, RUNS)) for s, q in zip((share, 1 - share), p, strict=True)], -1
    )
    k = rng.binomial(n, rates)
    mean = share * rates[0] + (1 - share) * rates[1]
    w = 1 / p
    evidence = run_e_detector(log_ratio_bets((k * w).sum(-1), (n * w).sum(-1), w.max(), mean))
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)
    # Counting labels as they come tests the queue, not the traffic.
    naive = run_e_detector(log_bernoulli_bets(k.sum(-1), n.sum(-1), mean))
    assert (naive.max(0) >= LINE).mean() > 0.9


@pytest.mark.parametrize("rates", [(0.07, 0.07), (0.2, 0.0375)])
def test_fixed_quotas_with_one_stake(rates):
    rng = np.random.default_rng(4)
    weights = np.array([0.4, 1.6])
    k = np.stack([rng.binomial(70, r, (DAYS, RUNS)) for r in rates], -1)
    evidence = run_e_detector(log_stratified_bets(k * weights, np.full(k.shape, 70) * weights, weights, 0.07))
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)


def test_pairs_at_the_margin():
    rng = np.random.default_rng(5)
    outcome = rng.multinomial(100, [0.07, 0.05, 0.88], (DAYS, RUNS))
    evidence = run_e_detector(log_pair_bets(100, outcome[..., 0], outcome[..., 1], 0.02))
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)


def contrast(k_t, n_t, k_r, n_r, margin, losses=(0.02, 0.05, 0.1, 0.2)):
    """Treatment against reference; the reference's rate is bet on as its own past suggests."""
    past_k, past_n = np.cumsum(k_r, 0) - k_r, n_r * np.arange(len(k_r))[:, None]
    q_r = (past_k + 1.0) / (past_n + 10.0)
    q_t = np.minimum(q_r[..., None] + margin + np.array(losses), 0.5 * (1 + q_r[..., None] + margin))
    alternatives = np.stack([q_t, np.broadcast_to(q_r[..., None], q_t.shape)], -1)
    failures = np.stack([k_t, k_r], -1).astype(float)
    n = np.broadcast_to(np.array([n_t, n_r], float), failures.shape)
    return run_e_detector(log_contrast_bets(failures, n, np.array([1.0, -1.0]), np.array(margin), alternatives))


def test_contrast_cancels_day_effects_that_both_arms_share():
    rng = np.random.default_rng(6)
    runs = 500
    day = rng.beta(2.0, 18.0, (DAYS, runs)) * 0.9  # the day's own rate, wildly different from day to day
    k_r, k_t = rng.binomial(40, day), rng.binomial(100, day + 0.02)
    evidence = contrast(k_t, 100, k_r, 40, 0.02)
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)
    alone = run_e_detector(log_bernoulli_bets(k_t, 100, 0.11))
    assert (alone.max(0) >= LINE).mean() > 0.9


def test_contrast_sees_a_loss_beyond_the_margin():
    rng = np.random.default_rng(7)
    day = rng.beta(4.0, 36.0, (60, 200))
    k_r, k_t = rng.binomial(60, day), rng.binomial(100, day + 0.12)
    evidence = contrast(k_t, 100, k_r, 60, 0.02)
    assert (evidence.max(0) >= LINE).mean() > 0.95


@pytest.mark.parametrize("rho", [0.0, 0.005, 0.01])
def test_bets_allowing_for_day_effects(rho):
    rng = np.random.default_rng(8)
    rate = 0.07 if rho == 0 else rng.beta(0.07 * (1 / rho - 1), 0.93 * (1 / rho - 1), (DAYS, RUNS))
    k = rng.binomial(140, rate, (DAYS, RUNS))
    evidence = run_e_detector(log_overdispersed_bets(k, 140, 0.07, 0.01))
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)
    if rho == 0.01:
        uncorrected = run_e_detector(log_bernoulli_bets(k, 140, 0.07))
        assert (uncorrected.max(0) >= LINE).mean() > 0.5


@pytest.mark.parametrize("rate", [0.02, 0.07, 0.3])
def test_self_calibrating(rate):
    rng = np.random.default_rng(9)
    k = rng.binomial(140, rate, (DAYS, RUNS, 1))
    evidence = run_self_calibrating(k, 140.0, warmup=4, earliest=14)
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)
    plugged_in = run_e_detector(log_bernoulli_bets(k[14:, :, 0], 140, k[:14, :, 0].sum(0) / (14 * 140) + 1e-4))
    if rate < 0.3:  # 1,960 baseline labels pin a common rate down better than a rare one
        assert (plugged_in.max(0) >= LINE).mean() > 1.5 * BOUND


def test_self_calibrating_with_strata_and_fractional_failures():
    rng = np.random.default_rng(10)
    k = np.stack([rng.beta(0.4, 1.6, (DAYS, 600, 20)).sum(-1), rng.beta(0.1, 3.9, (DAYS, 600, 20)).sum(-1)], -1)
    evidence = run_self_calibrating(k, 20.0, warmup=4)
    assert_mean_at_most_days(evidence)
    assert_few_alarms(evidence)


def test_dependent_streams_share_one_budget():
    rng = np.random.default_rng(12)
    streams = [Stream("review.ok", "tier", "cheap", 0), *(Stream("review.ok", "segment", str(i), 0) for i in range(5))]
    parts = rng.binomial(28, 0.07, (DAYS, RUNS, 5))
    tier = run_e_detector(log_bernoulli_bets(parts.sum(-1), 140, 0.07))[..., None]
    segments = run_e_detector(log_bernoulli_bets(parts, 28, 0.07))
    total = combine(stream_weights(streams, 0), np.concatenate([tier, segments], axis=-1))
    assert_mean_at_most_days(total)
    assert_few_alarms(total)
