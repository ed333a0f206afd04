"""Quality over time of what a reader asks for."""

import numpy as np
import pytest

from cells_factory import build, labels, served
from undertow.records.report import AuditSettings
from undertow.records.segment import WHOLE, Segment
from undertow.services.audit import audit
from undertow.services.quality_lines import line_unit, quality_lines

BILLING = Segment("intent", "billing")
DAYS = 28
SETTINGS = AuditSettings()


def log():
    return build(
        served("cheap", 80, days=DAYS),
        served("capable", 100, days=DAYS),
        served("cheap", 20, days=DAYS, segment="intent=billing"),
        labels("cheap", 15, np.repeat([4, 0], 14), days=DAYS),
        labels("capable", 20, 1, days=DAYS),
        labels("cheap", 5, np.repeat([0, 4], 14), days=DAYS, segment="intent=billing"),
        labels("cheap", 30, 3, days=DAYS, signal="thumb.helpful", selection="volunteered"),
        labels("cheap", 2, 1, days=DAYS, signal="thumb.helpful", selection="sampled"),
    )


def lines(*asked, signal="review.accuracy", **options):
    cells = log()
    return quality_lines(cells, line_unit(cells, SETTINGS, signal), 0.95, *asked, **options)


def test_each_tier_has_a_line_and_all_together_the_first():
    found = lines()
    assert [(line.tier, line.segment) for line in found] == [(None, WHOLE), ("cheap", WHOLE), ("capable", WHOLE)]
    assert [point.mean for point in found[1].points] == pytest.approx([0.8] * 4)
    assert [point.mean for point in found[0].points] == pytest.approx([0.875] * 4)


def test_a_tier_stands_beside_what_it_is_a_part_of():
    assert [line.tier for line in lines("cheap")] == [None, "cheap"]
    whole, part = lines("cheap", BILLING)
    assert (whole.segment, part.segment) == (WHOLE, BILLING)
    assert [point.mean for point in part.points] == pytest.approx([1.0, 1.0, 0.2, 0.2])


def test_a_line_without_labels_is_left_out():
    assert [line.tier for line in lines(None, BILLING)] == [None, "cheap"]


def test_what_the_log_does_not_know_has_no_line():
    assert lines("dear") == ()
    assert lines(None, Segment("intent", "nothing")) == ()


def test_periods_may_be_shorter():
    assert len(lines(step_s=86_400)[1].points) == DAYS


def test_bands_are_of_all_lines_and_periods_together():
    cells = log()
    unit = line_unit(cells, SETTINGS, "review.accuracy")
    own = audit(cells, SETTINGS).quality_series[1].points[0].interval
    together = quality_lines(cells, unit, 0.95)[1].points[0].interval
    assert together[0] < own[0] < own[1] < together[1]
    # Four weeks and three lines: each band has a twelfth of the error.
    alone = quality_lines(cells, unit, 1.0 - 0.05 * 12)[1].points[0].interval
    assert alone == pytest.approx(own)


def test_kinds_of_evidence_of_one_name_are_not_mixed():
    cells = log()
    unit = line_unit(cells, SETTINGS, "thumb.helpful")
    assert (unit.selection, unit.labels) == ("volunteered", 30 * DAYS)
    assert line_unit(cells, SETTINGS, "review.other") is None
    assert line_unit(cells, SETTINGS, "review.accuracy").selection == "sampled"
