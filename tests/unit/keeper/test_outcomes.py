"""The keeper's job that pulls outcomes."""

import logging
from datetime import timedelta

import pytest

from outcome_factory import HEADER, NOW, drop, files_plan, stamp
from undertow.adapters.one_writer import alone
from undertow.bootstrap.keeper import build_keeper, keeper_plan
from undertow.errors import ConfigError
from undertow.keeper import main as keeper
from undertow.keeper.outcomes import Outcomes
from undertow.records.outcome import LOCK
from undertow.records.serving import EndpointPlan, ImplicitPlan, PolicyPlan, ServingPlan, StorePlan, TierPlan


class Clock:
    at = NOW

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


def job(tmp_path, clock, *plans, **store):
    return Outcomes(StorePlan(path=str(tmp_path / "store"), **store), plans, {}, clock)


def test_it_pulls_what_is_due_and_counts(tmp_path, clock, caplog):
    drop(tmp_path / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n2,{stamp(1)},u1,-1\n")
    outcomes = job(tmp_path, clock, files_plan(tmp_path / "*.csv", every_minutes=30.0))
    with caplog.at_level(logging.INFO):
        assert outcomes.run() == {
            "outcomes_accepted": 1, "outcomes_corrected": 0, "outcomes_set_aside": 1, "outcome_places_failed": 0,
        }  # fmt: skip
    assert "outcomes_pulled" in caplog.messages
    drop(tmp_path / "later.csv", HEADER + f"3,{stamp(1)},u1,1\n")
    assert outcomes.run()["outcomes_accepted"] == 0
    clock.at += timedelta(minutes=30)
    assert outcomes.run()["outcomes_accepted"] == 1


def test_a_file_that_is_being_written_is_left_for_the_next_time(tmp_path, clock):
    drop(tmp_path / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n", age_s=0.0)
    assert job(tmp_path, clock, files_plan(tmp_path / "t.csv")).run()["outcomes_accepted"] == 0


def test_a_failure_is_told_once_and_stops_no_other_source(tmp_path, clock, caplog):
    drop(tmp_path / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n")
    outcomes = job(
        tmp_path,
        clock,
        files_plan(tmp_path / "none.csv", name="gone", every_minutes=1.0),
        files_plan(tmp_path / "t.csv"),
    )
    with caplog.at_level(logging.WARNING):
        assert outcomes.run()["outcomes_accepted"] == 1
        clock.at += timedelta(minutes=2)
        assert outcomes.run()["outcome_places_failed"] == 1
    assert caplog.messages == ["outcomes_not_read"]


def test_it_makes_way_for_somebody_who_pulls_by_hand(tmp_path, clock):
    with alone(tmp_path / "store" / LOCK):
        assert job(tmp_path, clock, files_plan(tmp_path)).run() == {"outcome_pulls_busy": 1}


def test_without_its_id_key_nothing_is_written(tmp_path, clock):
    with pytest.raises(ConfigError, match="ID_KEY"):
        job(tmp_path, clock, files_plan(tmp_path), id_key_env="ID_KEY").run()
    assert not (tmp_path / "store").exists()


def test_the_keeper_pulls_only_where_there_are_sources(tmp_path):
    for sources in ((), (files_plan(tmp_path),)):
        serving = ServingPlan(
            tiers=(
                TierPlan(name="capable", model="large", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)),
            ),
            policies=(PolicyPlan(name="auto", version="v", kind="fixed", tiers=("capable",), tier="capable"),),
            store=StorePlan(path=str(tmp_path / "store")),
            implicit=ImplicitPlan(enabled=False),
            sources=sources,
        )
        plan = keeper_plan(serving)
        names = {job.name for job in keeper._jobs(plan, build_keeper(plan, {}), None, None)}
        assert ("outcomes" in names) == bool(sources)
