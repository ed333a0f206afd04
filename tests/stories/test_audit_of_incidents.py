"""Audits of incidents whose truth is known, through files: what is found, what is not blamed, and that the past stays told.

Logs are small versions of the support incident. Other truths (a provider that fell, traffic that moved, a log without any
reference) are planted by rewriting the healthy twin's Parquet files; which rows change is settled by a hash of their ids.
"""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from undertow.adapters.simulated.incident import write_incident
from undertow.bootstrap.audit import AuditRequest, run_audit
from undertow.config.load import load_settings
from undertow.records.report import AuditReport
from undertow.simulation.incidents import SUPPORT

SMALL = dataclasses.replace(SUPPORT, queries_per_day=1_500, weeks=11, ramp_days=14)
CHANGED = datetime(2026, 3, 16, tzinfo=UTC)
"""Day on which rewritten logs change: six weeks after routing began, when the roll-out has ended."""

BY_DECISION = "SELECT s.* REPLACE ({replaced}) FROM signals s LEFT JOIN decisions d USING (decision_id) WHERE {where}"


def rewrite(
    store: Path, out: Path, decisions: str = "SELECT * FROM decisions", signals: str = "SELECT * FROM signals"
) -> Path:
    """A copy of a store with its decisions and signals selected anew."""
    engine = duckdb.connect()
    for table in ("decisions", "signals", "outcomes"):
        files = f"'{store}/{table}/**/*.parquet'"
        engine.execute(
            f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files}, hive_partitioning = false, union_by_name = true)"
        )
    for table, query in (("decisions", decisions), ("signals", signals)):
        (out / table).mkdir(parents=True)
        engine.execute(f"COPY ({query}) TO '{out}/{table}/all.parquet' (FORMAT parquet)")
    engine.close()
    return out


def audited(store: Path, settings_of: Path | None = None, until: datetime | None = None) -> AuditReport:
    settings = load_settings((settings_of or store) / "undertow.toml", {}).settings
    return run_audit(AuditRequest(inputs=(str(store),), settings=settings, until=until))


@pytest.fixture(scope="session")
def broken(tmp_path_factory):
    store = tmp_path_factory.mktemp("incident") / "broken"
    write_incident(SMALL, store, seed=2)
    return store, audited(store)


@pytest.fixture(scope="session")
def healthy_store(tmp_path_factory):
    store = tmp_path_factory.mktemp("incident") / "healthy"
    write_incident(SMALL.made_healthy(), store, seed=2)
    return store


def test_the_incident_is_found_where_it_is_within_eight_weeks(broken):
    store, report = broken
    truth = json.loads((store / "truth.json").read_text())
    assert report.verdict in {"quality_loss", "pareto_trap"}
    first = report.alarms[0]
    onset = datetime.fromisoformat(truth["onset"])
    assert onset < first.detected_at <= onset + timedelta(weeks=8)
    assert {(a.tier, a.cause) for a in report.alarms} == {("cheap", "routing")}
    named = {a.segment.as_dict().get("intent") for a in report.alarms}
    assert truth["worst_segment"]["intent"] in named or named == {None}
    assert report.segments[0].segment.as_dict() == truth["worst_segment"], "the table's worst is the truth's worst"


def fields(alarm):
    return (alarm.tier, alarm.segment, alarm.signal, alarm.monitor, alarm.kind, alarm.detected_at, alarm.onset)


def assert_same_alarm(report, alarm):
    (again,) = [a for a in report.alarms if fields(a) == fields(alarm)]
    assert again.evidence == pytest.approx(alarm.evidence, rel=1e-9, abs=1e-9)
    assert again.loss == pytest.approx(alarm.loss, rel=1e-9, abs=1e-9)
    assert again.interval == pytest.approx(alarm.interval, rel=1e-9, abs=1e-9)
    assert again.onset_interval == alarm.onset_interval


def test_a_log_that_ends_at_an_alarm_tells_the_same_alarm(broken):
    store, report = broken
    for alarm in report.alarms[:3]:
        then = audited(store, until=alarm.detected_at)
        assert then.period[1] < alarm.detected_at
        assert_same_alarm(then, alarm)


