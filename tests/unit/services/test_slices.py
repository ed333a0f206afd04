"""The whole audit on a log whose loss no label names: the alarm, and where it says that the tier loses."""

from dataclasses import replace

import numpy as np
import pytest

from topic_log import CHANGE, START, read_rows, rows, without_texts
from undertow.records.report import AuditSettings
from undertow.services.audit import audit
from undertow.services.slices import alarm_slices


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return read_rows(tmp_path_factory.mktemp("log"), *rows())


@pytest.fixture(scope="module")
def report(cells):
    return audit(cells, AuditSettings())


def test_the_alarm_names_the_topic(report):
    alarm = report.alarms[0]
    assert alarm.segment.key == "topic"
    assert "charge" in alarm.segment.value
    assert alarm.tier == "cheap"
    assert (alarm.detected_at - START).days <= CHANGE + 12
    assert len([each for each in report.alarms if each.segment.key == "topic"]) == 1


def test_the_slice_is_found_named_and_sized(report):
    found = report.slices[0]
    assert "charge" in found.words
    assert any("charge" in topic for topic in found.topics)
    assert found.examples
    assert all("charge" in example for example in found.examples)
    assert found.share == pytest.approx(0.06, abs=0.02)
    assert found.interval[0] < 0.6 < found.interval[1]
    assert found.failures_before == pytest.approx(0.06, abs=0.06)
    assert found.rest == pytest.approx(0.06, abs=0.03)
    assert found.part_of_failures > 2 * found.part_before
    assert found.evidence > 1.3


def test_without_texts_the_same_log_says_where_by_its_labels_alone(tmp_path):
    bare = audit(read_rows(tmp_path, *rows(with_text=False)), AuditSettings())
    assert all(not row.topics and not row.examples for row in bare.slices)
    assert all(alarm.segment.key != "topic" for alarm in bare.alarms)


def test_a_conjunction_of_labels_is_found_without_any_text(tmp_path):
    decisions, signals = rows(with_text=False)
    for number, (decision, signal) in enumerate(zip(decisions, signals, strict=True)):
        decision["segment"] = {"area": ("web", "app")[number % 2], "plan": ("free", "paid", "team")[number // 2 % 3]}
        hit = number % 2 == 0 and number // 2 % 3 == 1 and number >= CHANGE * 100
        signal["value"] = 0.0 if number % 17 == 0 or (hit and number % 5 < 3) else 1.0
    report = audit(read_rows(tmp_path, decisions, signals), AuditSettings())
    assert [{str(segment) for segment in row.segments} for row in report.slices][:1] == [{"area=web", "plan=paid"}]


def test_texts_of_the_last_weeks_alone_are_searched_by_themselves(cells, report):
    """A store that removes texts: without care every topic would seem to have grown from nothing."""
    first = cells.rows.decided.min()
    late = np.where(cells.rows.decided >= first + CHANGE - 5, cells.rows.text, -1)
    some = replace(cells, rows=replace(cells.rows, text=late))
    found = alarm_slices(some, None, report.alarms, 0.05, 0.95)
    assert found
    assert all("charge" in row.words for row in found)
    assert all(row.share == pytest.approx(0.06, abs=0.03) for row in found)


def test_no_alarm_no_search(cells):
    assert alarm_slices(cells, None, (), 0.05, 0.95) == ()


def test_a_healthy_log_has_neither(tmp_path):
    decisions, signals = rows()
    for number, signal in enumerate(signals):
        signal["value"] = 0.0 if number % 16 == 0 else 1.0
    report = audit(read_rows(tmp_path, decisions, signals), AuditSettings())
    assert report.alarms == ()
    assert report.slices == ()


def test_labels_of_strata_that_are_counted_together_are_neither_searched_nor_watched_by_topic(cells, report):
    code = cells.signals.index("review.accuracy")
    together = replace(cells, merged={code: int(cells.rows.stratum.max())})
    assert report.alarms
    assert alarm_slices(together, None, report.alarms, 0.05, 0.95) == ()
    assert all(alarm.kind == "level" for alarm in audit(together, AuditSettings()).alarms)


def test_texts_that_are_gone_are_searched_by_their_sketches_and_not_named(cells, report):
    found = alarm_slices(without_texts(cells), None, report.alarms, 0.05, 0.95)
    assert found
    assert found[0].topics
    assert found[0].share == pytest.approx(0.06, abs=0.02)
    assert found[0].interval[0] < 0.6 < found[0].interval[1]
    assert all(row.words == () and row.examples == () for row in found)
