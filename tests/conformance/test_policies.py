"""Every policy passes the list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conformance.check_policy import (
    CHECKS,
    check_a_higher_threshold_only_moves_traffic_up,
    check_asks_upwards_only,
    check_releases_no_unmeasured_confidence,
    drive,
    requests,
    settings_drawn,
    worlds,
)
from sound_calibrations import SHA, calibration, group, prefix
from undertow.policies.base import Ask, Release, Setting
from undertow.policies.build import build_judges, build_policy
from undertow.records.answer import NO_EVIDENCE, AnswerFacts
from undertow.records.calibration import FeatureWeight, GroupState, PolicyState
from undertow.records.request import RequestFacts
from undertow.records.serving import PolicyPlan

PLANS = {
    "cascade": {"kind": "cascade", "threshold": 0.6},
    "cascade with tokens": {"kind": "cascade", "threshold": 0.6, "evidence": "alternatives", "prefix_tokens": 3},
    "cascade, all questions": {
        "kind": "cascade", "threshold": 0.6, "self_check": True, "samples": 2, "predictive": "/c.json", "skip_below": 0.3,
    },
    "calibrated": {"kind": "cascade"},
    "calibrated, strict": {"kind": "cascade", "strict": True},
    "calibrated, commit": {"kind": "cascade", "streaming": "commit", "hysteresis": 0.1},
    "calibrated, commit, strict": {"kind": "cascade", "streaming": "commit", "strict": True},
    "calibrated, race": {"kind": "cascade", "streaming": "race", "predictive": "/c.json"},
    "calibrated, all questions": {"kind": "cascade", "self_check": True, "samples": 3},
    "classifier": {"kind": "classifier", "threshold": 0.6, "artefact": "/classifier.json"},
    "rules": {"kind": "classifier", "method": "rules", "cheap_segments": ("intent=faq",)},
    "fixed cheap": {"kind": "fixed", "tier": "small"},
    "fixed medium": {"kind": "fixed", "tier": "medium"},
    "fixed": {"kind": "fixed"},
    "split": {"kind": "split", "shares": {"small": 0.5, "medium": 0.2, "large": 0.3}},
    "split without the dearest": {"kind": "split", "shares": {"small": 1.0, "medium": 0.0}},
}  # fmt: skip
QUESTIONED = (
    FeatureWeight(name="mean_logprob", weight=0.5),
    FeatureWeight(name="p_true", weight=0.3, missing_weight=-0.2),
    FeatureWeight(name="agreement", weight=0.4),
)


def judges_of(name, plan):
    """Two calibrations of different makes; the medium tier knows one model only, and three kinds of group."""
    if not name.startswith("calibrated"):
        return {}
    features = QUESTIONED if plan.self_check else calibration().features
    small = calibration(tier="small", capable_tier="large", features=features, prefix=prefix(tokens=2, threshold=0.75))
    medium = calibration(
        tier="medium",
        capable_tier="large",
        served_models=("small-1",),
        group_key="intent",
        groups=(group(threshold=0.6), group("faq", 0.9), group("fraud", None)),
        prefix=prefix(tokens=3, groups=(group(threshold=0.6), group("faq", None), group("fraud", 0.5))),
    )
    return build_judges(plan, [(small, SHA), (medium, SHA)])


def policy_of(name, **changes):
    plan = PolicyPlan(name="auto", version="v1", tiers=("small", "medium", "large"), **PLANS[name] | changes)
    return build_policy(plan, judges_of(name, plan))


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_policy(name, check):
    most = 15 if "frequency" in check.__name__ else 100

    @settings(max_examples=most, deadline=None)
    @given(requests, settings_drawn, worlds)
    def holds(facts, setting, world):
        check(policy_of(name), facts, setting, world)

    holds()


@pytest.mark.parametrize("name", ["cascade", "classifier"])
@given(requests, settings_drawn, worlds, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_only_moves_traffic_up(name, facts, setting, world, one, other):
    low, high = (policy_of(name, threshold=threshold) for threshold in sorted((one, other)))
    check_a_higher_threshold_only_moves_traffic_up(low, high, facts, setting, world)


@pytest.mark.parametrize("streaming", ["hold", "commit", "race"])
@given(requests, settings_drawn, worlds, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_certified_threshold_only_moves_traffic_up(streaming, facts, setting, world, one, other):
    low, high = (certified_at(threshold, streaming) for threshold in sorted((one, other)))
    check_a_higher_threshold_only_moves_traffic_up(low, high, facts, setting, world)


def certified_at(threshold, streaming, state=None, **settings):
    plan = PolicyPlan(
        name="auto", version="v1", tiers=("small", "large"), kind="cascade", streaming=streaming, **settings
    )
    given = calibration(
        tier="small",
        capable_tier="large",
        group_key="intent",
        groups=(group(threshold=threshold), group("fraud", None)),
        prefix=prefix(tokens=2, groups=(group(threshold=threshold), group("fraud", None))),
    )
    judges = build_judges(plan, [(given, SHA)])
    judges["small"].apply(state)
    return build_policy(plan, judges)


@pytest.mark.parametrize("streaming", ["hold", "commit", "race"])
@pytest.mark.parametrize(
    ("intent", "is_void"), [("fraud", False), ("new", False), (None, True)], ids=["uncertified", "unknown", "void"]
)
@given(facts=requests, setting=settings_drawn, world=worlds)
def test_a_strict_policy_serves_nothing_cheaply_without_a_certificate(
    streaming, intent, is_void, facts, setting, world
):
    state = PolicyState(calibration_version=SHA, version=2, groups=(GroupState(threshold=0.0, is_void=is_void),))
    policy = certified_at(0.0, streaming, state, strict=True)
    facts = replace(facts, segment={} if intent is None else {"intent": intent})
    setting = replace(setting, tiers=("small", "large"), eligible=True)
    served = drive(policy, facts, setting, world).served
    assert served is None or served.tier == "large"


class Careless:
    """What the list is there to catch: serves whatever it holds, and goes down after a failure."""

    name, version, needs = "careless", "v", NO_EVIDENCE

    def decide(self, _facts, setting):
        event = yield Ask(setting.tiers[-1], hold=False, reason="fixed")
        if type(event).__name__ == "Failed":
            yield Ask(setting.tiers[0], hold=True, reason="fixed")
            yield Release(setting.tiers[0], "confident")


def test_the_list_catches_a_careless_policy():
    from conformance.check_policy import World

    setting = Setting(("small", "large"), True, False, 0.95, 0.3)
    world = World({"small": AnswerFacts(), "large": None})
    facts = RequestFacts("chat.completions", "auto")
    for check in (check_asks_upwards_only, check_releases_no_unmeasured_confidence):
        with pytest.raises(AssertionError):
            check(Careless(), facts, setting, world)