def test_files_that_end_at_an_alarm_tell_the_same_alarm(broken, tmp_path):
    store, report = broken
    alarm = report.alarms[0]
    end = f"TIMESTAMP '{alarm.detected_at:%Y-%m-%d %H:%M:%S}'"
    cut = rewrite(
        store,
        tmp_path / "cut",
        f"SELECT * FROM decisions WHERE event_time < {end}",
        f"SELECT * FROM signals WHERE greatest(event_time, coalesce(received_at, event_time)) < {end}",
    )
    assert_same_alarm(audited(cut, store), alarm)


def test_a_day_before_its_first_alarm_a_log_has_none(broken):
    store, report = broken
    before = audited(store, until=report.alarms[0].detected_at - timedelta(days=1))
    assert before.alarms == ()
    assert before.verdict == "inconclusive"


def test_the_healthy_twin_raises_no_alarm(healthy_store):
    report = audited(healthy_store)
    assert report.alarms == ()
    assert report.verdict in {"healthy", "inconclusive"}


FELL = "hash(s.signal_id) % 100 < {percent} AND d.event_time >= TIMESTAMP '{at:%Y-%m-%d}'"


@pytest.mark.parametrize("who", ["the capable tier alone", "both tiers alike"])
def test_a_provider_that_fell_is_not_blamed_on_routing(healthy_store, tmp_path, who):
    fell = FELL.format(percent=30, at=CHANGED) + (" AND d.tier = 'capable'" if who != "both tiers alike" else "")
    planted = rewrite(
        healthy_store,
        tmp_path / "provider",
        signals=BY_DECISION.format(replaced=f"CASE WHEN {fell} THEN 0.0 ELSE s.value END AS value", where="true"),
    )
    report = audited(planted, healthy_store)
    assert report.verdict not in {"quality_loss", "pareto_trap"}
    assert report.alarms, "thirty points are seen"
    assert {a.cause for a in report.alarms} <= {"provider", "unknown"}
    assert "provider" in {a.cause for a in report.alarms}
    assert min(a.detected_at for a in report.alarms) > CHANGED


def test_traffic_that_moved_to_harder_requests_is_no_loss_of_routing(healthy_store, tmp_path):
    """One intent always fails more, on either tier alike; then most requests of the others stay away."""
    hard = "d.segment['intent'] = 'account'"
    stays = f"({hard} OR d.event_time < TIMESTAMP '{CHANGED:%Y-%m-%d}' OR hash(d.decision_id) % 100 < 25)"
    planted = rewrite(
        healthy_store,
        tmp_path / "mix",
        f"SELECT * FROM decisions d WHERE {stays}",
        BY_DECISION.format(
            replaced=f"CASE WHEN {hard} AND hash(s.signal_id) % 100 < 35 THEN 0.0 ELSE s.value END AS value",
            where=f"d.decision_id IS NULL OR {stays}",
        ),
    )
    report = audited(planted, healthy_store)
    assert report.verdict not in {"quality_loss", "pareto_trap"}
    assert "routing" not in {a.cause for a in report.alarms if a.tier == "cheap"}


@pytest.fixture(scope="session")
def bad_from_the_start(tmp_path_factory):
    """Hidden intents are a fifth of eligible traffic on every day, before routing and after: nothing ever changes."""
    store = tmp_path_factory.mktemp("incident") / "first-day"
    write_incident(dataclasses.replace(SMALL, hidden_before=0.2, hidden_after=0.2), store, seed=2)
    return store


def test_a_tier_bad_from_its_first_day_is_found_by_its_level(bad_from_the_start):
    report = audited(bad_from_the_start)
    assert report.verdict in {"quality_loss", "pareto_trap"}
    alarm = report.alarms[0]
    assert (alarm.tier, alarm.kind, alarm.cause) == ("cheap", "level", "routing")
    assert alarm.beyond_margin


def test_without_any_reference_it_is_never_called_healthy(bad_from_the_start, tmp_path):
    routed = "event_time >= TIMESTAMP '2026-02-02'"
    planted = rewrite(
        bad_from_the_start,
        tmp_path / "bare",
        f"SELECT * EXCLUDE (arm) FROM decisions WHERE {routed} AND coalesce(arm, '') <> 'holdout'",
        f"SELECT * FROM signals WHERE {routed} AND kind <> 'suite'",
    )
    report = audited(planted, bad_from_the_start)
    assert report.reference.kind == "own_first_period"
    assert report.verdict == "inconclusive"
    assert any("holdout" in step for step in report.next)
