"""Rates before anything was measured."""

from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.initial import INITIAL_REVIEW, initial_rates

TIERS = ("cheap", "middle", "capable")


def test_every_tier_is_reviewed_and_all_but_the_capable_one_are_answered_again():
    rates = initial_rates(ReviewPlan(per_day=1), ShadowPlan(share=0.03, never=("a=b",)), TIERS)
    assert [(rate.tier, rate.review, rate.shadow) for rate in rates.rates] == [
        ("cheap", INITIAL_REVIEW, 0.03),
        ("middle", INITIAL_REVIEW, 0.03),
        ("capable", INITIAL_REVIEW, 0.0),
    ]
    assert rates.never_shadow == ("a=b",)
    assert rates.version == "initial"


def test_nothing_is_drawn_that_nobody_asked_for():
    assert initial_rates(ReviewPlan(), ShadowPlan(), TIERS).rates == ()
    assert initial_rates(ReviewPlan(), ShadowPlan(share=0.5, budget_usd_day=0.0), TIERS).rates == ()
    assert {rate.review for rate in initial_rates(ReviewPlan(), ShadowPlan(share=0.5), TIERS).rates} == {0.0}
