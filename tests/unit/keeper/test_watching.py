"""The job looks at a store when it is time, writes the audit down, and tells of each alarm once."""

import json
import stat
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner

from undertow.cli.main import main
from undertow.keeper.watching import FIRST_PAUSE_S, Watching, _logged
from undertow.records.runtime_files import SAMPLING, WATCH_REPORT
from undertow.records.segment import Segment
from undertow.records.serving import ReviewPlan, ShadowPlan, TuningPlan
from undertow.services.topics import KEY

START = datetime(2026, 6, 1, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at


def job(store, clock, every_s=240.0):
    return Watching(
        store, TuningPlan(), ReviewPlan(per_day=100), ShadowPlan(share=0.02), ("cheap", "capable"), (), every_s, clock
    )


def test_looks_come_a_minute_after_the_start_and_then_ever_more_seldom(tmp_path):
    clock = Clock()
    watching = job(tmp_path, clock)
    looked_at = []
    for second in range(0, 1200, 5):
        clock.at = START + timedelta(seconds=second)
        if watching.run():
            looked_at.append(second)
    assert looked_at == [
        FIRST_PAUSE_S,
        FIRST_PAUSE_S + 120,
        FIRST_PAUSE_S + 120 + 240,
        FIRST_PAUSE_S + 120 + 480,
        FIRST_PAUSE_S + 120 + 720,
        FIRST_PAUSE_S + 120 + 960,
    ]


def test_the_audit_is_written_and_alarms_are_told_once(tmp_path, caplog):
    runner = CliRunner()
    made = runner.invoke(
        main, ["simulate", "support", "--out", str(tmp_path), "--weeks", "12", "--queries-per-day", "2000"]
    )
    assert made.exit_code == 0, made.output
    watching = job(tmp_path, Clock())
    with caplog.at_level("INFO", logger="undertow.keeper"):
        first, second = watching.look(), watching.look()
    report = json.loads((tmp_path / WATCH_REPORT).read_text())
    assert report["schema"] == "undertow.audit/1"
    assert first["alarms_raised"] == len(report["alarms"]) > 0
    assert second["alarms_raised"] == 0
    assert sum(record.message == "alarm" for record in caplog.records) == len(report["alarms"])
    assert (tmp_path / SAMPLING).exists()
    assert stat.S_IMODE((tmp_path / WATCH_REPORT).stat().st_mode) == 0o640, "it may quote texts"
    (rates,) = [record for record in caplog.records if record.message == "sampling_rates_changed"]
    assert rates.fields["reasons"] == "; ".join(json.loads((tmp_path / SAMPLING).read_text())["reasons"]) != ""


def test_a_clock_that_was_ahead_for_a_while_puts_off_no_look(tmp_path):
    clock = Clock()
    watching = job(tmp_path, clock)
    watching.run()
    clock.at = START + timedelta(days=400)
    assert watching.run()
    looks = 0
    for second in range(0, 600, 5):
        clock.at = START + timedelta(seconds=second)
        looks += bool(watching.run())
    assert looks >= 1


def test_the_words_of_a_topic_stand_in_no_log():
    assert _logged(Segment("intent", "billing")) == "intent=billing"
    assert "refund" not in _logged(Segment(KEY, "refund, card, twice"))
