"""From the serving plan to policies."""

from typing import assert_never

from undertow.policies.base import Policy
from undertow.policies.cascade import CascadePolicy
from undertow.policies.classifier import ClassifierPolicy, RulesPolicy
from undertow.policies.fixed import FixedPolicy
from undertow.policies.split import SplitPolicy
from undertow.records.serving import PolicyPlan


def build_policy(plan: PolicyPlan) -> Policy:
    """The policy that a plan describes. A fixed policy that names no tier means its dearest.

    Examples:
        >>> build_policy(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable"))).needs_confidence
        True
    """
    match plan.kind:
        case "cascade":
            return CascadePolicy(plan.name, plan.version, plan.threshold)
        case "classifier" if plan.method == "rules":
            return RulesPolicy(plan.name, plan.version, frozenset(plan.cheap_segments))
        case "classifier":
            return ClassifierPolicy(plan.name, plan.version, plan.threshold, plan.deadline_ms)
        case "fixed":
            return FixedPolicy(plan.name, plan.version, plan.tiers, plan.tier or plan.tiers[-1])
        case "split":
            return SplitPolicy(plan.name, plan.version, dict(plan.shares))
    assert_never(plan.kind)
