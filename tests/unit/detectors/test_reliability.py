"""Whether a confidence keeps what it states, on fresh labels."""

import numpy as np
import pytest

from undertow.detectors.reliability import watch_reliability

DAYS = 90
LINE = 180 / 0.0025


def labels(rate, confidence, n=40, seed=1, weight=1.0, days=DAYS):
    """Columns of one confidence bin each."""
    rng = np.random.default_rng(seed)
    many = np.full((days, len(confidence)), float(n))
    failures = rng.binomial(n, np.broadcast_to(rate, (days, len(confidence)))).astype(float)
    return many, weight * many, weight * failures, weight * many * np.array(confidence), np.full_like(many, weight)


def test_a_confidence_that_keeps_its_word_is_quiet():
    confidence = [0.7, 0.9, 0.98]
    found = watch_reliability(*labels(1 - np.array(confidence), confidence), LINE, 0.02)
    assert found.day is None
    assert found.stated == pytest.approx(0.14, abs=0.001)
    assert found.observed == pytest.approx(0.14, abs=0.02)
    assert found.labels == 28 * 3 * 40


def test_one_that_promises_too_much_is_seen():
    rate = np.where(np.arange(DAYS) < 40, 0.1, 0.2)[:, None]
    found = watch_reliability(*labels(rate, [0.9]), LINE, 0.02)
    assert 40 < found.day < 60
    assert found.observed > found.stated


def test_what_the_slack_bears_is_no_news():
    assert watch_reliability(*labels(0.115, [0.9]), LINE, 0.02).day is None


def test_one_that_promises_too_little_costs_money_and_warns_of_nothing():
    assert watch_reliability(*labels(0.02, [0.9]), LINE, 0.0).day is None


def test_the_scale_of_the_weights_changes_nothing():
    rate = np.where(np.arange(DAYS) < 40, 0.1, 0.25)[:, None]
    one, other = (watch_reliability(*labels(rate, [0.9], weight=w), LINE, 0.02) for w in (1.0, 40.0))
    assert one.day == other.day
    np.testing.assert_allclose(one.evidence, other.evidence)


def test_days_and_bins_without_labels_count_for_nothing():
    found = watch_reliability(*labels(0.1, [0.9, 0.5], n=0), LINE, 0.02)
    assert (found.day, found.stated, found.observed, found.labels) == (None, None, None, 0)


def test_certainty_is_granted_one_failure_in_five_hundred():
    quiet = watch_reliability(*labels(0.001, [1.0]), LINE, 0.0)
    loud = watch_reliability(*labels(0.1, [1.0]), LINE, 0.0)
    assert quiet.day is None
    assert loud.day is not None
