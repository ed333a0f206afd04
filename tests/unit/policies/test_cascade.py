"""A cheap answer is served only where it was measured and confident."""

import math

import pytest
from msgspec.structs import replace

from conformance.check_policy import World, drive
from sound_calibrations import calibration, group, judge, prefix
from undertow.policies.base import (
    Ask,
    Classified,
    ClassifierFailed,
    Classify,
    Commit,
    Race,
    Release,
    Sample,
    SelfCheck,
    Setting,
    Wait,
)
from undertow.policies.cascade import CascadePolicy, Ways
from undertow.records.answer import AnswerFacts, Evidence, TokenEvidence
from undertow.records.calibration import FeatureWeight
from undertow.records.request import RequestFacts

FACTS = RequestFacts("chat.completions", "auto")
SURE = AnswerFacts(logprob_sum=-0.1, logprob_count=1)
UNSURE = AnswerFacts(logprob_sum=-1.0, logprob_count=1)
LARGE = AnswerFacts()


def trace(answers, tiers=("small", "large"), *, is_holdout=False, eligible=True):
    setting = Setting(tiers, eligible, is_holdout, 0.9, 0.5)
    return drive(CascadePolicy("auto", "v", 0.7), FACTS, setting, World(answers))


@pytest.mark.parametrize(
    ("small", "by", "reason", "propensity", "escalated"),
    [
        (SURE, "small", "confident", 0.9, False),
        (UNSURE, "large", "unsure", 1.0, True),
        (AnswerFacts(chars=3), "large", "no_confidence", 1.0, True),
        (AnswerFacts(is_empty=True), "large", "empty_answer", 1.0, True),
        (AnswerFacts(are_tool_calls_valid=False), "large", "invalid_answer", 1.0, True),
        (None, "large", "upstream_error", None, False),
    ],
)
def test_what_becomes_of_a_cheap_answer(small, by, reason, propensity, escalated):
    served = trace({"small": small, "large": LARGE}).served
    assert (served.tier, served.reason, served.propensity, served.escalated) == (by, reason, propensity, escalated)


def test_the_judgement_of_the_withheld_answer_goes_into_the_record():
    served = trace({"small": UNSURE, "large": LARGE}).served
    assert served.judgement.confidence == pytest.approx(0.3679, abs=1e-4)
    assert served.judgement.threshold == 0.7


def test_three_tiers_are_judged_one_after_the_other():
    all_three = ("small", "medium", "large")
    done = trace({"small": UNSURE, "medium": SURE, "large": LARGE}, all_three)
    assert [(ask.tier, ask.hold) for ask in done.asks] == [("small", True), ("medium", True)]
    assert (done.served.tier, done.served.propensity, done.served.escalated) == ("medium", 0.9, True)
    after_failure = trace({"small": None, "medium": SURE, "large": LARGE}, all_three).served
    assert (after_failure.tier, after_failure.propensity, after_failure.escalated) == ("medium", None, False)
    assert trace({"small": UNSURE, "medium": None, "large": LARGE}, all_three).served.escalated


def test_the_last_tier_is_never_held():
    last = trace({"small": UNSURE, "large": LARGE}).asks[-1]
    assert (last.tier, last.hold) == ("large", False)


def test_a_withheld_answer_is_not_served_after_all():
    assert trace({"small": UNSURE, "large": None}).served is None


def test_holdout_and_ineligible_requests_are_not_judged():
    held_out = trace({"small": SURE, "large": LARGE}, is_holdout=True)
    assert [(ask.tier, ask.reason, ask.propensity) for ask in held_out.asks] == [("large", "holdout", None)]
    constrained = trace({"large": LARGE}, ("large",), eligible=False, is_holdout=True)
    assert [(ask.tier, ask.reason, ask.propensity) for ask in constrained.asks] == [("large", "constraint", 1.0)]


