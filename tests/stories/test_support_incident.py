"""The article as an executable story: a small support incident, from files to verdict, and its healthy twin.

Small: 3,000 requests a day, with the 200 human reviews a day that the full incident has. Through files, the engine and the
whole audit; seeds are fixed and were not chosen by their result.
"""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from undertow.adapters.simulated.incident import write_incident
from undertow.bootstrap.audit import AuditRequest, run_audit
from undertow.config.load import load_settings
from undertow.records.segment import WHOLE, Segment
from undertow.simulation.incidents import SUPPORT

SMALL = dataclasses.replace(SUPPORT, queries_per_day=3_000)
SEED = 1


def audited(store, until=None):
    settings = load_settings(store / "undertow.toml", {}).settings
    return run_audit(AuditRequest(inputs=(str(store),), settings=settings, until=until))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    store = tmp_path_factory.mktemp("broken") / "log"
    write_incident(SMALL, store, seed=SEED)
    return store, audited(store)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    store = tmp_path_factory.mktemp("healthy") / "log"
    write_incident(SMALL.made_healthy(), store, seed=SEED)
    return store, audited(store)


def test_the_loss_is_found_in_its_tier_within_weeks(broken):
    store, report = broken
    onset = datetime.fromisoformat(json.loads((store / "truth.json").read_text())["onset"])
    assert report.verdict in {"quality_loss", "pareto_trap"}
    routing = [alarm for alarm in report.alarms if alarm.cause == "routing"]
    assert {alarm.tier for alarm in routing} == {"cheap"}
    assert {alarm.segment for alarm in routing} <= {WHOLE, *(Segment("intent", i.name) for i in SMALL.intents)}
    first = min(alarm.detected_at for alarm in routing)
    # It showed in churn after thirteen weeks. Nothing is raised before there is anything to see.
    assert 0 < (first - onset).days <= 42


def test_the_dashboard_without_tiers_hardly_moves_and_the_cheap_tier_does(broken):
    _, report = broken
    tiers = {tier.tier: tier.signals["review.accuracy"].mean for tier in report.tiers}
    assert tiers["capable"] - tiers["cheap"] > 0.04
    assert report.aggregate.signals["review.accuracy"].mean > 0.90
    assert report.aggregate.signals["thumb.helpful"].mean > 0.75


def test_the_bill_shows_the_saving_and_the_holdout_makes_it_causal(broken):
    _, report = broken
    assert report.reference.kind == "holdout"
    assert report.reference.causal
    assert report.ledger.savings_usd_month > 50_000
    assert report.ledger.downstream_usd_month is not None


def test_every_row_is_read_and_joined(broken):
    store, report = broken
    rows = json.loads((store / "truth.json").read_text())["rows"]
    assert report.coverage.decisions == rows["decisions"]
    assert (report.coverage.rejected, report.coverage.duplicates, report.coverage.unjoined) == (0, 0, 0)
    assert report.coverage.signals == sum(rows.values()) - rows["decisions"]


def test_the_healthy_twin_stays_quiet(healthy):
    _, report = healthy
    assert report.alarms == ()
    assert report.verdict in {"healthy", "inconclusive"}


def test_before_the_onset_nothing_is_claimed(broken):
    store, _ = broken
    report = audited(store, until=datetime(2026, 2, 16, tzinfo=UTC))
    assert report.alarms == ()
