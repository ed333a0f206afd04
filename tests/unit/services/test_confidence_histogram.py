"""The histogram of the confidence."""

import numpy as np
import pytest

from cells_factory import confidence, day
from drift_logs import BINS, DAYS, histograms, log
from undertow.records.segment import Segment
from undertow.services.confidence_histogram import WINDOW_DAYS, confidence_histogram


def test_the_histogram_sets_the_first_fortnight_against_the_last():
    found = confidence_histogram(log(centre=np.where(np.arange(DAYS) < 56, 0.7, 0.5)))
    assert len(found.edges) == BINS + 1
    assert sum(found.baseline) == pytest.approx(1.0)
    assert sum(found.now) == pytest.approx(1.0)
    centres = (np.arange(BINS) + 0.5) / BINS
    assert centres @ found.baseline == pytest.approx(0.7, abs=0.02)
    assert centres @ found.now == pytest.approx(0.5, abs=0.02)
    assert found.baseline_period == (day(0), day(WINDOW_DAYS))
    assert found.now_period == (day(DAYS - WINDOW_DAYS), day(DAYS))
    assert found.psi > 0.2
    assert found.wasserstein == pytest.approx(0.2, abs=0.03)


def test_one_tier_or_segment_is_counted_by_itself():
    cells = log(
        0.7,
        0.6,
        DAYS,
        confidence("capable", histograms(DAYS, 0.2)),
        confidence("cheap", histograms(DAYS, 0.4), segment="intent=a"),
    )
    centres = (np.arange(BINS) + 0.5) / BINS
    assert centres @ confidence_histogram(cells, "capable").now == pytest.approx(0.2, abs=0.02)
    assert centres @ confidence_histogram(cells, segment=Segment("intent", "a")).now == pytest.approx(0.4, abs=0.02)
    assert confidence_histogram(cells, "capable", Segment("intent", "a")) is None
    assert confidence_histogram(cells, "dear") is None
    assert confidence_histogram(cells, segment=Segment("intent", "b")) is None


def test_a_short_log_is_halved():
    found = confidence_histogram(log(days=6))
    assert found.baseline_period == (day(0), day(3))
    assert found.now_period == (day(3), day(6))