def test_until_it_is_judged_the_reason_says_so():
    first = trace({"small": SURE, "large": LARGE}).steps[0][0]
    assert isinstance(first, Ask)
    assert (first.reason, first.judgement.confidence) == ("cascade", None)


# -- calibrated tiers, streams, further questions, sessions

STREAMED = RequestFacts("chat.completions", "auto", wants_stream=True)


def answer(probability, tokens=2, **changes):
    return AnswerFacts(
        **{
            "logprob_sum": tokens * math.log(probability),
            "logprob_count": tokens,
            "tokens": TokenEvidence((math.log(probability),) * tokens, (True,) * tokens),
        }
        | changes
    )


def run(ways=None, world=None, *, given=None, facts=STREAMED, tiers=("small", "large"), **setting):
    ways = ways or Ways()
    judges = {} if given is None else {"small": judge(given, commits=ways.streaming == "commit")}
    policy = CascadePolicy("auto", "v", 0.7, judges, ways)
    fields = {"eligible": True, "is_holdout": False, "treatment_probability": 0.9, "draw": 0.5} | setting
    return drive(policy, facts, Setting(tiers, **fields), world)


def commands(trace):
    return [type(command) for command, _ in trace.steps]


def world(whole, beginning=None, **changes):
    return World(
        {"small": whole, "large": LARGE}, beginnings={} if beginning is None else {"small": beginning}, **changes
    )


STREAMING = calibration(prefix=prefix(tokens=2, threshold=0.8))


def test_a_tier_with_a_calibration_is_judged_by_it_and_another_by_its_own_probability():
    strict = calibration(groups=(group(threshold=0.95),))
    assert run(world=world(answer(0.9)), given=strict).served.tier == "large"
    assert run(world=world(answer(0.9))).served.judgement.confidence_kind == "uncalibrated"
    three = World({"small": answer(0.9), "medium": answer(0.9), "large": LARGE})
    served = run(world=three, given=strict, tiers=("small", "medium", "large")).served
    assert (served.tier, served.judgement.confidence_kind, served.escalated) == ("medium", "uncalibrated", True)


def test_commit_serves_a_confident_beginning():
    trace = run(Ways(streaming="commit"), world(None, answer(0.85)), given=STREAMING)
    assert commands(trace) == [Ask, Commit]
    assert trace.asks[0].begun_tokens == 2
    assert (trace.served.reason, trace.served.propensity, trace.served.escalated) == ("confident", 0.9, False)


def test_commit_waits_for_the_whole_answer_where_the_beginning_is_not_confident():
    trace = run(Ways(streaming="commit"), world(answer(0.85), answer(0.75)), given=STREAMING)
    assert commands(trace) == [Ask, Wait, Release]


@pytest.mark.parametrize(
    "facts",
    [
        replace(STREAMED, has_tools=True),
        replace(STREAMED, has_media=True),
        replace(STREAMED, has_format=True),
        replace(STREAMED, wants_stream=False),
    ],
)
def test_what_must_be_checked_whole_is_not_looked_at_early(facts):
    trace = run(Ways(streaming="commit"), world(answer(0.85), answer(0.85)), given=STREAMING, facts=facts)
    assert trace.asks[0].begun_tokens == 0
    assert commands(trace) == [Ask, Release]


def test_hold_is_told_nothing_early():
    assert run(world=world(answer(0.85), answer(0.85)), given=STREAMING).asks[0].begun_tokens == 0


@pytest.mark.parametrize(
    ("ways", "beginning", "races"),
    [
        (Ways(streaming="race"), 0.3, True),
        (Ways(streaming="race"), 0.4, False),
        (Ways(streaming="race"), 0.99, False),
        (Ways(streaming="race", race_below=0.5), 0.45, True),
        (Ways(streaming="race", race_below=0.2), 0.3, False),
    ],
)
def test_race_starts_the_capable_tier_beside_a_poor_beginning(ways, beginning, races):
    trace = run(ways, world(answer(0.9), answer(beginning)), given=STREAMING)
    assert commands(trace) == [Ask, Race if races else Wait, Release]


