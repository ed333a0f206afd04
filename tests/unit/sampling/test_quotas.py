"""Quotas: shares, floors, stakes, budgets and steering. What must hold for any traffic is in tests/properties."""

import pytest

from undertow.records.sampling import SampleRate
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.initial import INITIAL_REVIEW
from undertow.sampling.quotas import STEERED, Suspect, Volume, most_reviews, plan_rates, version_of

TIERS = ("cheap", "capable")
NO_SHADOW = ShadowPlan()
DAY = [
    Volume("cheap", "", "tail", 6_500),
    Volume("cheap", "", "common", 26_000),
    Volume("capable", "", "tail", 3_500),
    Volume("capable", "", "common", 14_000),
]
BILLING = [Volume("cheap", "intent=billing", "tail", 600), Volume("cheap", "intent=billing", "common", 2_600)]
RARE = [Volume("cheap", "intent=rare", "tail", 1), Volume("cheap", "intent=rare", "common", 9)]


def plan(volumes=DAY, *, review=ReviewPlan(per_day=200), shadow=NO_SHADOW, **more):  # noqa: B008 (frozen)
    return plan_rates(review, shadow, volumes, tiers=more.pop("tiers", TIERS), **more)


def rate(rates, tier, segment="", stratum="", what="review"):
    """Largest rate of the entries for this place alone."""
    return max(
        (getattr(entry, what) for entry in rates.rates if (entry.tier, entry.segment) == (tier, segment) and entry.stratum in ("", stratum)),
        default=0.0,
    )  # fmt: skip


def reviews(rates, tier, stratum, volume):
    return rate(rates, tier, "", stratum) * volume


def test_reviews_are_spent_by_the_shares():
    rates = plan()
    assert reviews(rates, "cheap", "tail", 6_500) == pytest.approx(0.7 * 0.6 * 200, rel=1e-3)
    assert reviews(rates, "cheap", "common", 26_000) == pytest.approx(0.7 * 0.4 * 200, rel=1e-3)
    assert rate(rates, "capable", "", "tail") == rate(rates, "capable", "", "common")
    assert rate(rates, "capable", "", "tail") * 17_500 == pytest.approx(0.3 * 200, rel=1e-3)


def test_what_a_small_stratum_cannot_use_goes_to_the_rest():
    few = [Volume("cheap", "", "tail", 20), Volume("cheap", "", "common", 30_000), *DAY[2:]]
    rates = plan(few)
    assert rate(rates, "cheap", "", "tail") == 1.0
    assert most_reviews(rates, few) == pytest.approx(200, rel=1e-3)


def test_a_segment_has_its_least_number_and_one_with_less_traffic_is_reviewed_whole():
    review = ReviewPlan(per_day=200, min_per_segment=5)
    rates = plan([*DAY, *BILLING, *RARE], review=review)
    assert (
        rate(rates, "cheap", "intent=rare", "tail") * 1 + rate(rates, "cheap", "intent=rare", "common") * 9 >= 5 - 1e-9
    )
    assert not [entry for entry in rates.rates if entry.segment == "intent=billing"], "it has enough as it is"
    tiny = [Volume("cheap", "intent=tiny", "common", 3)]
    assert rate(plan([*DAY, *tiny], review=review), "cheap", "intent=tiny", "common") == 1.0


def test_stakes_multiply_and_those_below_one_change_nothing():
    review = ReviewPlan(per_day=200, stakes={"intent=billing": 3.0, "intent=rare": 0.5}, min_per_segment=0)
    volumes = [*DAY, *BILLING, *RARE]
    rates = plan(volumes, review=review)
    for stratum in ("tail", "common"):
        assert rate(rates, "cheap", "intent=billing", stratum) == pytest.approx(
            3 * rate(rates, "cheap", "", stratum), rel=1e-3
        )
    assert not [entry for entry in rates.rates if entry.segment == "intent=rare"]
    assert most_reviews(rates, volumes) <= 200


def test_floors_beyond_the_daily_number_are_kept_and_said():
    volumes = [*DAY, *(Volume("cheap", f"intent={n}", "common", 400) for n in range(60))]
    review = ReviewPlan(per_day=50, min_per_segment=2)
    rates = plan(volumes, review=review)
    assert 50 < most_reviews(rates, volumes) < 125
    assert "lower min_per_segment" in rates.reasons[-1]
    assert all(rate(rates, "cheap", f"intent={n}", "common") * 400 >= 2 - 1e-9 for n in range(60))


def test_no_stratum_is_blind_whatever_the_shares():
    for review in (
        ReviewPlan(per_day=200, tail_share=1.0, min_per_segment=0),
        ReviewPlan(per_day=200, tail_share=0.0, min_per_segment=0),
        ReviewPlan(per_day=200, cheap_share=1.0, min_per_segment=0),
        ReviewPlan(per_day=200, cheap_share=0.0, min_per_segment=0),
    ):
        rates = plan(review=review)
        assert all(rate(rates, tier, "", stratum) > 0 for tier in TIERS for stratum in ("tail", "common"))


def test_a_tier_that_was_not_seen_yet_has_a_small_rate():
    rates = plan(DAY[:2], tiers=("cheap", "middle", "capable"))
    assert rate(rates, "middle", "", "common") == rate(rates, "capable", "", "tail") == INITIAL_REVIEW
    assert most_reviews(rates, DAY[:2]) == pytest.approx(200, rel=1e-3), "the cheap tier has them all"
    assert {entry.review for entry in plan([]).rates} == {INITIAL_REVIEW}


