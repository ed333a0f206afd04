"""What serves, and rollouts that begin before it does, without loading what a supervisor must not."""

import subprocess
import sys
from datetime import UTC, datetime

from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.rollout_start import TRIES, begin_store_rollouts, rollout_problems, serving_versions
from undertow.records.guard import Controls, Pin, PolicyControls
from undertow.records.serving import PolicyPlan, RolloutPlan, ServingPlan, StorePlan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = PolicyPlan(name="auto", version="v2", kind="cascade", tiers=("cheap", "capable"))
PINNED = Controls(version=1, at="", policies={"auto": PolicyControls(pin=Pin(bad="v2", good="v1", source="a"))})


def test_what_was_rolled_back_does_not_serve():
    assert serving_versions((POLICY,), None, ()) == {"auto": "v2"}
    assert serving_versions((POLICY,), PINNED, ()) == {"auto": "v1"}
    third = PolicyPlan(name="auto", version="v3", kind="fixed", tiers=("capable",))
    assert serving_versions((third,), PINNED, ()) == {"auto": "v3"}


def test_a_version_is_held_back_before_it_serves(tmp_path):
    plan = ServingPlan(
        tiers=(), policies=(POLICY,), store=StorePlan(path=str(tmp_path / "s")), rollout=RolloutPlan(enabled=True)
    )
    assert begin_store_rollouts(plan, NOW).controls.policies["auto"].restrictions[0].exposure == 0.05
    assert begin_store_rollouts(plan, NOW).entries == ()
    assert len(StoreGuardBook(tmp_path / "s").trail()) == 1


def test_it_loads_nothing_heavy():
    heavy = "numpy, scipy, duckdb, pydantic"
    code = (
        f"import sys, undertow.bootstrap.rollout_start; print([m for m in '{heavy}'.split(', ') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_what_stands_in_the_way_is_said_after_another_guard_had_its_time(tmp_path):
    plan = ServingPlan(
        tiers=(), policies=(POLICY,), store=StorePlan(path=str(tmp_path / "s")), rollout=RolloutPlan(enabled=True)
    )
    waits = []
    with StoreGuardBook(tmp_path / "s").locked() as is_mine:
        assert is_mine
        [said] = rollout_problems(plan, lambda: NOW, waits.append)
    assert "cannot begin" in said
    assert len(waits) == TRIES
    assert rollout_problems(plan, lambda: NOW, waits.append) == ()
    assert rollout_problems(ServingPlan(tiers=(), policies=()), lambda: NOW, waits.append) == ()


def test_a_trail_that_cannot_be_read_is_said_with_what_to_do(tmp_path):
    plan = ServingPlan(
        tiers=(), policies=(POLICY,), store=StorePlan(path=str(tmp_path / "s")), rollout=RolloutPlan(enabled=True)
    )
    begin_store_rollouts(plan, NOW)
    for trail in tmp_path.rglob("guard.jsonl"):
        trail.write_text("no entry\n" + trail.read_text())
    [said] = rollout_problems(plan, lambda: NOW, lambda _: None)
    assert said.startswith("the rollout of the new version cannot begin: ")
    assert "repair the line" in said
