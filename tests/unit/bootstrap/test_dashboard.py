"""What pages are made from: the last reading, news only where there are some, and earlier days from the same cells."""

import json
import shutil
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from click.testing import CliRunner

from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells
from undertow.bootstrap.dashboard import CELLS, LogView
from undertow.cli.main import main
from undertow.errors import DataError


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "store"
    made = CliRunner().invoke(
        main, ["simulate", "support", "--out", str(folder), "--weeks", "9", "--queries-per-day", "1500"]
    )
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def store(simulated, tmp_path):
    return shutil.copytree(simulated, tmp_path / "store")


@pytest.fixture(scope="module")
def once(simulated, tmp_path_factory):
    """A log that was read, and whose store is gone since."""
    folder = tmp_path_factory.mktemp("once") / "store"
    log = view(shutil.copytree(simulated, folder))
    log.refresh()
    shutil.rmtree(folder)
    return log


@pytest.fixture
def read(once):
    """The same with no earlier day asked for."""
    once._by_day.clear()
    return once


def told(alarm):
    return alarm.monitor, alarm.tier, alarm.segment, alarm.cause, alarm.detected_at, alarm.onset, alarm.onset_interval


def view(store, **options):
    return LogView(AuditRequest((str(store),)), **options)


def test_a_log_is_read_once_until_it_changes(store):
    log = view(store)
    assert log.seen is None
    log.refresh()
    first = log.seen
    assert first.report.period[1] > first.report.period[0]
    assert log.reading.problem == ""
    log.refresh()
    assert log.seen is first
    (store / "signals" / "more.jsonl").write_text(json.dumps({"signal_id": "x"}) + "\n")
    log.refresh()
    assert log.seen is not first


def test_a_dashboard_that_is_started_again_has_something_to_show_at_once(store):
    log = view(store)
    log.refresh()
    assert (store / CELLS).exists()
    shutil.rmtree(store / "decisions")
    (store / "decisions").mkdir()
    again = view(store)
    again.refresh()
    assert again.seen.report == log.seen.report, "what was kept is shown"
    assert again.reading.problem, "and that the log itself can no longer be read is said"


def test_a_day_that_is_over_is_what_an_audit_of_that_day_would_have_said(store):
    log = view(store)
    log.refresh()
    end = log.seen.report.period[1]
    for back in (3, 20, 45):
        day = (end - timedelta(days=back)).date()
        found = log.as_of(day)
        request = replace(log.request, until=datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))
        truth = audit_cells(request, read_cells(request))
        assert found.verdict == truth.verdict
        assert [told(alarm) for alarm in found.alarms] == [told(alarm) for alarm in truth.alarms]
        assert [told(alarm) for alarm in found.warnings] == [told(alarm) for alarm in truth.warnings]
        assert [(each.tier, each.segments, each.topics) for each in found.slices] == [
            (each.tier, each.segments, each.topics) for each in truth.slices
        ]
        # Engines add floats in any order.
        assert [each.loss for each in found.segments] == pytest.approx([each.loss for each in truth.segments])
        assert [each.decisions for each in found.tiers] == [each.decisions for each in truth.tiers]
        assert found.period[1] - truth.period[1] < timedelta(hours=1)
        assert log.as_of(day) is found, "it is kept"


def test_an_earlier_day_reads_nothing_and_finds_no_topics_anew(read, monkeypatch):
    def never(*given, **options):
        raise AssertionError("the log is read, or topics are looked for")

    monkeypatch.setattr("undertow.bootstrap.store_notes.draw_counts", never)
    monkeypatch.setattr("undertow.services.topic_memory.find_topics", never)
    assert read.as_of((read.seen.report.period[1] - timedelta(days=3)).date()).tiers


