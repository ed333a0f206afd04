"""What the guard is told of a store: which evidence may act, what can be raised, and when there is nothing to do."""

from datetime import UTC, datetime

import pytest

from cells_factory import build, labels, served
from undertow.adapters.guard.book import StoreGuardBook
from undertow.alerting.episodes import episodes_of
from undertow.bootstrap.guarding import Guarded, guard_store, guarded_of, has_threshold, look_of, rollouts_standing
from undertow.bootstrap.rollout_start import begin_store_rollouts
from undertow.config.settings import Settings
from undertow.records.alert import Episodes
from undertow.records.report import AuditSettings
from undertow.records.serving import GuardPlan, PolicyPlan, RolloutPlan, ServingPlan, StorePlan
from undertow.services.audit import audit

NOW = datetime(2026, 4, 1, tzinfo=UTC)
POLICY = PolicyPlan(name="auto", version="v1", kind="cascade", tiers=("cheap", "capable"))
ON = RolloutPlan(enabled=True)


def log(basis="human", after=45.0):
    """A tier that fell on its thirtieth day."""
    rates = [5.0] * 30 + [after] * 30
    held = {"basis": basis, "segment": "intent=a"}
    return build(
        served("cheap", 400, days=60, segment="intent=a"), served("capable", 60, days=60, segment="intent=a"),
        served("capable", 40, days=60, arm="holdout", segment="intent=a"),
        labels("cheap", 100, rates, days=60, arm="treatment", **held), labels("capable", 100, 5.0, days=60, arm="holdout", **held),
    )  # fmt: skip


def told(cells, **settings):
    report = audit(cells, AuditSettings(**settings))
    return report, episodes_of(report, Episodes(at=""), "auto", "2026-04-01T00:00:00.000Z").episodes


@pytest.mark.parametrize(("basis", "acts"), [("human", True), ("exact", True), ("judge", False)])
def test_only_evidence_of_people_or_exact_checks_may_act(basis, acts):
    report, episodes = told(log(basis), trust_judge=True)
    assert report.alarms
    look = look_of(report, episodes, log(basis), (), {"auto": "v1"}, Guarded(GuardPlan(), RolloutPlan(), (POLICY,)))
    alarmed = {each.id for each in episodes if each.kind == "alarm"}
    assert look.alarms.acting == (alarmed if acts else set())
    assert set(look.alarms.kinds.values()) <= {"level", "change"}
    assert look.until == report.period[1]
    assert look.alarms.tightens == {"auto"}


@pytest.mark.parametrize(
    ("kind", "method", "is_raised"),
    [
        ("cascade", "text", True),
        ("classifier", "text", True),
        ("classifier", "rules", False),
        ("fixed", "text", False),
        ("split", "text", False),
    ],
)
def test_policies_with_a_confidence(kind, method, is_raised):
    assert has_threshold(PolicyPlan(name="p", version="v", kind=kind, tiers=("a",), method=method)) == is_raised


def test_a_guard_with_nothing_to_do_leaves_no_file(tmp_path):
    cells = log(after=5.0)
    report, _ = told(cells)
    found = guard_store(tmp_path / "s", Guarded(GuardPlan(), RolloutPlan(), (POLICY,)), report, cells, NOW)
    assert (found.outcome, found.entries) == ("done", ())
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "s.guard").exists()


def test_a_store_without_a_decision_yet_has_its_rollout_begun(tmp_path):
    found = guard_store(tmp_path / "s", Guarded(GuardPlan(), ON, (POLICY,)), None, None, NOW)
    assert [entry.kind for entry in found.entries] == ["start"]


def test_an_alarm_is_acted_upon_in_the_store(tmp_path):
    cells = log()
    report, _ = told(cells)
    plan = Guarded(GuardPlan(route_back="automatic"), RolloutPlan(), (POLICY,))
    assert [e.kind for e in guard_store(tmp_path / "s", plan, report, cells, NOW).entries if e.status == "done"] == [
        "route_back"
    ]
    assert StoreGuardBook(tmp_path / "s").controls().policies["auto"].restrictions


def test_settings_that_cannot_serve_still_guard(tmp_path):
    found = guarded_of(Settings(), tmp_path, NOW.date())
    assert (found.policies, found.guard, found.rollout) == ((), GuardPlan(), RolloutPlan(margin=0.02))


def test_a_rollout_of_a_store_that_cannot_be_audited_says_so(tmp_path):
    plan = ServingPlan(tiers=(), policies=(POLICY,), store=StorePlan(path=str(tmp_path / "s")), rollout=ON)
    begin_store_rollouts(plan, NOW)
    (found,) = rollouts_standing(tmp_path / "s", Guarded(GuardPlan(), ON, (POLICY,)), Settings(), NOW)
    assert (found.state.version, found.places) == ("v1", ())
    assert "nothing to judge by" in found.note
