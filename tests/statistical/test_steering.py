"""Adaptive allocation keeps the e-values of human labels valid: exactly in the small, by Monte Carlo at the line."""

import itertools

import numpy as np
import pytest

from undertow.detectors.e_detector import EDetector
from undertow.sampling.steering import base_shares, steer_in_proportion, steer_to_top, whole_labels
from undertow.simulation.story import baseline, scenario
from undertow.simulation.story_judged import draw_verdicts
from undertow.stats.betting import BET_MULTIPLIERS, log_bernoulli_bets

pytestmark = pytest.mark.statistical

RUNS, DAYS, LINE = 800, 120, 1200.0
BOUND = DAYS / LINE


def test_an_allocation_that_chases_failures_leaves_the_mean_at_one():
    # Two cells, two rounds of two labels; the second round goes where the first saw more failures. All outcomes.
    rates = np.array([0.1, 0.4])
    mean = np.zeros(len(BET_MULTIPLIERS))
    for first in itertools.product((0, 1), repeat=2):
        n = np.array([2, 0]) if first[0] > first[1] else np.array([0, 2])
        p_first = np.prod(np.where(first, rates, 1 - rates))
        rate = rates[0] if n[0] else rates[1]
        for second in itertools.product((0, 1), repeat=2):
            k = np.array(first) + np.where(n > 0, sum(second), 0)
            chance = p_first * np.prod(np.where(second, rate, 1 - rate))
            mean += chance * np.exp(log_bernoulli_bets(k, 1 + n, rates).sum(0))
    assert mean == pytest.approx(np.ones(len(mean)))


def watched(steer, rounds, judge_drift, rng):
    """Summed evidence of cells and tier at the end of each round, over healthy days, for all runs."""
    null = baseline(scenario("half")).cells
    rate, judge = null.flag_rate.ravel(), null.judge_rate.ravel()
    base = base_shares(null.share).ravel()
    bets = len(BET_MULTIPLIERS)
    cells, tier = EDetector.start((RUNS, 12), bets), EDetector.start((RUNS,), bets)
    suspicion = EDetector.start((RUNS, 12), bets)
    out, moved = [], []
    for day in range(DAYS):
        for part in range(rounds):
            allocation = steer(suspicion.evidence, base, 140.0 / rounds)
            moved.append(allocation.extra.sum(-1).mean() * rounds / 140.0)
            n = whole_labels(allocation.labels, rng.random(RUNS))
            human = log_bernoulli_bets(rng.binomial(n, rate), n, rate)
            flags, pairs = draw_verdicts(
                650.0 / rounds,
                null.share.ravel(),
                np.minimum(judge + (judge_drift if day >= 20 else 0.0), 1.0),
                RUNS,
                rng,
            )
            cells, tier = cells.update(human, restart=part == 0), tier.update(human.sum(1), restart=part == 0)
            suspicion = suspicion.update(human + log_bernoulli_bets(flags, pairs, judge), restart=part == 0)
            out.append(0.5 * cells.evidence.mean(-1) + 0.5 * tier.evidence)
    return np.array(out), float(np.mean(moved))


@pytest.mark.parametrize(
    ("steer", "rounds", "judge_drift"),
    [(steer_to_top, 1, 0.0), (steer_in_proportion, 4, 0.0), (steer_to_top, 1, 0.04), (steer_in_proportion, 4, 0.04)],
)
def test_false_alarms_stay_within_the_bound_under_steering(steer, rounds, judge_drift):
    evidence, moved = watched(steer, rounds, judge_drift, np.random.default_rng([7, rounds, int(100 * judge_drift)]))
    assert moved > 0.1, "steering was at work"
    alarms = (evidence.max(0) >= LINE).mean()
    assert alarms <= BOUND + 3 * np.sqrt(BOUND * (1 - BOUND) / RUNS), alarms
    cut = np.minimum(evidence[rounds - 1 :: rounds], LINE)
    for day in (0, 9, 49, DAYS - 1):
        assert cut[day].mean() <= day + 1 + 4 * cut[day].std() / np.sqrt(RUNS)
