"""A number stands for a confidence only where it was measured."""

import math

import pytest

from undertow.policies.confidence import UncalibratedJudge, prefixed, raised, refused
from undertow.records.answer import AnswerFacts, TokenEvidence
from undertow.records.request import RequestFacts

SURE = {"logprob_sum": -0.4, "logprob_count": 4}
ASKED = RequestFacts("chat.completions", "auto")


def judged(answer, threshold=0.7, raised_by=0.0, **settings):
    return UncalibratedJudge(threshold, **settings).judge(AnswerFacts(**answer), ASKED, {}, raised_by)


def test_confidence_is_the_geometric_mean_probability():
    judgement = judged({"logprob_sum": math.log(0.5) + math.log(0.8), "logprob_count": 2}, 0.6).judgement
    assert judgement.confidence == pytest.approx(math.sqrt(0.4))
    assert judgement.score == pytest.approx(math.log(0.4) / 2)
    assert (judgement.threshold, judgement.confidence_kind) == (0.6, "uncalibrated")
    assert judgement.features["mean_logprob"] == judgement.score


@pytest.mark.parametrize(
    ("total", "count"),
    [(None, 4), (-1.0, 0), (-1.0, -1), (math.nan, 4), (math.inf, 4), (-math.inf, 4), (0.5, 4)],
)
def test_what_was_not_measured_is_no_confidence(total, count):
    verdict = judged({"logprob_sum": total, "logprob_count": count}, 0.0)
    assert (verdict.is_released, verdict.reason, verdict.judgement.confidence) == (False, "no_confidence", None)
    assert verdict.judgement.confidence_kind is None


def test_rounding_above_certainty_is_certainty():
    assert judged({"logprob_sum": 1e-7, "logprob_count": 3}, 1.0).judgement.confidence == 1.0


@pytest.mark.parametrize(
    ("answer", "released", "reason"),
    [
        (SURE, True, "confident"),
        ({"logprob_sum": -4.0, "logprob_count": 4}, False, "unsure"),
        ({**SURE, "is_empty": True}, False, "empty_answer"),
        ({**SURE, "is_refusal": True}, False, "unsure"),
        ({"is_refusal": True}, False, "unsure"),
        ({**SURE, "is_tool_calls_only": True, "are_tool_calls_valid": False}, False, "invalid_answer"),
        ({**SURE, "are_tool_calls_valid": False}, False, "invalid_answer"),
        ({**SURE, "is_format_valid": False}, False, "invalid_answer"),
        ({**SURE, "is_format_valid": True}, True, "confident"),
        ({"is_tool_calls_only": True, "are_tool_calls_valid": True}, True, "confident"),
        ({"is_tool_calls_only": True}, False, "no_confidence"),
        ({"are_tool_calls_valid": True}, False, "no_confidence"),
        (
            {"logprob_sum": -4.0, "logprob_count": 4, "is_tool_calls_only": True, "are_tool_calls_valid": True},
            False,
            "unsure",
        ),
        ({**SURE, "finish_reason": "length"}, True, "confident"),
    ],
)
def test_what_becomes_of_an_answer(answer, released, reason):
    verdict = judged(answer)
    assert (verdict.is_released, verdict.reason) == (released, reason)


@pytest.mark.parametrize("answer", [SURE, {"is_tool_calls_only": True, "are_tool_calls_valid": True}])
def test_a_strict_policy_serves_nothing_that_was_not_calibrated(answer):
    verdict = judged(answer, is_strict=True)
    assert (verdict.is_released, verdict.reason) == (False, "uncertified")
    assert judged({**answer, "is_empty": True}, is_strict=True).reason == "empty_answer"


def test_the_threshold_itself_is_enough():
    assert judged(SURE, math.exp(-0.1)).is_released
    assert not judged(SURE, math.nextafter(math.exp(-0.1), 1)).is_released


def test_a_raised_threshold_holds_and_is_shown():
    verdict = judged(SURE, 0.85, raised_by=0.1)
    assert (verdict.reason, verdict.judgement.threshold) == ("unsure", pytest.approx(0.95))
    assert raised(0.9, 0.5) == 1.0
    assert raised(0.9, 0.0) == raised(0.9, -0.5) == 0.9


def test_first_tokens_are_measured_for_the_log_where_they_are_wanted():
    answer = {**SURE, "tokens": TokenEvidence((-0.2, -0.1, -0.1), (True, True, True))}
    features = judged(answer, logged_prefix=2).judgement.features
    assert features["prefix.mean_logprob"] == pytest.approx(-0.15)
    assert features["prefix.tokens"] == 2.0
    assert not any(name.startswith("prefix.") for name in judged(answer).judgement.features)
    assert prefixed({}, 2) == {}


def test_no_prefix_is_judged():
    judge = UncalibratedJudge(0.0)
    assert judge.prefix_tokens == 0
    assert not judge.judge_prefix(AnswerFacts(**SURE), ASKED, {}).is_released


def test_further_questions_are_asked_for_the_log_of_answers_that_are_judged():
    judge = UncalibratedJudge(0.7)
    assert judge.is_within_reach(AnswerFacts(chars=3), ASKED, {})
    assert not judge.is_within_reach(AnswerFacts(is_empty=True), ASKED, {})
    assert not judge.is_within_reach(AnswerFacts(is_tool_calls_only=True, are_tool_calls_valid=True), ASKED, {})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"is_empty": True, "is_refusal": True}, "empty_answer"),
        ({"is_refusal": True, "is_format_valid": False}, "invalid_answer"),
        ({"is_refusal": True}, "unsure"),
        ({}, None),
    ],
)
def test_refused_in_this_order(answer, reason):
    assert refused(AnswerFacts(**answer)) == reason
