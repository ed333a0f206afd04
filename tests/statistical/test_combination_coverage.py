"""Coverage of `combine_rates` when it is looked at every day: equal and unequal weights, few and many labels."""

import numpy as np
import pytest

from undertow.estimators.combination import combine_rates
from undertow.stats.confidence import WeightedSums

LEVEL, RUNS, DAYS = 0.95, 80, 24


def _days(rng, rates, quotas, weights):
    """Cumulative sums per day of strata with their own rates, quotas and weights."""
    sums = np.zeros((DAYS, 6))
    for rate, quota, weight in zip(rates, quotas, weights, strict=True):
        n = np.full(DAYS, quota)
        k = rng.binomial(n, rate)
        w = weight if np.ndim(weight) else np.full(DAYS, weight)
        sums += np.stack([w * n, w**2 * n, w * k, w**2 * k, w**2 * k, n], axis=1)
    total = np.cumsum(sums, axis=0)
    return [WeightedSums(*(np.float64(x) for x in row), np.float64(np.max(weights))) for row in total]


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("name", "tier", "rest", "held", "share"),
    [
        ("plain", ([0.07], [60], [1.0]), ([0.05], [20], [1.0]), ([0.05], [15], [1.0]), 0.65),
        ("rare failures, few labels", ([0.02], [10], [1.0]), ([0.02], [4], [1.0]), ([0.02], [3], [1.0]), 0.65),
        ("long tail", ([0.15, 0.05], [35, 35], [1.0, 4.0]), ([0.05], [20], [1.0]), ([0.09, 0.05], [8, 8], [1.0, 4.0]), 0.65),
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
    misses = 0
    for _ in range(RUNS):
        rows = zip(_days(rng, *tier), _days(rng, *rest), _days(rng, *held), truth, strict=True)
        for t, r, h, true in rows:
            found = combine_rates([(1.0, t), ((1 - share) / share, r), (-1.0 / share, h)], LEVEL)
            if not found.low <= true <= found.high:
                misses += 1
                break
    allowed = RUNS * (1 - LEVEL) + 3 * np.sqrt(RUNS * LEVEL * (1 - LEVEL))
    assert misses <= allowed, f"{name}: {misses} of {RUNS} runs left the interval, {allowed:.0f} allowed"
