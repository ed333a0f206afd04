"""Every kind of plan becomes its policy, with its settings."""

import pytest

from undertow.policies.build import build_policy
from undertow.records.serving import PolicyPlan


@pytest.mark.parametrize(
    ("settings", "kind", "attributes"),
    [
        ({"kind": "cascade", "threshold": 0.9}, "CascadePolicy", {"threshold": 0.9, "needs_confidence": True}),
        ({"kind": "classifier", "deadline_ms": 5.0}, "ClassifierPolicy", {"deadline_ms": 5.0, "threshold": 0.7}),
        ({"kind": "classifier", "method": "embedding"}, "ClassifierPolicy", {"needs_confidence": False}),
        (
            {"kind": "classifier", "method": "rules", "cheap_segments": ("a=b",)},
            "RulesPolicy",
            {"cheap_segments": {"a=b"}},
        ),
        ({"kind": "fixed", "tier": "cheap"}, "FixedPolicy", {"tier": "cheap"}),
        ({"kind": "fixed"}, "FixedPolicy", {"tier": "capable"}),
        ({"kind": "split", "shares": {"cheap": 1.0}}, "SplitPolicy", {"shares": {"cheap": 1.0}}),
    ],
)
def test_build(settings, kind, attributes):
    policy = build_policy(PolicyPlan(name="n", version="v", tiers=("cheap", "capable"), **settings))
    assert type(policy).__name__ == kind
    assert (policy.name, policy.version) == ("n", "v")
    assert {name: getattr(policy, name) for name in attributes} == attributes
