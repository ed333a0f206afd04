"""Every kind of plan becomes its policy, with its settings."""

import pytest

from sound_calibrations import SHA, calibration, prefix
from undertow.policies.build import build_judges, build_policy
from undertow.policies.cascade import Ways
from undertow.records.answer import NO_EVIDENCE, SUM_OF_LOGPROBS, Evidence
from undertow.records.serving import PolicyPlan


@pytest.mark.parametrize(
    ("settings", "kind", "attributes"),
    [
        ({"kind": "cascade", "threshold": 0.9}, "CascadePolicy", {"threshold": 0.9, "needs": SUM_OF_LOGPROBS}),
        ({"kind": "classifier", "deadline_ms": 5.0}, "ClassifierPolicy", {"deadline_ms": 5.0, "threshold": 0.7}),
        ({"kind": "classifier", "method": "embedding"}, "ClassifierPolicy", {"needs": NO_EVIDENCE}),
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


def test_every_setting_of_a_cascade_arrives():
    plan = PolicyPlan(
        name="n", version="v", kind="cascade", tiers=("cheap", "capable"), strict=True, streaming="race", race_below=0.3,
        self_check=True, samples=2, predictive="/c.json", skip_below=0.2, hysteresis=0.05, deadline_ms=7.0, evidence="alternatives",
        prefix_tokens=16,
    )  # fmt: skip
    policy = build_policy(plan)
    evidence = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)
    assert policy.ways == Ways(
        streaming="race", race_below=0.3, self_check=True, samples=2, predicts=True, skip_below=0.2, deadline_ms=7.0, hysteresis=0.05,
        is_strict=True, evidence=evidence, logged_prefix=16,
    )  # fmt: skip
    assert policy.needs == evidence


def test_judges_know_how_their_policy_streams_and_whether_it_is_strict():
    plan = PolicyPlan(
        name="n",
        version="v",
        kind="cascade",
        tiers=("cheap", "capable"),
        streaming="commit",
        strict=True,
        prefix_tokens=4,
    )
    judges = build_judges(plan, [(calibration(prefix=prefix(threshold=0.8)), SHA)])
    (standing,) = judges["cheap"].standings()
    assert standing.prefix_threshold == 0.8
    assert judges["cheap"].needs.tokens
    assert build_policy(plan, judges).judges == judges
    held = build_judges(
        PolicyPlan(name="n", version="v", kind="cascade", tiers=plan.tiers), [(calibration(prefix=prefix()), SHA)]
    )
    assert next(held["cheap"].standings()).prefix_threshold is None
