"""Every policy passes the list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.check_policy import (
    CHECKS,
    check_a_higher_threshold_only_moves_traffic_up,
    check_asks_upwards_only,
    check_propensity_is_the_frequency_over_arms_and_draws,
    check_releases_no_unmeasured_confidence,
    requests,
    settings_drawn,
    worlds,
)
from undertow.policies.base import Ask, Release, Setting
from undertow.policies.build import build_policy
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts
from undertow.records.serving import PolicyPlan

PLANS = {
    "cascade": {"kind": "cascade", "threshold": 0.6},
    "classifier": {"kind": "classifier", "threshold": 0.6, "artefact": "/classifier.json"},
    "rules": {"kind": "classifier", "method": "rules", "cheap_segments": ("intent=faq",)},
    "fixed cheap": {"kind": "fixed", "tier": "small"},
    "fixed medium": {"kind": "fixed", "tier": "medium"},
    "fixed": {"kind": "fixed"},
    "split": {"kind": "split", "shares": {"small": 0.5, "medium": 0.2, "large": 0.3}},
    "split without the dearest": {"kind": "split", "shares": {"small": 1.0, "medium": 0.0}},
}


def policy_of(name, **changes):
    return build_policy(
        PolicyPlan(name="auto", version="v1", tiers=("small", "medium", "large"), **PLANS[name] | changes)
    )


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_policy(name, check):
    most = 15 if check is check_propensity_is_the_frequency_over_arms_and_draws else 100

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


class Careless:
    """What the list is there to catch: serves whatever it holds, and goes down after a failure."""

    name, version, needs_confidence = "careless", "v", False

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
