"""Coverage of `combine_rates` when it is looked at every day: equal and unequal weights, few and many labels.

All runs and days are computed at once, with the same formulas on arrays; on each run's worst day, the one that decides whether the
run counts as a miss, `combine_rates` itself is asked, and must agree.
"""

import numpy as np
import pytest

from undertow.estimators.combination import combine_rates
from undertow.stats.confidence import (
    WeightedSums,
    beta_binomial_interval,
    enough_events,
    gaussian_mixture_radius,
    hajek_mean_variance,
)

LEVEL, RUNS, DAYS = 0.95, 300, 24


def _days(rng, rates, quotas, weights):
    """Cumulative sums per run and day of strata with their own rates, quotas and weights. Arrays of shape (RUNS, DAYS)."""
    sums = np.zeros((6, RUNS, DAYS))
    for rate, quota, weight in zip(rates, quotas, weights, strict=True):
        n = np.full((RUNS, DAYS), quota)
        k = rng.binomial(n, rate)
        w = np.broadcast_to(weight, DAYS)
        sums += np.stack([w * n, w**2 * n, w * k, w**2 * k, w**2 * k, n])
    top = np.full((RUNS, DAYS), float(np.max([np.max(w) for w in weights])))
    return WeightedSums(*np.cumsum(sums, axis=2), top)


def _interval(sums):
    """`rate_interval` on arrays: mean and distances to both ends."""
    mean, variance = hajek_mean_variance(sums)
    half = gaussian_mixture_radius(sums.n, LEVEL) * np.sqrt(variance)
    effective = sums.weight**2 / sums.weight_sq
    exact = beta_binomial_interval(mean * effective, effective, LEVEL)
    normal = enough_events(sums)
    low = np.where(normal, np.maximum(mean - half, 0.0), exact.low)
    high = np.where(normal, np.minimum(mean + half, 1.0), exact.high)
    return mean, mean - low, high - mean


def _combined(parts):
    """`combine_rates` on arrays: lower and upper ends of shape (RUNS, DAYS)."""
    value, below, above = (np.zeros((RUNS, DAYS)) for _ in range(3))
    for coef, sums in parts:
        mean, down, up = _interval(sums)
        value += coef * mean
        below += coef**2 * (down if coef > 0 else up) ** 2
        above += coef**2 * (up if coef > 0 else down) ** 2
    return value - np.sqrt(below), value + np.sqrt(above)


def _at(sums, run, day):
    return WeightedSums(*(getattr(sums, name)[run, day] for name in WeightedSums.__dataclass_fields__))


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("name", "tier", "rest", "held", "share"),
    [
        ("plain", ([0.07], [60], [1.0]), ([0.05], [20], [1.0]), ([0.05], [15], [1.0]), 0.65),
        ("rare failures, few labels", ([0.02], [10], [1.0]), ([0.02], [4], [1.0]), ([0.02], [3], [1.0]), 0.65),
        (
            "long tail",
            ([0.15, 0.05], [35, 35], [1.0, 4.0]),
            ([0.05], [20], [1.0]),
            ([0.09, 0.05], [8, 8], [1.0, 4.0]),
            0.65,
        ),
        ("tiny segment", ([0.3, 0.1], [4, 3], [1.0, 5.0]), ([0.05], [2], [1.0]), ([0.05], [1], [1.0]), 0.5),
        (
            "weights that grow with the roll-out",
            ([0.12, 0.05], [20, 20], [np.geomspace(1, 12, DAYS), np.geomspace(4, 48, DAYS)]),
            ([0.05], [12], [np.geomspace(12, 4, DAYS)]),
            ([0.05], [6], [np.geomspace(8, 9, DAYS)]),
            0.65,
        ),
    ],
)
def test_the_interval_holds_on_all_days_at_once(name, tier, rest, held, share):
    rng = np.random.default_rng([7, len(name)])

    def mean(group):
        w = np.array([np.broadcast_to(x, DAYS) for x in group[2]])
        q = np.array(group[1])[:, None]
        return ((w * q).cumsum(1) * np.array(group[0])[:, None]).sum(0) / (w * q).cumsum(1).sum(0)

    truth = mean(tier) + ((1 - share) * mean(rest) - mean(held)) / share
    coefficients = (1.0, (1 - share) / share, -1.0 / share)
    parts = list(zip(coefficients, (_days(rng, *group) for group in (tier, rest, held)), strict=True))
    low, high = _combined(parts)
    slack = np.minimum(high - truth, truth - low)
    worst = slack.argmin(axis=1)
    misses = 0
    for run, day in enumerate(worst):
        found = combine_rates([(coef, _at(sums, run, day)) for coef, sums in parts], LEVEL)
        assert (found.low, found.high) == pytest.approx((low[run, day], high[run, day]), abs=1e-6)
        misses += not found.low <= truth[day] <= found.high
    allowed = RUNS * (1 - LEVEL) + 3 * np.sqrt(RUNS * LEVEL * (1 - LEVEL))
    assert misses <= allowed, f"{name}: {misses} of {RUNS} runs left the interval, {allowed:.0f} allowed"
