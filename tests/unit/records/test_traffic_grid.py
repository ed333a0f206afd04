import numpy as np

from cells_factory import FIRST, build, labels, served
from undertow.records.label_grid import ARM_AXIS
from undertow.records.traffic_grid import bucket_range, traffic_grid


def test_decisions_lie_by_tier_arm_and_eligibility():
    cells = build(
        served("cheap", 5, days=3),
        served("capable", 2, days=3, arm="holdout"),
        served("capable", 1, days=3, arm=None, eligible=False),
        served(None, 4, days=3),
    )
    grid = traffic_grid(cells, 0, first_bucket=FIRST, buckets=3)
    assert grid.decisions.shape == (3, 3, 3, 2)
    assert grid.decisions[1, 0, ARM_AXIS["treatment"], 1] == 5
    assert grid.decisions[1, 1, ARM_AXIS["holdout"], 1] == 2
    assert grid.decisions[1, 1, ARM_AXIS["unknown"], 0] == 1
    assert grid.decisions[1, 2].sum() == 4, "nothing served stands last"
    assert grid.served.tolist() == [[5, 3]] * 3
    assert grid.cost_usd.sum() == np.float64(36 * 0.01).round(12)


def test_a_segment_and_a_window_choose():
    cells = build(served("cheap", 5, days=10, segment="x=1"), served("cheap", 2, days=10))
    assert traffic_grid(cells, 1, first_bucket=FIRST, buckets=10).decisions.sum() == 50
    assert traffic_grid(cells, 0, first_bucket=FIRST + 4, buckets=3).decisions.sum() == 21


def test_the_range_reaches_to_the_last_label():
    assert bucket_range(build(served("cheap", 5, days=10, start=2))) == (FIRST + 2, 10)
    late = build(served("cheap", 5, days=10, start=2), labels("cheap", 1, 0, days=10, start=2, delay=30))
    assert bucket_range(late) == (FIRST + 2, 40)
