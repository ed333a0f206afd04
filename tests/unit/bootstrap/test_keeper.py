from datetime import date

import pytest

from undertow.adapters.telemetry.segment_tail import SegmentTail
from undertow.bootstrap.keeper import KeeperPlan, build_keeper, keeper_plan, read_keeper_plan, watching_plan
from undertow.config import Settings
from undertow.errors import ConfigError
from undertow.records.serving import (
    EndpointPlan,
    ImplicitPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TelemetryPlan,
    TierPlan,
    encode_plan,
)

TODAY = date(2026, 3, 1)
SERVING = ServingPlan(
    tiers=(
        TierPlan(name="cheap", model="m", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)),
        TierPlan(
            name="capable",
            model="n",
            endpoints=(EndpointPlan(base_url="https://api.anthropic.com/v1", kind="anthropic"),),
        ),
    ),
    policies=(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")),),
    store=StorePlan(path="data"),
    telemetry=TelemetryPlan(service_name="s"),
)


def test_the_keeper_takes_its_part_of_the_serving_plan(tmp_path):
    (tmp_path / "plan.json").write_bytes(encode_plan(SERVING))
    plan = read_keeper_plan(tmp_path / "plan.json")
    assert plan == keeper_plan(SERVING)
    assert plan.tiers == ("cheap", "capable")
    assert plan.providers == {"cheap": "openai", "capable": "anthropic"}
    assert (plan.store.path, plan.telemetry.service_name) == ("data", "s")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_what_is_no_plan_is_refused(tmp_path, content):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"plan\.json"):
        read_keeper_plan(path)


def test_only_what_is_wanted_is_built(tmp_path):
    store = StorePlan(path=str(tmp_path / "none"))
    parts = build_keeper(KeeperPlan(store=store, implicit=ImplicitPlan(enabled=False)))
    assert (parts.implicit, parts.signals, parts.tail) == (None, None, None)
    parts = build_keeper(KeeperPlan(store=store, telemetry=TelemetryPlan(traces=True)))
    assert parts.implicit is not None
    assert isinstance(parts.tail, SegmentTail)
    assert parts.find("0" * 32) is None
    assert not (tmp_path / "none").exists()


def test_a_store_alone_is_watched_by_its_settings(tmp_path):
    settings = Settings.model_validate({"tiers": {"cheap": {}, "capable": {}}, "telemetry": {"log_level": "error"}})
    plan = watching_plan(tmp_path, settings, tmp_path, TODAY)
    assert (plan.store.path, plan.tiers) == (str(tmp_path), ("cheap", "capable"))
    assert not plan.implicit.enabled
    assert plan.telemetry.log_level == "error"
    assert plan.text_days == 14.0
    settings = Settings.model_validate({"tiers": {"cheap": {}, "capable": {}}, "retention": {"sampled_text_days": 3}})
    assert watching_plan(tmp_path, settings, tmp_path, TODAY).text_days == 3.0


def test_a_store_alone_is_watched_and_people_are_told_without_an_address_of_any_tier(tmp_path):
    given = {
        "tiers": {"cheap": {}, "capable": {}},
        "alerts": {"webhook_url": "https://example.org/hook"},
        "guard": {"route_back": "automatic", "failure_usd": 2.0},
        "monitors": {"every_minutes": 5},
    }
    serving = watching_plan(tmp_path, Settings.model_validate(given), tmp_path, TODAY).serving
    assert [tier.name for tier in serving.tiers] == ["cheap", "capable"]
    assert (serving.policies, serving.shadow.share, serving.judge) == ((), 0.0, None)
    assert serving.alerts.webhook_url == "https://example.org/hook"
    assert (serving.guard.route_back, serving.guard.failure_usd, serving.monitor_minutes) == ("automatic", 2.0, 5.0)
    assert build_keeper(watching_plan(tmp_path, Settings.model_validate(given), tmp_path, TODAY)).shadow is None


def test_a_store_alone_knows_the_policies_of_settings_that_are_enough_to_serve_by(tmp_path):
    tier = {"base_url": "http://127.0.0.1:1/v1"}
    given = {
        "tiers": {"cheap": {"model": "m", **tier}, "capable": {"model": "n", **tier}},
        "policy": {"kind": "cascade"},
    }
    plan = watching_plan(tmp_path, Settings.model_validate(given), tmp_path, TODAY)
    assert [(policy.name, policy.kind) for policy in plan.serving.policies] == [("auto", "cascade")]
    assert not plan.calibrations, "tuning is for those who serve"
    assert build_keeper(plan).shadow is None
