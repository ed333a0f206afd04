"""Who answers a request that leaves a policy no choice: one that is not eligible, or one of the holdout arm."""

from undertow.policies.base import NOT_JUDGED, Judgement, Setting, Steps, ask_upwards


def serve_constrained(setting: Setting) -> Steps:
    """A request that is not eligible: the tier that the constraints left, whatever any score would say."""
    yield from ask_upwards(setting.tiers, "constraint")


def serve_holdout(setting: Setting, propensity: float | None, judgement: Judgement = NOT_JUDGED) -> Steps:
    """A request of the holdout arm: the capable tier.

    Args:
        setting: Its setting.
        propensity: Probability that the capable tier answers such a request, over both arms.
        judgement: What the policy would have gone by, logged so that both arms can be compared.
    """
    # 0 comes of a unit that is held out although nobody should be: no probability that a log could hold.
    yield from ask_upwards(setting.tiers[-1:], "holdout", judgement, propensity or None)
