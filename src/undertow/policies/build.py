"""From the serving plan to policies."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import assert_never

from undertow.policies.base import Policy
from undertow.policies.calibrated import CalibratedJudge
from undertow.policies.cascade import CascadePolicy, Ways
from undertow.policies.classifier import ClassifierPolicy, RulesPolicy
from undertow.policies.fixed import FixedPolicy
from undertow.policies.split import SplitPolicy
from undertow.records.answer import SUM_OF_LOGPROBS, Evidence
from undertow.records.calibration import Calibration
from undertow.records.serving import PolicyPlan

EVIDENCE: Mapping[str, Evidence] = MappingProxyType(
    {
        "sum": SUM_OF_LOGPROBS,
        "tokens": Evidence(logprobs=True, tokens=True, text=True),
        "alternatives": Evidence(logprobs=True, alternatives=5, tokens=True, text=True),
    }
)
"""`[policy] evidence` -> what held answers should come with at least."""

NO_JUDGES: Mapping[str, CalibratedJudge] = MappingProxyType({})


def build_judges(plan: PolicyPlan, calibrations: Iterable[tuple[Calibration, str]]) -> dict[str, CalibratedJudge]:
    """The judges of a cascade, by tier. Each policy has its own: they keep what they saw.

    Args:
        plan: The policy.
        calibrations: Its artefacts, as read from `plan.calibrations`, each with its hash.

    Examples:
        >>> build_judges(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")), [])
        {}
    """
    return {
        calibration.tier: CalibratedJudge(
            calibration,
            sha256,
            strict=plan.strict,
            commits=plan.streaming == "commit",
            needs=_evidence(plan),
            logged_prefix=plan.prefix_tokens,
        )
        for calibration, sha256 in calibrations
    }


def build_policy(plan: PolicyPlan, judges: Mapping[str, CalibratedJudge] = NO_JUDGES) -> Policy:
    """The policy that a plan describes. A fixed policy that names no tier means its dearest.

    Args:
        plan: The plan.
        judges: Cascade: judges of the tiers that have a calibration (`build_judges`).

    Examples:
        >>> build_policy(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable"))).needs.logprobs
        True
    """
    match plan.kind:
        case "cascade":
            return CascadePolicy(
                plan.name,
                plan.version,
                plan.threshold,
                judges,
                Ways(
                    streaming=plan.streaming,
                    race_below=plan.race_below,
                    self_check=plan.self_check,
                    samples=plan.samples,
                    predicts=plan.predictive is not None,
                    skip_below=plan.skip_below,
                    deadline_ms=plan.deadline_ms,
                    hysteresis=plan.hysteresis,
                    is_strict=plan.strict,
                    evidence=_evidence(plan),
                    logged_prefix=plan.prefix_tokens,
                ),
            )
        case "classifier" if plan.method == "rules":
            return RulesPolicy(plan.name, plan.version, frozenset(plan.cheap_segments))
        case "classifier":
            return ClassifierPolicy(plan.name, plan.version, plan.threshold, plan.deadline_ms)
        case "fixed":
            return FixedPolicy(plan.name, plan.version, plan.tiers, plan.tier or plan.tiers[-1])
        case "split":
            return SplitPolicy(plan.name, plan.version, dict(plan.shares))
    assert_never(plan.kind)


def _evidence(plan: PolicyPlan) -> Evidence:
    given = EVIDENCE[plan.evidence]
    return Evidence(given.logprobs, given.alternatives, given.tokens or plan.prefix_tokens > 0, given.text)
