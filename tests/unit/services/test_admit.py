import json

import msgspec
import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.policies.build import build_policy
from undertow.policies.exposure import compiled
from undertow.ports.wire import WireError
from undertow.records.guard import Restriction
from undertow.records.pseudonym import pseudonym
from undertow.records.serving import (
    ConstraintsPlan,
    EndpointPlan,
    HoldoutPlan,
    KeyPlan,
    LimitsPlan,
    PolicyPlan,
    ServingPlan,
    TierPlan,
)
from undertow.services.admit import Admission, Context, refused_record

HERE = (EndpointPlan(base_url="http://127.0.0.1:1/v1"),)
PLAN = ServingPlan(
    tiers=(
        TierPlan(name="cheap", model="small", endpoints=HERE),
        TierPlan(name="capable", model="large", endpoints=HERE),
    ),
    policies=(
        PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")),
        PolicyPlan(
            name="half", version="v", kind="split", tiers=("cheap", "capable"), shares={"cheap": 0.5, "capable": 0.5}
        ),
    ),
    constraints=ConstraintsPlan(never_cheap=("intent=fraud",)),
    holdout=HoldoutPlan(share=0.0),
    limits=LimitsPlan(max_nesting=20),
)
OBSERVING = msgspec.structs.replace(
    PLAN, policies=(msgspec.structs.replace(PLAN.policies[0], mode="observe"), PLAN.policies[1])
)
KEY = KeyPlan(name="team", key_id="abcdefgh", sha256="00", tiers=("cheap",), labels={"team": "a"})


def admission(plan=PLAN, *, speaks=("cheap", "capable"), id_key=None):
    policies = {policy.name: build_policy(policy) for policy in plan.policies}
    return Admission(plan, policies, {"openai": frozenset(speaks), "anthropic": frozenset()}, id_key)


def admit(
    body=None,
    *,
    plan=PLAN,
    labels=None,
    key=None,
    id_key=None,
    conversation_id=None,
    speaks=("cheap", "capable"),
    **fields,
):
    body = body or json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, labels or {}, conversation_id=conversation_id, key=key)
    return admission(plan, speaks=speaks, id_key=id_key).admit(ChatDialect(), body, context)


def refused(**options):
    with pytest.raises(WireError) as error:
        admit(**options)
    return error.value


@pytest.mark.parametrize("model", ["auto", "undertow/auto"])
def test_auto_is_decided_by_the_policy(model):
    placement = admit(model=model).placement
    assert placement.policy.name == "auto"
    assert placement.setting.tiers == ("cheap", "capable")
    assert placement.setting.eligible
    assert (placement.arm, placement.arm_probability) == ("treatment", 1.0)


def test_a_named_policy_decides():
    assert admit(model="half").placement.policy.name == "half"


@pytest.mark.parametrize("model", ["small", "cheap", "undertow/cheap"])
def test_a_tier_or_its_model_goes_straight_there(model):
    placement = admit(model=model).placement
    assert (placement.policy, placement.setting.tiers, placement.reason, placement.arm) == (
        None,
        ("cheap",),
        "requested",
        None,
    )


def test_what_is_never_cheap_is_not_even_where_the_caller_names_the_tier():
    placement = admit(model="small", labels={"intent": "fraud"}).placement
    assert (placement.setting.tiers, placement.reason) == (("capable",), "constraint")


def test_an_unknown_model_is_refused_with_the_nearest():
    error = refused(model="smal")
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "did you mean 'small'?" in error.message


def test_labels_come_from_body_header_and_key_and_the_nearest_to_us_wins():
    incoming = admit(
        metadata={"intent": "faq", "team": "b", "plan": "pro"}, labels={"intent": "billing", "team": "c"},
        key=msgspec.structs.replace(KEY, tiers=()),
    )  # fmt: skip
    assert incoming.facts.segment == {"intent": "billing", "team": "a", "plan": "pro"}
    assert incoming.key_name == "team"


def test_ids_are_pseudonymous_wherever_they_came_from():
    incoming = admit(user="u", conversation_id="c", id_key=b"k")
    assert incoming.facts.user_id == pseudonym("u", b"k")
    assert incoming.facts.conversation_id == pseudonym("c", b"k")


def test_a_key_s_tiers_hold_for_policies_and_for_names():
    assert admit(key=KEY).placement.setting.tiers == ("cheap",)
    assert refused(model="large", key=KEY).status == 403
    assert refused(labels={"intent": "fraud"}, key=KEY).status == 403
    assert refused(model="small", labels={"intent": "fraud"}, key=KEY).status == 403


def test_a_wire_format_that_no_upstream_speaks_is_said():
    assert refused(model="small", speaks=()).code == "wire_format_unsupported"
    assert admit(speaks=("capable",)).placement.setting.tiers == ("capable",)


