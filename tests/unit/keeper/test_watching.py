"""The job looks at a store when it is time, writes the audit down, and tells of each alarm once."""

import json
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner

from undertow.cli.main import main
from undertow.keeper.watching import FIRST_PAUSE_S, Watching
from undertow.records.runtime_files import SAMPLING, WATCH_REPORT
from undertow.records.serving import ReviewPlan, ShadowPlan, TuningPlan

START = datetime(2026, 6, 1, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at


def job(store, clock, every_s=240.0):
    return Watching(
        store, TuningPlan(), ReviewPlan(per_day=100), ShadowPlan(share=0.02), ("cheap", "capable"), every_s, clock
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
