"""Upstreams from a serving plan."""

from collections.abc import Mapping

from undertow.adapters.upstreams.passthrough import PassthroughUpstream
from undertow.adapters.upstreams.tier import Surroundings, TierUpstream
from undertow.records.serving import ServingPlan


def build_upstreams(
    plan: ServingPlan, env: Mapping[str, str], surroundings: Surroundings | None = None
) -> dict[str, TierUpstream]:
    """The upstream of each tier by its name, in the plan's order. Connects to nothing yet.

    Args:
        plan: The serving plan.
        env: Environment variables, for the keys; usually `os.environ`.
        surroundings: Clocks, randomness and sleep; None: the real ones.

    Raises:
        ConfigError: An endpoint cannot be used as it is configured, or its key variable is unset.
    """
    return {tier.name: TierUpstream(tier, plan.limits, env, surroundings) for tier in plan.tiers}


def build_passthrough(plan: ServingPlan, env: Mapping[str, str]) -> PassthroughUpstream | None:
    """The upstream of paths that are not routed, or None where the plan has none.

    Raises:
        ConfigError: The endpoint cannot be used as it is configured, or its key variable is unset.
    """
    return PassthroughUpstream(plan.passthrough, plan.limits, env) if plan.passthrough is not None else None
