"""Coverage under continuous monitoring, at small rates and from fifty labels on."""

import numpy as np
import pytest

from undertow.stats.confidence import (
    WeightedSums,
    beta_binomial_interval,
    bounded_mean_interval,
    hajek_interval,
    mean_interval,
    upper_rate_bound,
)

pytestmark = pytest.mark.statistical

RUNS = 600
STEPS = np.unique(np.r_[np.arange(50, 400, 15), np.geomspace(400, 4000, 40).astype(int)])
ALLOWED = 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)


def looked_at(x):
    return np.cumsum(x, axis=1)[:, STEPS - 1]


def miss(interval, truth):
    return ((interval.low > truth) | (interval.high < truth)).any(axis=1).mean()


def sums(w, y, weight_max):
    n = np.broadcast_to(STEPS.astype(float), (RUNS, len(STEPS)))
    parts = [looked_at(x) for x in (w, w * w, w * y, (w * y) ** 2, w * w * y)]
    return WeightedSums(*parts, n, np.full(n.shape, weight_max))


@pytest.mark.parametrize("rate", [0.02, 0.06, 0.3])
def test_rates_and_fractional_failures(rate):
    rng = np.random.default_rng(1)
    n = STEPS.astype(float)
    labels = (rng.random((RUNS, STEPS[-1])) < rate).astype(float)
    assert miss(beta_binomial_interval(looked_at(labels), n), rate) <= ALLOWED
    assert miss(beta_binomial_interval(looked_at(rng.beta(2 * rate, 2 * (1 - rate), labels.shape)), n), rate) <= ALLOWED


@pytest.mark.parametrize(
    ("rates", "share", "weights"),
    [
        ((0.02, 0.02), 0.5, (1.0, 1.0)),
        ((0.15, 0.03), 0.5, (0.4, 1.6)),
        ((0.15, 0.03), 0.9, (1.0, 20.0)),
        ((0.06, 0.06), 0.5, (1.0, 3.0)),
    ],
)
def test_weighted_means(rates, share, weights):
    rng = np.random.default_rng(2)
    tail = rng.random((RUNS, STEPS[-1])) < share
    w = np.where(tail, *weights)
    y = (rng.random(tail.shape) < np.where(tail, *rates)).astype(float)
    mass = np.array([share * weights[0], (1 - share) * weights[1]])
    truth = mass @ rates / mass.sum()
    s = sums(w, y, max(weights))
    interval = hajek_interval(
        s.weight, s.weight_sq, s.weighted_failures, s.weighted_failures_sq, s.weight_weighted_failures, s.n, 0.95,
        weight_max=max(weights),
    )  # fmt: skip
    assert miss(interval, truth) <= ALLOWED
    if weights == (1.0, 20.0):
        # Why the gate: a plain mean of these labels is another number altogether.
        assert miss(beta_binomial_interval(looked_at(y), STEPS.astype(float)), truth) > 0.9


@pytest.mark.parametrize(("up", "down"), [(0.05, 0.02), (0.02, 0.01), (0.3, 0.2)])
def test_paired_losses(up, down):
    rng = np.random.default_rng(4)
    u = rng.random((250, STEPS[-1]))
    d = np.where(u < up, 1.0, np.where(u < up + down, -1.0, 0.0))
    args = (looked_at(d), looked_at(d * d), STEPS.astype(float), 0.95)
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)
    assert miss(mean_interval(*args, bounds=(-1.0, 1.0)), up - down) <= allowed
    assert miss(bounded_mean_interval(*args, (-1.0, 1.0)), up - down) <= allowed


def test_money_with_a_moderate_tail():
    rng = np.random.default_rng(5)
    x = rng.exponential(1.0, (RUNS, STEPS[-1])) - 0.3
    assert miss(mean_interval(looked_at(x), looked_at(x * x), STEPS.astype(float)), 0.7) <= ALLOWED


def test_upper_bound_at_a_fixed_size():
    rng = np.random.default_rng(6)
    k = rng.binomial(300, 0.03, 4000)
    missed = (upper_rate_bound(k, 300, 0.05) < 0.03).mean()
    assert missed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)