def test_the_capable_answer_of_a_race_is_served_where_the_cheap_one_stays_poor():
    trace = run(Ways(streaming="race"), world(answer(0.3), answer(0.3)), given=STREAMING)
    assert commands(trace) == [Ask, Race, Ask]
    assert (trace.steps[1][0].rival, trace.asks[-1].hold, trace.served.escalated) == ("large", False, True)
    failed = run(Ways(streaming="race"), world(None, answer(0.3)), given=STREAMING)
    assert (failed.served.tier, failed.served.reason, failed.served.propensity) == ("large", "upstream_error", None)


def test_where_nothing_can_be_served_cheaply_the_race_begins_at_once():
    blocked = calibration(groups=(group(threshold=None),), prefix=prefix(tokens=2, groups=(group(threshold=None),)))
    assert commands(run(Ways(streaming="race"), world(answer(0.9), answer(0.99)), given=blocked)) == [Ask, Race, Ask]


def test_an_unmeasured_beginning_is_no_ground_for_a_race():
    trace = run(Ways(streaming="race"), world(answer(0.9), AnswerFacts(chars=3)), given=STREAMING)
    assert commands(trace) == [Ask, Wait, Release]


def test_a_tier_that_is_judged_is_never_raced():
    three = World({"small": answer(0.3), "medium": answer(0.9), "large": LARGE}, beginnings={"small": answer(0.3)})
    trace = run(Ways(streaming="race"), three, given=STREAMING, tiers=("small", "medium", "large"))
    assert commands(trace) == [Ask, Wait, Ask, Release]


ASKING = Ways(self_check=True, samples=3)
QUESTIONED = calibration(
    features=(
        FeatureWeight(name="mean_logprob"),
        FeatureWeight(name="p_true", weight=2.0, center=0.5),
        FeatureWeight(name="agreement", weight=2.0, center=0.5),
    ),
    link="logit",
)


def test_further_questions_enter_the_confidence():
    trace = run(ASKING, world(answer(0.9), p_true=0.9, agreement=1.0), given=QUESTIONED)
    assert commands(trace) == [Ask, SelfCheck, Sample, Release]
    assert trace.steps[2][0].samples == 3
    features = trace.served.judgement.features
    assert (features["p_true"], features["agreement"]) == (0.9, 1.0)


def test_nothing_is_asked_that_cannot_serve_the_answer():
    assert commands(run(ASKING, world(answer(0.1)), given=QUESTIONED)) == [Ask, Ask]
    doubted = run(ASKING, world(answer(0.9), p_true=0.0, agreement=1.0), given=QUESTIONED)
    assert commands(doubted) == [Ask, SelfCheck, Ask]
    assert (doubted.served.tier, doubted.served.reason) == ("large", "unsure")


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_a_question_without_an_answer_is_a_missing_feature(nothing):
    trace = run(ASKING, world(answer(0.9), p_true=nothing, agreement=1.0), given=QUESTIONED)
    assert (trace.served.tier, trace.served.reason) == ("large", "no_confidence")


def test_without_a_calibration_they_are_asked_for_the_log():
    trace = run(ASKING, world(answer(0.9), p_true=0.2, agreement=0.5))
    assert (trace.served.tier, trace.served.judgement.features["p_true"]) == ("small", 0.2)


PREDICTING = Ways(predicts=True, skip_below=0.2, deadline_ms=12.0)


def test_a_hopeless_request_goes_straight_up():
    trace = run(PREDICTING, world(answer(0.9), classifier=Classified(0.1)))
    assert commands(trace) == [Classify, Ask]
    assert trace.steps[0][0].deadline_ms == 12.0
    served = trace.served
    assert (served.tier, served.reason, served.propensity, served.escalated) == ("large", "hopeless", 1.0, False)
    assert (served.judgement.features, served.judgement.threshold) == ({"predicted": 0.1}, 0.2)