def test_observing_keeps_the_caller_s_choice_and_draws_no_arm():
    for model, tier in (("small", "cheap"), ("large", "capable"), ("auto", "capable")):
        placement = admit(model=model, plan=OBSERVING).placement
        assert (placement.mode, placement.observed_tier, placement.arm) == ("observe", tier, None)
        assert not placement.setting.is_holdout


def test_deep_nesting_is_refused():
    body = b'{"model": "auto", "messages": ' + b"[" * 30 + b"]" * 30 + b"}"
    with pytest.raises(WireError):
        admit(body)


def test_models_list_what_is_routed_first():
    assert admission().models == ("auto", "half", "small", "large", "cheap", "capable")


def test_a_tier_s_own_name_comes_before_a_model_of_that_name():
    crossed = msgspec.structs.replace(
        PLAN,
        tiers=(
            TierPlan(name="cheap", model="capable", endpoints=HERE),
            TierPlan(name="capable", model="x", endpoints=HERE),
        ),
    )
    assert admit(model="capable", plan=crossed).placement.setting.tiers == ("capable",)


def test_a_refused_request_s_record_has_no_tier_and_no_cost():
    record = refused_record(
        decision_id="d", event_time="2026-01-01T00:00:00.000Z", error="unknown_key", endpoint="messages"
    )
    assert (record.status, record.reason, record.tier, record.calls, record.cost_usd) == (
        "refused",
        "refused",
        None,
        None,
        None,
    )


def test_a_suites_request_is_in_no_holdout_and_keeps_its_origin():
    plan = msgspec.structs.replace(PLAN, holdout=HoldoutPlan(share=0.5, unit="decision"))
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
    held = {"live": 0, "suite": 0}
    for origin in held:
        for number in range(40):
            context = Context(f"d{number}", "2026-01-01T00:00:00.000Z", 0.0, {}, origin=origin)
            incoming = admission(plan).admit(ChatDialect(), body, context)
            assert incoming.origin == origin
            held[origin] += incoming.placement.setting.is_holdout
    assert held["live"] > 5
    assert held["suite"] == 0


def restricted_admission(*restrictions, plan=PLAN, policy="auto"):
    made = admission(plan)
    made.restrictions = {policy: compiled(restrictions)}
    return made


def placed(made, *, user="u", origin="live", model="auto", labels=None):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "user": user}).encode()
    context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, labels or {}, origin=origin)
    return made.admit(ChatDialect(), body, context).placement


ROUTED_BACK = Restriction(segment="intent=billing", exposure=0.0, source="a1")


def test_a_restriction_keeps_a_segment_on_the_capable_tier_and_leaves_arm_and_eligibility_alone():
    made = restricted_admission(ROUTED_BACK)
    kept = placed(made, labels={"intent": "billing"})
    assert (kept.setting.kept_for, kept.setting.eligible, kept.arm, kept.arm_probability) == (
        "routed_back",
        True,
        "treatment",
        1.0,
    )
    assert placed(made, labels={"intent": "faq"}) == placed(admission(), labels={"intent": "faq"})


def test_exposure_is_by_user_and_multiplies_the_probability_of_treatment():
    plan = msgspec.structs.replace(PLAN, holdout=HoldoutPlan(share=0.2))
    made = restricted_admission(
        Restriction(exposure=0.25, raised_by=0.1, reason="not_exposed", source="rollout"), plan=plan
    )
    found = [placed(made, user=f"u{number}") for number in range(2000)]
    treated = [one for one in found if one.arm == "treatment"]
    assert all(one.setting.treatment_probability == 0.2 for one in found)
    assert all(one.setting.raised_by == 0.1 for one in found)
    assert all(one.setting.kept_for is None for one in found if one.arm == "holdout")
    assert abs(sum(one.setting.kept_for is None for one in treated) / len(treated) - 0.25) < 0.04
    assert placed(made, user="u1") == placed(made, user="u1")
    arms = [one.arm for one in (placed(admission(plan), user=f"u{number}") for number in range(2000))]
    assert [one.arm for one in found] == arms, "nobody changes his arm"


def test_a_suite_an_observer_a_named_tier_and_another_policy_are_not_restricted():
    labels = {"intent": "billing"}
    made = restricted_admission(ROUTED_BACK)
    assert placed(made, labels=labels, origin="suite").setting.kept_for is None
    assert placed(made, labels=labels, model="small").setting.kept_for is None
    assert placed(made, labels=labels, model="half").setting.kept_for is None
    assert placed(restricted_admission(ROUTED_BACK, plan=OBSERVING), labels=labels).setting.kept_for is None


def test_what_is_not_eligible_is_answered_as_ever():
    made = restricted_admission(Restriction(exposure=0.0, source="a1"))
    assert placed(made, labels={"intent": "fraud"}) == placed(admission(), labels={"intent": "fraud"})
