"""Rates for a store of which nothing was measured yet: until the keeper has written better ones."""

from collections.abc import Sequence

from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.serving import ReviewPlan, ShadowPlan

INITIAL_REVIEW = 0.005
"""Of traffic that nobody has counted yet: 200 of 40,000 decisions, and few enough texts to keep of a million."""


def initial_rates(review: ReviewPlan, shadow: ShadowPlan, tiers: Sequence[str]) -> SamplingRates:
    """Equal rates for every tier, without strata.

    Args:
        review: What people can do; with `per_day` 0 nothing is drawn for review.
        shadow: What may be asked twice.
        tiers: All tiers, cheapest first; the last one is the capable tier, which is not shadowed.

    Examples:
        >>> rates = initial_rates(ReviewPlan(per_day=200), ShadowPlan(share=0.02), ("cheap", "capable"))
        >>> [(rate.tier, rate.review, rate.shadow) for rate in rates.rates]
        [('cheap', 0.005, 0.02), ('capable', 0.005, 0.0)]
        >>> initial_rates(ReviewPlan(), ShadowPlan(), ("cheap", "capable")).rates
        ()
    """
    reviewed = INITIAL_REVIEW if review.per_day > 0 else 0.0
    shadowed = shadow.share if shadow.budget_usd_day > 0 else 0.0
    entries = (SampleRate(tier=tier, review=reviewed, shadow=0.0 if tier == tiers[-1] else shadowed) for tier in tiers)
    return SamplingRates(
        version="initial",
        rates=tuple(entry for entry in entries if entry.review or entry.shadow),
        never_shadow=shadow.never,
        reasons=("nothing was measured yet",),
    )