@pytest.mark.parametrize(
    "says", [Classified(0.2), Classified(math.nan), Classified(-1.0), ClassifierFailed("classifier_late")]
)
def test_any_other_request_is_judged_by_its_answer(says):
    trace = run(PREDICTING, world(answer(0.9), classifier=says))
    assert commands(trace) == [Classify, Ask, Release]
    assert ("predicted" in trace.served.judgement.features) == (says == Classified(0.2))


def test_in_the_holdout_a_hopeless_request_has_an_exact_propensity():
    hopeless = run(PREDICTING, world(answer(0.9), classifier=Classified(0.1)), is_holdout=True).served
    assert (hopeless.tier, hopeless.reason, hopeless.propensity) == ("large", "holdout", 1.0)
    other = run(PREDICTING, world(answer(0.9), classifier=Classified(0.9)), is_holdout=True).served
    assert (other.reason, other.propensity) == ("holdout", None)


def test_a_conversation_stays_with_the_capable_tier():
    trace = run(PREDICTING, world(answer(0.9)), last_tier="large", stays=True)
    assert commands(trace) == [Ask]
    assert (trace.served.tier, trace.served.reason, trace.served.propensity) == ("large", "session", 1.0)
    assert run(world=world(answer(0.9)), last_tier="small", stays=True).served.tier == "small"
    held_out = run(world=world(answer(0.9)), last_tier="large", stays=True, is_holdout=True).served
    assert (held_out.reason, held_out.propensity) == ("holdout", None)


@pytest.mark.parametrize(("last_tier", "by"), [(None, "small"), ("small", "small"), ("large", "large")])
def test_moving_down_takes_more_confidence_than_staying_down(last_tier, by):
    trace = run(Ways(hysteresis=0.1), world(answer(0.75)), given=calibration(), last_tier=last_tier)
    assert trace.served.tier == by
    assert run(Ways(hysteresis=0.1), world(answer(0.65)), given=calibration(), last_tier="small").served.tier == "large"


def test_it_needs_what_its_judges_and_questions_need():
    assert CascadePolicy("auto", "v", 0.7).needs == Evidence(logprobs=True)
    assert CascadePolicy("auto", "v", 0.7, {}, ASKING).needs.text
    judged = CascadePolicy("auto", "v", 0.7, {"small": judge(STREAMING)}, Ways(evidence=Evidence(alternatives=5)))
    assert judged.needs == Evidence(logprobs=True, alternatives=5, tokens=True)


def test_a_strict_policy_serves_no_tier_without_a_calibration():
    served = run(Ways(is_strict=True), world(answer(0.99))).served
    assert (served.tier, served.reason) == ("large", "uncertified")


def test_what_earlier_tiers_were_judged_by_stays_in_the_record_under_their_names():
    features = trace(
        {"small": UNSURE, "medium": SURE, "large": LARGE}, ("small", "medium", "large")
    ).served.judgement.features
    assert (features["small/mean_logprob"], features["mean_logprob"]) == (-1.0, -0.1)
    four = trace({"a": UNSURE, "b": UNSURE, "c": UNSURE, "d": LARGE}, ("a", "b", "c", "d")).served.judgement.features
    assert {"a/mean_logprob", "b/mean_logprob", "mean_logprob"} <= set(four)


def test_a_raise_of_the_guard_adds_to_the_hysteresis_of_a_conversation():
    ways = Ways(hysteresis=0.1)
    moved = {"last_tier": "large"}
    for raised_by, setting, tier, threshold in (
        (0.0, {}, "small", 0.7), (0.15, {}, "small", 0.85), (0.05, moved, "small", 0.85), (0.15, moved, "large", 0.95), (1.0, {}, "large", 1.0),
    ):  # fmt: skip
        served = run(ways, world(answer(0.9)), raised_by=raised_by, **setting).served
        assert (served.tier, round(served.judgement.threshold, 9)) == (tier, threshold)
