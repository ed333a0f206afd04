"""One pass does what the jobs do, each step whatever became of the others."""

from datetime import date

import pytest

from undertow.adapters.store.log import StoreDecisionLog
from undertow.bootstrap.keeper import KeeperPlan, watching_plan
from undertow.config import Settings
from undertow.errors import DataError
from undertow.keeper.one_pass import Step, one_pass
from undertow.keeper.storing import Storing
from undertow.records.decision import Intent
from undertow.records.serving import StorePlan


@pytest.fixture
def store(tmp_path):
    log = StoreDecisionLog(StorePlan(path=str(tmp_path)), "w0")
    log.begin(Intent(decision_id="orphan", event_time="2026-03-01T12:00:00.000Z"))
    log.close()
    return tmp_path


def plan_of(store, **given):
    return watching_plan(store, Settings.model_validate(given), store, date(2026, 3, 1))


def test_steps_come_in_an_order_in_which_the_look_knows_what_was_pulled(store):
    steps = {step.name: step for step in one_pass(plan_of(store), {})}
    assert list(steps) == ["recovered", "reviews", "compacted", "length_ratios", "retention", "watched", "alerts"]
    assert not [step for step in steps.values() if step.why]
    assert steps["recovered"].found["orphans"] == 1
    assert steps["watched"].found["alarms_open"] == 0


def test_a_store_that_is_kept_and_not_watched(store):
    assert [step.name for step in one_pass(KeeperPlan(StorePlan(path=str(store))), {})] == [
        "recovered", "compacted", "length_ratios", "retention",
    ]  # fmt: skip


def test_a_step_that_fails_stops_none_of_the_others(store, monkeypatch):
    def fails(_self):
        raise OSError("disk is gone")

    monkeypatch.setattr(Storing, "recover_now", fails)
    steps = {step.name: step for step in one_pass(plan_of(store), {})}
    assert steps["recovered"].why == "disk is gone"
    assert [name for name, step in steps.items() if step.error is not None] == ["recovered"]


@pytest.mark.parametrize(
    ("error", "why"), [(DataError("no rows"), "no rows"), (ValueError("words of users"), "ValueError"), (None, "")]
)
def test_only_errors_made_for_people_are_told_in_words(error, why):
    assert Step("watched", None, error).why == why
