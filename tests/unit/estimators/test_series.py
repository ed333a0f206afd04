import numpy as np
import pytest

from cells_factory import DAY, FIRST, build, day, labels, served
from undertow.estimators.series import evidence_series, quality_series, share_series
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.segment import WHOLE
from undertow.records.traffic_grid import traffic_grid


def test_quality_is_given_per_week_of_decision():
    cells = build(served("cheap", 10, days=17), labels("cheap", 10, np.repeat([0, 5, 2], [7, 7, 3]), days=17, delay=30))
    grid = label_grid(cells, signal_units(cells)[0], 0, by="decided", first_bucket=FIRST, buckets=20)
    series = quality_series(grid, [0], "cheap", "cheap", WHOLE, "review.accuracy", 0.95, DAY)
    assert [p.at for p in series.points] == [day(0), day(7), day(14)]
    assert [p.mean for p in series.points] == pytest.approx([1.0, 0.5, 0.8])
    assert [p.n for p in series.points] == [70, 70, 30]
    assert all(p.interval[0] <= p.mean <= p.interval[1] for p in series.points)


def test_a_week_without_labels_is_absent():
    cells = build(served("cheap", 10, days=14), labels("cheap", 10, 1, days=3))
    grid = label_grid(cells, signal_units(cells)[0], 0, by="decided", first_bucket=FIRST, buckets=14)
    series = quality_series(grid, [0], "cheap", "cheap", WHOLE, "review.accuracy", 0.95, DAY)
    assert (series.points[1].mean, series.points[1].interval, series.points[1].n) == (None, None, 0)


def test_shares_add_up_to_one_a_day_even_from_hours():
    hour = 3600
    cells = build(
        served("cheap", 3, days=24, start=0),
        served("capable", 1, days=24, start=0),
        served("capable", 5, days=24, start=48),
        served(None, 9, days=24, start=0),
        bucket_s=hour,
    )
    grid = traffic_grid(cells, 0, first_bucket=FIRST * 24, buckets=72)
    cheap, capable = share_series(grid, cells.tiers, hour, WHOLE)
    assert [p.at for p in cheap.points] == [day(0), day(1), day(2)]
    assert [p.mean for p in cheap.points] == [0.75, None, 0.0]
    assert [p.mean for p in capable.points] == [0.25, None, 1.0]
    assert cheap.points[0].n == 96


def test_evidence_stands_at_the_end_of_its_bucket_as_a_logarithm():
    series = evidence_series(np.array([0.0, 1.0, 1000.0]), FIRST, DAY, "all", WHOLE)
    assert [p.mean for p in series.points] == [None, 0.0, 3.0]
    assert series.points[2].at == day(3)
