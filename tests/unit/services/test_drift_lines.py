"""What drifts, of any tier and segment."""

import numpy as np
import pytest

from cells_factory import behaved, binned, build, day, served
from undertow.records.segment import Segment
from undertow.services.drift_lines import log_axis, novelty_histogram, rate_line, score_tenths, share_lines

BILLING = Segment("intent", "billing")
DAYS = 40


def spike(bins, at, n=10):
    counts = np.zeros((DAYS, bins))
    for row, place in enumerate(np.broadcast_to(at, DAYS)):
        counts[row, place] = n
    return counts


def log():
    moved = np.where(np.arange(DAYS) < 20, 5, 12)
    return build(
        served("cheap", 60, days=DAYS),
        served("capable", 32, days=DAYS),
        served("capable", 8, days=DAYS, segment="intent=billing"),
        behaved("cheap", 60, days=DAYS, escalated=0, novelty=30),
        behaved("capable", 32, days=DAYS, escalated=2, novelty=40),
        behaved("capable", 8, days=DAYS, escalated=8, segment="intent=billing"),
        binned("novelty", "cheap", spike(40, moved)),
        binned("novelty", "capable", spike(40, 30)),
        binned("scores", "cheap", spike(10, np.where(np.arange(DAYS) < 20, 9, 0))),
    )


def test_a_rate_counts_all_tiers_or_one():
    cells = log()
    assert [p.mean for p in rate_line(cells, "escalations").points] == pytest.approx([0.1] * DAYS)
    assert [p.mean for p in rate_line(cells, "novelty", "cheap").points] == pytest.approx([0.5] * DAYS)
    assert rate_line(cells, "escalations", None, BILLING).points[0].mean == 1.0
    assert rate_line(cells, "escalations").points[3].at == day(3)


def test_what_is_not_logged_has_no_line():
    cells = build(served("cheap", 60, days=5))
    assert rate_line(cells, "escalations") is None
    assert novelty_histogram(cells) is None
    assert score_tenths(cells) is None
    assert rate_line(log(), "novelty", "dear") is None
    assert rate_line(log(), "novelty", None, Segment("a", "b")) is None


def test_hours_become_days():
    cells = build(served("cheap", 1, days=48), behaved("cheap", 2, days=48, escalated=1), bucket_s=3600)
    assert log_axis(cells).size == 2
    assert [(p.mean, p.n) for p in rate_line(cells, "escalations").points] == [(0.5, 48), (0.5, 48)]


def test_novelty_then_and_now():
    found = novelty_histogram(log(), "cheap")
    assert np.argmax(found.baseline) == 5
    assert np.argmax(found.now) == 12
    assert sum(found.now) == pytest.approx(1.0)
    assert found.baseline_period == (day(0), day(14))
    assert np.argmax(novelty_histogram(log(), "capable").now) == 30


def test_scores_lie_in_tenths_of_the_calibrations():
    assert score_tenths(log()) == pytest.approx((1.0, *(0.0,) * 9))


def test_shares_of_a_segment():
    cheap, capable = share_lines(log(), BILLING)
    assert (cheap.points[0].mean, capable.points[0].mean) == (0.0, 1.0)
    assert share_lines(log(), Segment("a", "b")) == ()
