"""Days of a log, and versions that begin on them."""

import numpy as np
import pytest

from cells_factory import model
from drift_logs import AT, DAYS, MOVED, log, monitors
from undertow.services.log_days import LogDays


@pytest.mark.parametrize(("kind", "centre", "share"), [("calibration_version", 0.5, 0.6), ("policy_version", 0.7, 0.9)])
def test_a_new_version_moves_things_on_purpose(kind, centre, share):
    versions = [
        model("cheap", "v1", 100, days=AT, kind=kind), model("cheap", "v2", 100, days=DAYS - AT, start=AT, kind=kind),
    ]  # fmt: skip
    args = (np.where(MOVED, centre, 0.7), np.where(MOVED, share, 0.6))
    assert monitors(log(*args, DAYS, *versions)) == []
    assert monitors(log(*args)) != []


def test_buckets_of_any_length_fall_on_their_day():
    hours = LogDays(20_513, 30)
    assert hours.rows(np.array([20_513 * 24 + 23, 20_514 * 24]), 3_600).tolist() == [0, 1]
    assert [hours.time(i).weekday() for i in range(9)] == [hours.weekday(i) for i in range(9)]
