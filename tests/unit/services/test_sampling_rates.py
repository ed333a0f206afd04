"""The long tail keeps its cut; the rates keep their salt; labels that are not watched get no least number."""

from dataclasses import replace

from undertow.records.sampling import SamplingRates
from undertow.records.segment import WHOLE, Segment
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.hints import Hint
from undertow.sampling.quotas import Suspect, Volume
from undertow.services.sampling_rates import next_cuts, next_rates, suspects_of
from undertow.services.suspicion import Suspicion

DAY = [
    Volume("cheap", "", "tail", 2_000), Volume("cheap", "", "common", 8_000), Volume("capable", "", "common", 5_000),
    Volume("cheap", "intent=a", "tail", 30), Volume("cheap", "intent=a", "common", 70), Volume("cheap", "device=x", "common", 50),
]  # fmt: skip


def planned(previous=None, suspects=(), labels=("intent",)):
    return next_rates(
        previous, DAY, tail_cuts={"cheap": 0.4}, design=1, capable_usd=None, review=ReviewPlan(per_day=200, min_per_segment=5),
        shadow=ShadowPlan(share=0.02), tiers=("cheap", "capable"), labels=labels, suspects=suspects, at="2026-03-01T00:00:00.000Z",
    )  # fmt: skip


def test_a_new_tier_is_cut_without_a_new_design():
    before = SamplingRates(tail_cuts={"cheap": 0.4}, design=3)
    assert next_cuts(before, {"cheap": 0.2}, {"cheap": 0.5, "middle": 0.3}) == ({"cheap": 0.4, "middle": 0.3}, 3)


def test_a_tail_that_nearly_everything_is_in_is_cut_anew_once():
    before = SamplingRates(tail_cuts={"cheap": 0.4})
    cuts, design = next_cuts(before, {"cheap": 0.02}, {"cheap": 0.2})
    assert (cuts, design) == ({"cheap": 0.2}, 2)
    # All scores are alike, so no cut does better: it is not counted as another design for ever.
    assert next_cuts(SamplingRates(tail_cuts=cuts, design=design), {"cheap": 0.02}, {"cheap": 0.2}) == (cuts, 2)


def test_salt_and_cuts_are_kept_and_equal_rates_are_one_version():
    before = planned(SamplingRates(salt="ours"))
    assert before.salt == "ours"
    assert before.tail_cuts == {"cheap": 0.4}
    assert planned(before).version == before.version


def test_only_watched_labels_have_a_least_number():
    assert {rate.segment for rate in planned().rates} == {"", "intent=a"}
    assert {rate.segment for rate in planned(labels=None).rates} == {"", "intent=a", "device=x"}


def test_what_is_suspected_gets_extra_rates_there_alone():
    rates = planned(suspects=[Suspect("cheap", "intent=a", "tail")])
    extra = {(rate.segment, rate.stratum): rate.review_extra for rate in rates.rates if rate.review_extra}
    assert extra == {("intent=a", "tail"): 1.0}  # 140 reviews, and 30 decisions a day


def test_warnings_move_few_reviews_and_only_where_the_judge_suspects_nothing():
    hints = [
        Hint("cheap", WHOLE, 1.0),
        Hint("cheap", Segment("intent", "a"), 0.6),
        Hint("cheap", Segment("device", "x"), 0.4),
    ]
    assert [(each.segment, round(each.share, 3)) for each in suspects_of((), hints)] == [("intent=a", 0.09)]
    found = (Suspicion("cheap", "intent=b", "tail", 50.0, 0.6, "judge.quality"),)
    assert suspects_of(found, hints) == (Suspect("cheap", "intent=b", "tail", 0.6),)
    assert suspects_of((), hints[:1]) == ()


def test_rates_stay_while_new_ones_are_hardly_different():
    before = planned()

    def again(times, **changed):
        moved = [replace(volume, per_day=times * volume.per_day) for volume in DAY]
        given = {
            "tail_cuts": {"cheap": 0.4},
            "design": 1,
            "suspects": (),
            "review": ReviewPlan(per_day=200, min_per_segment=5),
        } | changed
        return next_rates(
            before, moved, capable_usd=None, shadow=ShadowPlan(share=0.02), tiers=("cheap", "capable"), labels=("intent",),
            at="2026-03-02T00:00:00.000Z", **given,
        )  # fmt: skip

    assert again(1.08) is before
    assert again(1.2).version != before.version
    assert again(1.0, suspects=[Suspect("cheap", "intent=a", "tail")]).version != before.version
    assert again(1.0, design=2).design == 2
    assert again(1.0, tail_cuts={"cheap": 0.41}).tail_cuts == {"cheap": 0.41}
