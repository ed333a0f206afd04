import pytest

from undertow.adapters.upstreams.build import build_passthrough, build_upstreams
from undertow.errors import ConfigError
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, TierPlan


def plan(**fields):
    tiers = (
        TierPlan(name="cheap", model="small", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)),
        TierPlan(
            name="capable",
            model="large",
            endpoints=(
                EndpointPlan(base_url="https://api.example.com/v1", kind="anthropic", api_key_env="CAPABLE_KEY"),
            ),
        ),
    )
    return ServingPlan(
        tiers=tiers,
        policies=(PolicyPlan(name="auto", version="1", kind="cascade", tiers=("cheap", "capable")),),
        **fields,
    )


def test_each_tier_has_its_upstream():
    upstreams = build_upstreams(plan(), {"CAPABLE_KEY": "sk-secret"})
    assert list(upstreams) == ["cheap", "capable"]
    assert [upstream.speaks("openai") for upstream in upstreams.values()] == [True, False]
    assert [upstream.speaks("anthropic") for upstream in upstreams.values()] == [False, True]
    assert "sk-secret" not in repr(upstreams)


def test_a_key_variable_that_is_unset_is_refused():
    with pytest.raises(ConfigError, match="CAPABLE_KEY"):
        build_upstreams(plan(), {})


def test_a_passthrough_is_there_where_the_plan_has_one():
    assert build_passthrough(plan(), {}) is None
    assert build_passthrough(plan(passthrough=EndpointPlan(base_url="http://a/v1")), {}) is not None
