from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from undertow.records.replayed import Rerouted
from undertow.services.replay import place_of, replay_notes, setting_changes, sooner_days, time_line
from unit.reports.factory import pareto_trap as audit_report


def test_a_time_line_holds_alarms_warnings_and_the_onset_in_order():
    report = audit_report()
    line = time_line("as it was", report)
    routing = [alarm for alarm in report.alarms if alarm.cause == "routing"]
    assert line.known_at == min(alarm.detected_at for alarm in routing)
    assert [m.at for m in line.moments] == sorted(m.at for m in line.moments)
    assert sum(m.what == "alarm" for m in line.moments) == len(report.alarms)
    assert sum(m.what == "warning" for m in line.moments) == len(report.warnings)
    assert {m.place for m in line.moments if m.what == "alarm"} == {place_of(alarm) for alarm in report.alarms}


def test_an_alarm_of_another_cause_is_no_knowledge_of_routing():
    report = audit_report()
    calm = replace(report, alarms=tuple(replace(alarm, cause="provider") for alarm in report.alarms))
    assert time_line("x", calm).known_at is None


@pytest.mark.parametrize(
    ("name", "before", "after", "is_replayed"),
    [
        ("monitors.alpha", 0.05, 0.1, True),
        ("review.per_day", 200, 50, True),
        ("review.per_day", 50, 200, False),
        ("constraints.never_cheap", (), ("intent=fraud",), True),
        ("constraints.never_cheap", ("intent=fraud",), (), False),
        ("shadow.share", 0.02, 0.1, False),
        ("policy.calibration", None, "a.json", False),
    ],
)
def test_what_a_log_can_answer_for(name, before, after, is_replayed):
    [change] = setting_changes({name: before}, {name: after})
    assert change.is_replayed == is_replayed
    assert bool(change.why) != is_replayed


def test_settings_of_the_gateway_have_nothing_to_do_with_it():
    assert (
        setting_changes(
            {"gateway.workers": 1, "alerts.repeat_hours": 1}, {"gateway.workers": 2, "alerts.repeat_hours": 2}
        )
        == ()
    )


def test_sooner_is_positive_and_never_is_none():
    line = time_line("x", audit_report())
    later = replace(line, known_at=line.known_at + timedelta(days=3))
    assert sooner_days(later, line) == 3
    assert sooner_days(line, replace(line, known_at=None)) is None


def test_unknown_answers_are_said():
    line = replace(time_line("x", audit_report()), known_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert any("nobody labelled" in note for note in replay_notes(Rerouted(10, 0, 4), line))
    assert any("no decision" in note for note in replay_notes(Rerouted(10), line))
    assert replay_notes(None, line) == ()
