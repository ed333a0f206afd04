"""The e-detector's recursion, its state and its caps."""

import json

import numpy as np
import pytest

from undertow.detectors.e_detector import EDetector, first_crossing, run_e_detector


def test_recursion_equals_the_sum_over_starts():
    rng = np.random.default_rng(1)
    log_bets = rng.normal(0.0, 0.3, (25, 4, 3))
    total = np.array([sum(np.exp(log_bets[s : t + 1].sum(0)) for s in range(t + 1)).mean(-1) for t in range(25)])
    assert np.allclose(run_e_detector(log_bets), total)


def test_state_survives_json_and_continues_alike():
    log_bets = np.random.default_rng(2).normal(0.0, 0.3, (10, 2, 3))
    detector = EDetector.start((2,), 3)
    for t in range(5):
        detector = detector.update(log_bets[t])
    restored = EDetector.from_state(json.loads(json.dumps(detector.to_state())))
    for t in range(5, 10):
        restored = restored.update(log_bets[t])
    assert np.allclose(restored.evidence, run_e_detector(log_bets)[-1])


def test_days_are_used_in_order_only():
    log_bets = np.random.default_rng(3).normal(0.0, 0.3, (20, 3))
    assert np.array_equal(run_e_detector(log_bets)[:12], run_e_detector(log_bets[:12]))


@pytest.mark.filterwarnings("error")
def test_overwhelming_evidence_is_capped_without_overflow():
    evidence = run_e_detector(np.full((50, 2), 1e6))
    assert np.isfinite(evidence).all()
    assert run_e_detector(np.full((5, 2), -1e6)).max() == 0.0


def test_first_crossing_says_never_with_minus_one():
    assert first_crossing(np.zeros((4, 2)), 1.0).tolist() == [-1, -1]
    assert first_crossing([[0.0, 5.0], [5.0, 0.0]], 5.0).tolist() == [1, 0]


def test_a_day_may_come_in_parts():
    log_bets = np.random.default_rng(5).normal(0.0, 0.3, (6, 4, 3))  # six days of four parts
    whole = run_e_detector(log_bets.sum(1))
    detector = EDetector.start((), 3)
    for day in range(6):
        for part in range(4):
            detector = detector.update(log_bets[day, part], restart=part == 0)
        assert float(detector.evidence) == pytest.approx(float(whole[day]))
