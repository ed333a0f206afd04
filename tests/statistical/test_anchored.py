"""Prediction-powered bets and intervals: guarantees by seeded Monte Carlo, with good, bad and drifting judges."""

import numpy as np
import pytest

from undertow.detectors.anchored import run_anchored
from undertow.stats.ppi import ppi_mean

pytestmark = pytest.mark.statistical

RUNS, DAYS, LINE = 500, 100, 1000.0
BOUND = DAYS / LINE
RATES = np.array([0.05, 0.2])
LABELS, SHARE, SCORES = np.array([25, 25]), np.array([0.8, 0.2]), 300


def drawn(rng, rates, seen, false):
    """Labelled and unlabelled counts of two strata. Shapes (T, R, 2, 2, 2), (T, R, 2, 2). `false` by day."""
    labelled, verdicts = [], []
    for day in range(DAYS):
        f = false[day]
        joint = np.stack([(1 - rates) * (1 - f), (1 - rates) * f, rates * (1 - seen), rates * seen], -1)
        labelled.append(rng.multinomial(np.tile(LABELS, (RUNS, 1)), joint).reshape(RUNS, 2, 2, 2))
        n = rng.multinomial(SCORES, SHARE, RUNS)
        flagged = rng.binomial(n, joint[:, 1] + joint[:, 3])
        verdicts.append(np.stack([n - flagged, flagged], -1))
    return np.array(labelled, dtype=float), np.array(verdicts, dtype=float)


@pytest.mark.parametrize(("seen", "drift"), [(0.8, 0.0), (0.8, 0.2), (0.3, 0.0), (0.99, -0.05)])
def test_false_alarms_stay_within_the_bound_whatever_the_judge(seen, drift):
    rng = np.random.default_rng(1)
    false = np.where(np.arange(DAYS) < 30, 0.08, 0.08 + drift)
    evidence = run_anchored(*drawn(rng, RATES, seen, false), SHARE, float(SHARE @ RATES))
    alarms = (evidence.max(0) >= LINE).mean()
    assert alarms <= BOUND + 3 * np.sqrt(BOUND * (1 - BOUND) / RUNS), alarms
    cut = np.minimum(evidence, LINE)
    for day in (0, 9, 49, DAYS - 1):
        assert cut[day].mean() <= day + 1 + 4 * cut[day].std() / np.sqrt(RUNS)


def test_a_judge_that_is_believed_would_alarm():
    rng = np.random.default_rng(2)
    labelled, verdicts = drawn(rng, RATES, 0.8, np.where(np.arange(DAYS) < 30, 0.08, 0.28))
    believed = run_anchored(labelled, verdicts, SHARE, float(SHARE @ RATES) * 0.8)
    assert (believed.max(0) >= LINE).mean() > 2 * BOUND, "a null that is too low breaks the bound: bets are not timid"


@pytest.mark.parametrize("labels", [40, 150])
@pytest.mark.parametrize("right", [0.6, 0.9])
def test_intervals_cover(labels, right):
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(600):
        y = (rng.random(1500) < 0.3) * 1.0
        f = np.where(rng.random(1500) < right, y, 1 - y)
        chosen = rng.permutation(1500) < labels
        m = ppi_mean(f, np.where(chosen, y, np.nan), labels / 1500)
        covered.append(m.low <= 0.3 <= m.high)
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 600)


def test_anytime_intervals_cover_at_all_times():
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(150):
        y = (rng.random(20_000) < 0.3) * 1.0
        f = np.where(rng.random(20_000) < 0.8, y, 1 - y)
        seen = np.where(rng.random(20_000) < 0.1, y, np.nan)
        looks = [ppi_mean(f[:n], seen[:n], 0.1, anytime=True) for n in np.geomspace(1000, 20_000, 25).astype(int)]
        missed += any(not m.low <= 0.3 <= m.high for m in looks)
    assert missed / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
