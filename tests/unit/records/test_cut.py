"""A log cut at an earlier day is the log that was there then."""

import numpy as np
import pytest

from cells_factory import FIRST, build, day, labels, served
from undertow.records.cut import cut_cells
from undertow.records.report import AuditSettings
from undertow.services.audit import audit

DAYS = 60


def log(days=DAYS):
    """A tier that falls on its thirtieth day, reviewed two days late."""
    rates = np.where(np.arange(days) < 30, 5.0, 35.0)
    held = {"segment": "intent=a", "days": days}
    return build(
        served("cheap", 400, **held), served("capable", 40, arm="holdout", **held),
        labels("cheap", 100, rates, delay=2, arm="treatment", **held),
        labels("capable", 100, 5.0, delay=2, arm="holdout", **held),
    )  # fmt: skip


@pytest.mark.parametrize("at", [10, 31, 45, 59])
def test_labels_count_once_they_had_come(at):
    cut = cut_cells(log(), FIRST + at)
    assert cut.traffic.bucket.max() == FIRST + at - 1
    assert cut.labels.available.max() == FIRST + at - 1
    assert cut.labels.decided.max() == FIRST + at - 3
    assert cut.last_available < (FIRST + at) * cut.bucket_s


def test_it_says_what_was_known_and_nothing_else():
    """Alarms of a log that ends on a day are those that the whole log, cut there, shows; each was raised before the cut."""
    whole = audit(log(), AuditSettings())
    (first, *_) = whole.alarms
    before = audit(cut_cells(log(), FIRST + (first.detected_at - day(0)).days - 1), AuditSettings())
    after = audit(cut_cells(log(), FIRST + (first.detected_at - day(0)).days + 1), AuditSettings())
    assert before.alarms == ()
    assert [alarm.detected_at for alarm in after.alarms][:1] == [first.detected_at]
    assert after.period[1] < whole.period[1]


def test_a_cut_beyond_the_end_changes_nothing():
    cells = log()
    cut = cut_cells(cells, FIRST + DAYS + 10)
    assert audit(cut, AuditSettings()) == audit(cells, AuditSettings())
