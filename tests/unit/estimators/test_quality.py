import pytest

from cells_factory import FIRST, build, labels, served
from undertow.estimators.combination import equal_weights
from undertow.estimators.quality import quality_estimate, tier_quality
from undertow.records.label_grid import HOLDOUT_ARM, label_grid, signal_units


def test_quality_is_one_minus_failure_and_so_is_its_interval():
    found = quality_estimate(equal_weights(300, 1000), 0.95)
    assert found.mean == pytest.approx(0.7)
    low, high = found.interval
    assert 0.6 < low < 0.7 < high < 0.8


def test_no_labels_have_no_quality():
    found = quality_estimate(equal_weights(0, 0), 0.95)
    assert (found.n, found.mean, found.interval) == (0, None, None)


def test_tiers_are_pooled_by_their_traffic_weights_and_arms_chosen():
    cells = build(
        served("cheap", 10, days=1),
        labels("cheap", 100, 20, days=1, weight=3.0),
        labels("capable", 100, 0, days=1),
        labels("capable", 10, 5, days=1, arm="holdout"),
    )
    grid = label_grid(cells, signal_units(cells)[0], 0, first_bucket=FIRST, buckets=1)
    assert tier_quality(grid, [0], 0.95).mean == pytest.approx(0.8)
    assert tier_quality(grid, [0, 1], 0.95).mean == pytest.approx(1 - (60 + 5) / (300 + 110))
    assert tier_quality(grid, [1], 0.95, HOLDOUT_ARM).mean == pytest.approx(0.5)
