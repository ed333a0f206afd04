"""What restrictions do to one request."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.policies.assignment import uniform
from undertow.policies.base import Setting
from undertow.policies.build import build_policy
from undertow.policies.exposure import CLOSED, OPEN, Exposure, compiled, decided, restricted, restrictions_of
from undertow.records.guard import Pin, PolicyControls, Restriction
from undertow.records.request import RequestFacts
from undertow.records.serving import PolicyPlan

SETTING = Setting(("cheap", "capable"), eligible=True, is_holdout=False, treatment_probability=0.8, draw=0.5)
FACTS = RequestFacts("chat.completions", "auto")
CASCADE = build_policy(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")))
UNITS = [f"user:{number}" for number in range(4000)]


def at(exposure, **more):
    return Restriction(exposure=exposure, source="rollout", **more)


def exposed(exposure):
    rules = compiled([at(exposure)])
    return {unit for unit in UNITS if rules.holds({}, uniform("salt", unit, "rollout")).is_exposed}


def test_whoever_is_exposed_stays_so_as_the_exposure_rises_and_the_shares_are_right():
    shares = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
    groups = [exposed(share) for share in shares]
    for smaller, larger in itertools.pairwise(groups):
        assert smaller < larger
    for share, group in zip(shares, groups, strict=True):
        assert abs(len(group) / len(UNITS) - share) <= 4 * (share * (1 - share) / len(UNITS)) ** 0.5


def test_the_number_is_independent_of_the_arm_and_of_the_split():
    held_out = [unit for unit in UNITS if uniform("salt", unit, "holdout") < 0.5]
    share = sum(uniform("salt", unit, "rollout") < 0.1 for unit in held_out) / len(held_out)
    assert abs(share - 0.1) < 4 * (0.09 / len(held_out)) ** 0.5
    assert uniform("salt", "user:1", "rollout") != uniform("salt", "user:1", "split")


def test_the_smallest_exposure_and_the_largest_raise_of_all_that_match_hold():
    rules = compiled(
        [
            at(0.5, reason="not_exposed", raised_by=0.02),
            at(0.1, segment="intent=billing"),
            at(1.0, segment="plan=pro", raised_by=0.3),
            at(0.0, segment="intent=fraud"),
        ]
    )
    assert rules.holds({}, 0.2) == Exposure(True, 0.5, 0.02, "not_exposed")
    assert rules.holds({"intent": "billing"}, 0.2) == Exposure(False, 0.1, 0.02, "routed_back")
    assert rules.holds({"intent": "billing", "plan": "pro"}, 0.05) == Exposure(True, 0.1, 0.3, "routed_back")
    assert not rules.holds({"intent": "fraud"}, 0.0).is_exposed
    assert rules.holds({"intent": "other"}, 0.6).reason == "not_exposed"


def test_of_equal_exposures_the_action_is_the_reason():
    for order in ((0, 1), (1, 0)):
        both = [at(0.0, reason="not_exposed"), at(0.0, segment="intent=fraud", reason="routed_back")]
        assert compiled([both[place] for place in order]).holds({"intent": "fraud"}, 0.5).reason == "routed_back"


def test_two_restrictions_of_one_label_both_hold():
    rules = compiled([at(0.5, segment="intent=faq"), at(0.9, segment="intent=faq", raised_by=0.1)])
    assert rules.holds({"intent": "faq"}, 0.7) == Exposure(False, 0.5, 0.1, "routed_back")


def test_nothing_in_force_is_nothing_to_ask():
    assert restrictions_of(None, "v1") is None
    assert restrictions_of(PolicyControls(), "v1") is None
    assert restrictions_of(PolicyControls(pin=Pin(bad="v2", good="v1", source="a")), "v3") is None


def test_a_rolled_back_version_is_not_served_cheaply_by_whoever_still_has_it():
    controls = PolicyControls(restrictions=(at(0.5),), pin=Pin(bad="v2", good="v1", source="a"))
    assert restrictions_of(controls, "v2").holds({}, 0.0) == Exposure(False, 0.0, 0.0, "routed_back")
    assert restrictions_of(controls, "v1").holds({}, 0.0).is_exposed


def test_closed_controls_expose_nobody():
    assert CLOSED.holds({"intent": "faq"}, 0.0) == Exposure(False, 0.0, 0.0, "controls_unreadable")
    assert [(label, found.exposure) for label, found in CLOSED.in_force()] == [("", 0.0)]


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_propensities_are_of_both_chances_together(exposure, number, is_holdout):
    setting = Setting(("cheap", "capable"), True, is_holdout, 0.8, 0.5)
    found = restricted(setting, compiled([at(exposure)]).holds({}, number))
    assert found.treatment_probability == 0.8 * exposure
    assert (found.eligible, found.is_holdout) == (True, is_holdout)
    assert (found.kept_for is None) == (is_holdout or number < exposure)


def test_an_ineligible_request_is_as_ever():
    constrained = Setting(("capable",), False, False, 0.8, 0.5)
    assert restricted(constrained, compiled([at(0.0)]).holds({}, 0.5)).kept_for is None


@pytest.mark.parametrize(("exposure", "propensity"), [(0.5, None), (0.0, 1.0)])
def test_who_is_not_exposed_gets_the_capable_tier(exposure, propensity):
    setting = restricted(SETTING, compiled([at(exposure, reason="not_exposed")]).holds({}, 0.9))
    ask = next(decided(CASCADE, FACTS, setting))
    assert (ask.tier, ask.hold, ask.reason, ask.propensity) == ("capable", False, "not_exposed", propensity)


def test_an_open_setting_is_the_policy_s_own():
    assert restricted(SETTING, OPEN) == SETTING
    assert next(decided(CASCADE, FACTS, SETTING)) == next(CASCADE.decide(FACTS, SETTING))
