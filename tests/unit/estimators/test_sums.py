import pytest

from cells_factory import FIRST, build, labels, served
from undertow.estimators.sums import weighted_sums
from undertow.records.label_grid import ELIGIBLE, HOLDOUT_ARM, label_grid, signal_units


@pytest.fixture
def grid():
    cells = build(
        served("cheap", 10, days=2),
        labels("cheap", 4, 1, days=2, weight=2.0),
        labels("cheap", 6, 2, days=2, weight=5.0, stratum=1, eligible=False),
        labels("capable", 3, 1, days=2, arm="holdout"),
    )
    return label_grid(cells, signal_units(cells)[0], 0, first_bucket=FIRST, buckets=2)


def test_all_cells_that_belong_together_are_summed(grid):
    sums = weighted_sums(grid, [0])
    assert float(sums.n) == 20
    assert float(sums.weight) == 2 * (4 * 2 + 6 * 5)
    assert float(sums.weight_sq) == 2 * (4 * 4 + 6 * 25)
    assert float(sums.weighted_failures) == 2 * (1 * 2 + 2 * 5)
    assert float(sums.weighted_failures_sq) == float(sums.weight_weighted_failures) == 2 * (1 * 4 + 2 * 25)
    assert float(sums.weight_max) == 5


def test_tiers_arms_and_eligibility_choose(grid):
    assert float(weighted_sums(grid, [0], eligible=ELIGIBLE).n) == 8
    assert float(weighted_sums(grid, [0, 1]).n) == 26
    assert float(weighted_sums(grid, [0, 1], arms=HOLDOUT_ARM).n) == 6


def test_an_empty_window_sums_to_nothing(grid):
    sums = weighted_sums(grid.window(2, 2), [0])
    assert float(sums.n) == float(sums.weight) == float(sums.weight_max) == 0.0
