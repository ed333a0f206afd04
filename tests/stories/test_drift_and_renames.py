"""Logs in which something moves without a loss: the right warning, and no alarm; a label that changes its name: neither, and a note."""

from dataclasses import replace

import pytest

from undertow.adapters.simulated.incident import write_incident
from undertow.bootstrap.audit import AuditRequest, run_audit
from undertow.simulation.incidents import SUPPORT

DAY = 40
QUIET = replace(
    SUPPORT,
    queries_per_day=2500,
    pre_weeks=0,
    weeks=9,
    rollout=(1.0,),
    suite_per_week=0,
    reviews_per_day=60,
    drift_day=DAY,
).made_healthy()


def audited(tmp_path, **moved):
    write_incident(replace(QUIET, **moved), tmp_path / "log", seed=3, text="none")
    return run_audit(AuditRequest((str(tmp_path / "log"),)))


@pytest.mark.parametrize(
    ("drift", "share", "monitor", "signal"),
    [
        ("confidence", 0.15, "confidence", "confidence"),
        ("novelty", 0.2, "input", "novelty"),
        ("share", 0.12, "share", "routing share"),
        ("length", 0.15, "answer", "answer length"),
    ],
)
def test_what_drifts_is_warned_of_and_nothing_else(tmp_path, drift, share, monitor, signal):
    report = audited(tmp_path, drift=drift, drift_share=share)
    assert report.alarms == ()
    assert {(w.monitor, w.signal) for w in report.warnings} == {(monitor, signal)}
    began = report.period[0].replace(hour=0, minute=0, second=0, microsecond=0)
    assert all(DAY < (w.detected_at - began).days <= DAY + 10 for w in report.warnings)


@pytest.mark.parametrize(("part", "ending"), [(1.0, "a rename?"), (0.5, "a split?")])
def test_a_label_that_is_renamed_or_split_alarms_nobody_and_is_said(tmp_path, part, ending):
    report = audited(tmp_path, drift="segment", drift_share=part)
    assert report.alarms == ()
    assert report.warnings == ()
    (note,) = [note for note in report.coverage.notes if "intent=renamed" in note]
    assert "first seen on 14 February; intent=billing" in note
    assert ending in note


def test_upstreams_that_fail_are_no_alarm_by_themselves(tmp_path):
    report = audited(tmp_path, drift="errors", drift_share=0.08)
    assert report.alarms == ()
    assert report.verdict != "quality_loss"
