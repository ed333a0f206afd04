"""Counts per stratum of labels that were not drawn alike."""

import numpy as np
import pytest

from cells_factory import build, labels, served
from undertow.estimators.by_stratum import design_scale, stratum_sums
from undertow.records.label_grid import label_grid, signal_units

DAYS, STAYS = 10, 28


def summed(*parts):
    cells = build(served("cheap", 100, days=DAYS), served("capable", 100, days=DAYS), *parts)
    (unit,) = signal_units(cells)
    grid = label_grid(cells, unit, 0, first_bucket=int(cells.labels.decided.min()), buckets=DAYS)
    return stratum_sums(grid, 0, design_scale(grid, 0, STAYS))


def test_labels_of_one_weight_are_counted_as_they_are():
    found = summed(labels("cheap", 7, 2, days=DAYS, weight=3.0)).counts(0, DAYS)
    assert found.n.tolist() == pytest.approx([70.0])
    assert found.failures.tolist() == pytest.approx([20.0])
    assert found.requests.tolist() == pytest.approx([210.0])


def test_labels_drawn_more_often_count_less():
    parts = labels("cheap", 9, 0, days=DAYS, weight=10.0), labels("cheap", 9, 9, days=DAYS, weight=1.0)
    found = summed(*parts).counts(0, DAYS)
    assert (found.failures / found.n).tolist() == pytest.approx([1.0 / 11.0])
    # Kish: (sum w)^2 / sum w^2, below the number of labels.
    assert found.n.tolist() == pytest.approx([99.0**2 / (900.0 + 9.0) * DAYS])


def test_days_are_weighed_by_their_labels_where_the_rate_of_drawing_moves():
    """From half of the time on a hundred times as many are drawn: those days are not outweighed by the few labels before."""
    parts = labels("cheap", 3, 3, days=5, weight=100.0), labels("cheap", 300, 0, days=5, start=5, weight=1.0)
    found = summed(*parts).counts(0, DAYS)
    assert found.n[0] > 1_400
    assert found.failures[0] / found.n[0] < 0.02


def test_what_a_segment_leaves_of_its_tier():
    parts = (
        labels("cheap", 4, 1, days=DAYS, weight=5.0, segment="intent=a"),
        labels("cheap", 6, 3, days=DAYS, weight=2.0, segment="intent=b"),
    )
    cells = build(served("cheap", 100, days=DAYS), served("capable", 100, days=DAYS), *parts)
    (unit,) = signal_units(cells)
    whole, a, b = (
        label_grid(cells, unit, code, first_bucket=int(cells.labels.decided.min()), buckets=DAYS) for code in (0, 1, 2)
    )
    scale = design_scale(whole, 0, STAYS)
    rest = stratum_sums(whole, 0, scale).minus(stratum_sums(a, 0, scale)).counts(0, DAYS)
    alone = stratum_sums(b, 0, scale).counts(0, DAYS)
    assert rest.n.tolist() == pytest.approx(alone.n.tolist())
    assert rest.failures.tolist() == pytest.approx(alone.failures.tolist())
    nothing = stratum_sums(a, 0, scale).minus(stratum_sums(a, 0, scale)).counts(0, DAYS)
    assert nothing.n.tolist() == [0.0]


def test_pairs_are_weighted_as_their_labels_are():
    parts = (
        labels("cheap", 9, 9, days=DAYS, weight=1.0, pairs=True, lost=9.0),
        labels("cheap", 9, 0, days=DAYS, weight=9.0, pairs=True, won=9.0),
    )
    found = summed(*parts).counts(0, DAYS)
    assert found.paired.tolist() == [1.0]
    assert (found.lost / found.n).tolist() == pytest.approx([-0.8])


def test_strata_that_are_not_there_are_empty():
    found = summed(labels("cheap", 7, 2, days=DAYS)).counts(0, DAYS, 3)
    assert found.n.tolist() == pytest.approx([70.0, 0.0, 0.0])
    assert np.isfinite(found.failures).all()