def test_without_reviews_nothing_is_drawn_for_review():
    assert plan(review=ReviewPlan()).rates == ()
    assert plan(review=ReviewPlan(), suspects=[Suspect("cheap")]).rates == ()


def test_most_reviews_go_where_a_warning_points_within_the_same_number():
    volumes = [*DAY, *BILLING]
    suspect = Suspect("cheap", "intent=billing", "tail")
    rates = plan(volumes, suspects=[suspect])
    extra = rate(rates, "cheap", "intent=billing", "tail", what="review_extra")
    assert extra * 600 == pytest.approx(STEERED * 200, rel=1e-3)
    assert rate(rates, "cheap", "intent=billing", "common", what="review_extra") == 0.0
    assert most_reviews(rates, volumes) == pytest.approx(200, rel=1e-3)
    assert reviews(rates, "cheap", "tail", 6_500) == pytest.approx((1 - STEERED) * 84, rel=0.02)
    assert any("where a warning points" in reason for reason in rates.reasons)


def test_a_suspect_without_traffic_takes_nothing_from_the_others():
    rates = plan(suspects=[Suspect("cheap", "intent=nobody")])
    assert most_reviews(rates, DAY) == pytest.approx(200, rel=1e-3)


def test_second_answers_are_a_share_of_the_cheap_tiers_most_of_them_in_the_tail():
    rates = plan(shadow=ShadowPlan(share=0.02), review=ReviewPlan())
    tail, common = (rate(rates, "cheap", "", stratum, what="shadow") for stratum in ("tail", "common"))
    assert tail * 6_500 == pytest.approx(0.6 * 0.02 * 32_500, rel=1e-3)
    assert common * 26_000 == pytest.approx(0.4 * 0.02 * 32_500, rel=1e-3)
    assert rate(rates, "capable", "", "tail", what="shadow") == 0.0


def test_the_budget_bounds_second_answers():
    shadow = ShadowPlan(share=0.5, budget_usd_day=1.0)
    rates = plan(shadow=shadow, capable_usd=0.01)
    answers = sum(rate(rates, "cheap", "", s, what="shadow") * v for s, v in (("tail", 6_500), ("common", 26_000)))
    assert answers == pytest.approx(90, rel=1e-3)
    assert any("pay no more" in reason for reason in rates.reasons)
    assert plan(shadow=ShadowPlan(share=0.5, budget_usd_day=0.0), review=ReviewPlan()).rates == ()


def test_the_version_is_of_the_rates_alone():
    one, other = plan(at="2026-03-01T00:00:00Z"), plan(at="2026-03-02T00:00:00Z")
    assert one.version == other.version == version_of(one)
    assert plan(salt="x").version != one.version
    assert plan(tail_cuts={"cheap": 0.3}).version != one.version
    assert plan(DAY[:3]).version != one.version


def test_the_order_of_volumes_changes_nothing():
    assert plan([*DAY, *BILLING, *RARE]) == plan([*RARE, *reversed(DAY), *BILLING])


def test_entries_alike_in_both_strata_are_one():
    rates = plan(review=ReviewPlan(per_day=200, cheap_share=0.0))
    assert [entry.stratum for entry in rates.rates if entry.tier == "capable"] == [""]


def test_the_upper_bound_adds_up_the_surplus_of_labels():
    rates = plan()
    entries = (*rates.rates, SampleRate(tier="cheap", segment="intent=billing", review=1.0))
    more = most_reviews(type(rates)(rates=entries), [*DAY, *BILLING]) - most_reviews(rates, DAY)
    assert more == pytest.approx(
        3_200 - sum(rate(rates, "cheap", "", s) * v for s, v in (("tail", 600), ("common", 2_600)))
    )


def test_what_is_reviewed_is_answered_again_as_far_as_the_budget_goes():
    rich = plan(shadow=ShadowPlan(share=0.001), capable_usd=1e-6)
    for entry in rich.rates:
        if entry.tier == "cheap":
            assert entry.shadow >= entry.review > 0
        else:
            assert entry.shadow == 0.0
    poor = plan(shadow=ShadowPlan(share=0.001, budget_usd_day=1.0), capable_usd=0.05)
    answers = sum(rate(poor, "cheap", "", s, what="shadow") * v for s, v in (("tail", 6_500), ("common", 26_000)))
    assert answers <= 0.9 / 0.05 + 1e-9
    assert any("show one answer only" in reason for reason in poor.reasons)


def test_second_answers_for_what_is_steered_to_are_in_the_budget():
    suspect = Suspect("cheap", "intent=billing", "tail")
    volumes = [*DAY, Volume("cheap", "intent=billing", "tail", 500)]
    plain, steered = (
        plan(volumes, suspects=found, shadow=ShadowPlan(share=0.02, budget_usd_day=4.0), capable_usd=0.006)
        for found in ([], [suspect])
    )

    def answers(rates):
        return sum(
            volume.per_day * (rate(rates, "cheap", volume.segment, volume.stratum, what="shadow") if not volume.segment
            else rate(rates, "cheap", volume.segment, volume.stratum, what="shadow_extra"))
            for volume in volumes
            if volume.tier == "cheap"
        )  # fmt: skip

    assert answers(steered) <= 0.9 * 4.0 / 0.006 + 1e-6
    assert answers(plain) <= 0.9 * 4.0 / 0.006 + 1e-6
