"""The support incident through a real store: alarm, action, what gateways are told, and its release; and a rollout by evidence."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from undertow.actions.rollout import begin
from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.guard.controls import controls_files
from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells
from undertow.bootstrap.guarding import Guarded, dry_run_store, guard_store
from undertow.bootstrap.tuning import audit_settings_of
from undertow.cli.main import main
from undertow.policies.exposure import restrictions_of
from undertow.records.guard import CONTROLS
from undertow.records.moment import moment_of
from undertow.records.serving import GuardPlan, PolicyPlan, RolloutPlan, TuningPlan
from undertow.services.guard import by_person

POLICY = PolicyPlan(name="auto", version="v1", kind="cascade", tiers=("cheap", "capable"))
SETTINGS = audit_settings_of(TuningPlan(), ("cheap", "capable"))
PLACE = {"intent": "billing"}
FAILURE_USD = 12.0
"""A request saves 1.68 USD here, so a segment is worth keeping up to a loss of 14 points: all but billing are."""


def simulated(folder, *more):
    made = CliRunner().invoke(
        main, ["simulate", "support", "--out", str(folder), "--weeks", "10", "--queries-per-day", "3000", *more]
    )
    assert made.exit_code == 0, made.output
    request = AuditRequest((str(folder),), format="undertow", settings=SETTINGS)
    cells = read_cells(request)
    return folder, audit_cells(request, cells), cells


@pytest.fixture(scope="module")
def incident(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("guard") / "store")


@pytest.fixture(autouse=True)
def _fresh_book(request):
    """The log is simulated once; what the guard has written is cleared away for each test."""
    if "incident" in request.fixturenames:
        import shutil

        store, *_ = request.getfixturevalue("incident")
        shutil.rmtree(store / "state", ignore_errors=True)
        shutil.rmtree(store.parent / "store.guard", ignore_errors=True)


def now_of(report):
    return report.period[1] + timedelta(minutes=5)


NO_ROLLOUT = RolloutPlan()


def look(found, mode, now=None, rollout=NO_ROLLOUT):
    store, report, cells = found
    return guard_store(
        store,
        Guarded(GuardPlan(route_back=mode, failure_usd=FAILURE_USD), rollout, (POLICY,)),
        report,
        cells,
        now or now_of(report),
    )


def run(store, *arguments):
    done = CliRunner().invoke(main, [arguments[0], arguments[1], *arguments[2:], "--store", str(store)])
    assert done.exit_code == 0, done.output
    return done.stdout


def is_exposed(store):
    controls = StoreGuardBook(store).controls()
    held = restrictions_of(controls.policies.get("auto"), "v1")
    return held is None or held.holds(PLACE, 0.0).is_exposed


def test_an_alarm_takes_its_segment_off_the_cheap_tier_and_a_person_gives_it_back(incident):
    store, report, _ = incident
    assert any(alarm.cause == "routing" for alarm in report.alarms)
    found = look(incident, "automatic")
    (entry,) = [e for e in found.entries if e.kind == "route_back" and e.status == "done"]
    assert entry.segment == "intent=billing"
    assert entry.evidence["loss"] > 0.05
    document = json.loads((store / CONTROLS).read_text())
    assert document["version"] == 1
    assert document["policies"]["auto"]["restrictions"] == [
        {"segment": "intent=billing", "exposure": 0.0, "source": entry.id}
    ]
    assert [path.read_bytes() == (store / CONTROLS).read_bytes() for path in controls_files(store)] == [True, True]
    assert not is_exposed(store)
    assert look(incident, "automatic", now_of(report) + timedelta(days=1)).entries == ()
    said = run(store, "guard", "status")
    assert said.startswith("1 restriction in force")
    assert f"intent=billing: the capable tier alone (by {entry.id})" in said
    freed = run(store, "guard", "release", entry.id[:4], "--who", "ada", "--why", "fixed upstream")
    assert "ada  release done  auto, intent=billing" in freed
    assert json.loads((store / CONTROLS).read_text())["version"] == 2
    assert is_exposed(store)
    assert [e.kind for e in look(incident, "automatic").entries if e.status == "done"] == [], "a person has decided"


def test_a_suggestion_waits_and_is_done_when_a_person_says_so(incident):
    store, *_ = incident
    found = look(incident, "suggest")
    (asked,) = [e for e in found.entries if e.kind == "route_back" and e.status == "suggested"]
    assert not (store / CONTROLS).exists()
    shown = json.loads(run(store, "guard", "status", "--json"))
    assert [each["id"] for each in shown["suggestions"]] == [asked.id]
    run(store, "guard", "approve", asked.id, "--who", "ada")
    assert not is_exposed(store)
    assert json.loads(run(store, "guard", "status", "--json"))["suggestions"] == []


def test_a_lost_store_does_not_undo_an_action(incident):
    store, *_ = incident
    look(incident, "automatic")
    import shutil

    shutil.rmtree(store / "state")
    assert not is_exposed(store)
    again = look(incident, "automatic")
    assert [e for e in again.entries if e.status == "done"] == []


def test_the_dry_run_says_what_would_have_been_done_and_writes_nothing(incident):
    store, report, _ = incident
    plan = Guarded(GuardPlan(route_back="automatic", failure_usd=FAILURE_USD), RolloutPlan(), (POLICY,))
    found = dry_run_store(store, plan, SETTINGS, 2, now_of(report) + timedelta(days=1))
    (acted,) = [e for e in found.entries if e.kind == "route_back" and e.status == "dry"]
    assert acted.segment == "intent=billing"
    assert moment_of(acted.at) == found.days[0], "once, at the first look that sees it"
    assert found.in_force["auto"].restrictions[0].exposure == 0.0
    assert not (store / CONTROLS).exists()


def test_a_rollout_steps_back_where_the_loss_is_shown(incident):
    store, *_ = incident
    routed = datetime(2026, 2, 1, tzinfo=UTC)
    rollout = RolloutPlan(enabled=True, margin=0.02)
    by_person(StoreGuardBook(store), lambda _: (begin("auto", "v1", rollout, routed),), GuardPlan(), routed)
    found = look(incident, "off", rollout=rollout)
    back = [e for e in found.entries if e.kind == "step_back"]
    assert "intent=billing" in {e.segment for e in back}
    assert not [e for e in found.entries if e.kind == "advance" and not e.segment]
    assert not is_exposed(store)
    said = run(store, "rollout", "status")
    assert "intent=billing  taken off, 0%" in said


def test_a_rollout_of_a_healthy_version_goes_on_by_one_stage_a_look(tmp_path):
    found = simulated(tmp_path / "store", "--healthy")
    store, report, _ = found
    began = report.period[0] + timedelta(days=20)
    rollout = RolloutPlan(enabled=True, margin=0.07, risk_budget=0.07)
    by_person(StoreGuardBook(store), lambda _: (begin("auto", "v1", rollout, began),), GuardPlan(), began)
    moved = [e for e in look(found, "off", rollout=rollout).entries if e.kind == "advance"]
    assert [(e.segment, e.evidence["to"]) for e in moved] == [("", 1)]
    assert json.loads((store / CONTROLS).read_text())["policies"]["auto"]["restrictions"][0]["exposure"] == 0.1
    again = look(found, "off", now_of(report) + timedelta(days=30), rollout=rollout)
    assert not [e for e in again.entries if e.kind == "advance"], "no label came since, and time alone moves nothing"
