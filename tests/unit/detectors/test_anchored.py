"""The anchored detector: what it learns of its judge, when, and that no day sees a later one."""

import numpy as np
import pytest

from undertow.detectors.anchored import AnchoredDay, AnchoredDetector, run_anchored
from undertow.detectors.e_detector import run_e_detector
from undertow.stats.betting import log_bernoulli_bets


def days(rng, rate, count=60, runs=40, labels=30, scores=300, seen=0.9, false=0.05):
    rate = np.broadcast_to(rate, (count,))
    joint = np.stack([(1 - rate) * (1 - false), (1 - rate) * false, rate * (1 - seen), rate * seen], -1)
    labelled = np.stack([rng.multinomial(labels, p, runs) for p in joint]).reshape(count, runs, 1, 2, 2)
    flagged = rng.binomial(scores, joint[:, 1] + joint[:, 3], (runs, count)).T
    return labelled, np.stack([scores - flagged, flagged], -1)[:, :, None]


def test_a_good_judge_brings_the_alarm_forward():
    rate = np.where(np.arange(60) < 30, 0.1, 0.16)
    labelled, verdicts = days(np.random.default_rng(1), rate)
    anchored = run_anchored(labelled, verdicts, [1.0], 0.1)
    k = labelled[..., 1, :].sum((-1, -2))
    alone = run_e_detector(log_bernoulli_bets(k, 30, 0.1))
    assert np.median(anchored[45]) > 10 * np.median(alone[45])


def test_tau_comes_from_earlier_days_only():
    labelled, verdicts = days(np.random.default_rng(2), 0.2)
    first = AnchoredDetector.start((40,), 1)
    assert (first.tau == 0.0).all()
    state = first.update(AnchoredDay(labelled[0], verdicts[0]), [1.0], 0.2)
    assert (state.tau > 0.3).all()
    other = run_anchored(labelled[:20], verdicts[:20], [1.0], 0.2)
    assert np.array_equal(run_anchored(labelled, verdicts, [1.0], 0.2)[:20], other)


def test_a_day_without_labels_says_nothing_and_still_counts():
    labelled, verdicts = days(np.random.default_rng(3), 0.2, count=8)
    labelled[5] = 0
    m = run_anchored(labelled, verdicts, [1.0], 0.2)
    assert np.allclose(m[5], m[4] + 1.0)


def test_a_stratum_without_traffic_may_be_empty():
    labelled, verdicts = days(np.random.default_rng(4), 0.2, count=8)
    both = np.concatenate([labelled, np.zeros_like(labelled)], axis=2)
    none = np.concatenate([verdicts, np.zeros_like(verdicts)], axis=2)
    assert run_anchored(both, none, [1.0, 0.0], 0.2)[-1] == pytest.approx(
        run_anchored(labelled, verdicts, [1.0], 0.2)[-1]
    )
