"""The keeper's job that tunes thresholds."""

import logging

import msgspec
import pytest

from store_for_tuning import write_settings, write_store
from tuning_factory import NOW, calibration, group
from undertow.adapters.tuning.book import StoreBook
from undertow.bootstrap.keeper import build_keeper, keeper_plan
from undertow.errors import DataError
from undertow.keeper import main as keeper
from undertow.keeper.tuning import Tuning
from undertow.records.calibration import FeatureWeight, Prefix, ThresholdStates
from undertow.records.runtime_files import THRESHOLDS
from undertow.records.serving import (
    EndpointPlan,
    ImplicitPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TierPlan,
    TuningPlan,
)

TIERS = ("cheap", "capable")


@pytest.fixture
def job(tmp_path):
    write_settings(tmp_path)
    paths = {"auto": (str(tmp_path / "calibration.json"),)}
    return Tuning(tmp_path / "store", TuningPlan(enabled=True), paths, TIERS, now=lambda: NOW)


def test_it_tunes_tells_each_change_and_counts(tmp_path, job, caplog):
    write_store(tmp_path / "store", 200, failing=0.4)
    with caplog.at_level(logging.INFO):
        counted = job.run()
        again = job.run()
    assert counted["thresholds_changed"] == 1
    assert 60 < counted["labels_tuned_on"] < 140
    assert again["labels_tuned_on"] == 0
    assert "threshold_tuned" in caplog.messages
    states = msgspec.json.decode((tmp_path / "store" / THRESHOLDS).read_bytes(), type=ThresholdStates)
    assert states.policies["auto"]["cheap"].groups[0].threshold > 0.8
    assert {entry.who for entry in StoreBook(tmp_path / "store").history()} == {"keeper"}


@pytest.mark.parametrize(("committing", "before"), [(frozenset(), 0.8), (frozenset({"auto"}), 0.85)])
def test_a_policy_that_serves_the_first_tokens_is_tuned_at_the_threshold_of_both_ways(tmp_path, committing, before):
    ahead = Prefix(tokens=8, features=(FeatureWeight(name="prefix.mean_logprob"),), groups=(group(threshold=0.85),))
    write_settings(tmp_path, calibration(prefix=ahead))
    write_store(tmp_path / "store", 200, failing=0.4)
    paths = {"auto": (str(tmp_path / "calibration.json"),)}
    Tuning(tmp_path / "store", TuningPlan(enabled=True), paths, TIERS, committing, now=lambda: NOW).run()
    assert StoreBook(tmp_path / "store").history()[0].before == before


def test_while_a_person_tunes_it_fails_and_tries_again_later(tmp_path, job):
    write_store(tmp_path / "store", 20, failing=0.0)
    with StoreBook(tmp_path / "store").locked(), pytest.raises(DataError, match="another process"):
        job.run()
    assert job.run()["thresholds_changed"] == 0


@pytest.mark.parametrize(
    ("enabled", "calibrations", "expected"),
    [(True, ("c.json",), True), (False, ("c.json",), False), (True, (), False)],
)
def test_the_keeper_tunes_where_it_is_told_to_and_there_is_something_to_tune(tmp_path, enabled, calibrations, expected):
    policy = PolicyPlan(
        name="auto", version="v", kind="cascade", tiers=TIERS, calibrations=calibrations, streaming="commit"
    )
    tiers = tuple(
        TierPlan(name=name, model=name, endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)) for name in TIERS
    )
    plan = keeper_plan(
        ServingPlan(
            tiers=tiers,
            policies=(policy,),
            store=StorePlan(path=str(tmp_path)),
            tuning=TuningPlan(enabled=enabled, every_minutes=5.0),
            implicit=ImplicitPlan(enabled=False),
        )
    )
    assert plan.committing == {"auto"}
    jobs = {job.name: job for job in keeper._jobs(plan, build_keeper(plan), None, None)}
    assert ("tuning" in jobs) == expected
    if expected:
        assert jobs["tuning"].every_s == 300.0