def test_those_who_ask_for_the_same_day_at_once_have_it_made_once(read, monkeypatch):
    log, made = read, list[int]()

    def counted(*given):
        made.append(1)
        time.sleep(0.1)
        return audit_cells(*given)

    monkeypatch.setattr("undertow.bootstrap.dashboard.audit_cells", counted)
    day = (log.seen.report.period[1] - timedelta(days=3)).date()
    found = []
    threads = [threading.Thread(target=lambda: found.append(log.as_of(day))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(each is found[0] for each in found)


def test_a_day_that_is_made_while_the_log_is_read_anew_is_not_kept_for_the_new_reading(store, monkeypatch):
    log = view(store)
    log.refresh()
    day = (log.seen.report.period[1] - timedelta(days=3)).date()

    def overtaken(*given):
        found = audit_cells(*given)
        monkeypatch.setattr("undertow.bootstrap.dashboard.audit_cells", audit_cells)
        (store / "signals" / "more.jsonl").write_text(json.dumps({"signal_id": "x"}) + "\n")
        log.refresh()
        return found

    monkeypatch.setattr("undertow.bootstrap.dashboard.audit_cells", overtaken)
    old = log.as_of(day)
    assert log.as_of(day) is not old


def test_its_end_gives_up_a_reading_between_two_steps(store, monkeypatch):
    log, begun, went_on = view(store), threading.Event(), []

    def read(request, progress):
        begun.set()
        for step in range(1_000):
            progress("joining", step, None)
            time.sleep(0.01)
        went_on.append(1)

    monkeypatch.setattr("undertow.bootstrap.dashboard.read_cells", read)
    log.start()
    assert begun.wait(30)
    log.stop()
    log._thread.join(10)
    assert not log._thread.is_alive()
    assert not went_on
    assert log.reading.problem == ""


def test_a_real_reading_is_given_up_too(store):
    log = view(store)
    log.start()
    began = time.monotonic()
    log.stop()
    log._thread.join(30)
    assert not log._thread.is_alive()
    assert time.monotonic() - began < 30.0


def test_files_that_are_merged_while_it_reads_are_read_under_their_new_name(store, monkeypatch):
    log = view(store)
    log.refresh()
    before = log.seen.report
    compacted = []

    def read(request, progress):
        if not compacted:
            compacted.append(merge(store))
        return read_cells(request, progress)

    monkeypatch.setattr("undertow.bootstrap.dashboard.read_cells", read)
    (store / "signals" / "more.jsonl").write_text(json.dumps({"signal_id": "x"}) + "\n")
    log.refresh()
    assert compacted
    assert log.reading.problem == ""
    assert [each.decisions for each in log.seen.report.tiers] == [each.decisions for each in before.tiers]


def merge(store):
    """Put the decisions of all days into one file, as somebody who tidies up would."""
    files = sorted((store / "decisions").rglob("*.parquet"))
    target = store / "decisions" / "merged.parquet"
    names = ", ".join(f"'{file}'" for file in files)
    duckdb.sql(
        f"COPY (SELECT * FROM read_parquet([{names}], union_by_name = true, hive_partitioning = false)) TO '{target}'"
    )
    for file in files:
        file.unlink()
    return len(files)


def test_a_store_that_goes_away_leaves_the_last_reading_and_earlier_days(read):
    seen = read.seen
    read.refresh()
    assert read.seen is seen
    assert read.reading.problem
    assert read.as_of((seen.report.period[1] - timedelta(days=9)).date()).tiers


def test_days_outside_the_log(store):
    log = view(store)
    with pytest.raises(DataError, match="not been read yet"):
        log.as_of(date(2026, 3, 1))
    log.refresh()
    assert log.as_of(date(2030, 1, 1)) is log.seen.report
    with pytest.raises(DataError, match="the log begins on"):
        log.as_of(date(2020, 1, 1))


def test_a_log_that_is_not_there_is_a_problem_and_no_end(tmp_path):
    log = view(tmp_path / "nowhere")
    log.refresh()
    assert "nowhere" in log.reading.problem
    assert log.seen is None


def test_it_reads_in_the_background_until_it_is_told_to_stop(store):
    log = view(store, refresh_s=0.05)
    log.start()
    for _ in range(600):
        if log.seen is not None:
            break
        log._stop.wait(0.05)
    log.stop()
    assert log.seen is not None
    assert not log._thread.is_alive()
