"""A number stands for a confidence only where it was measured."""

import math

import pytest

from undertow.policies.confidence import judge_answer, mean_log_probability
from undertow.records.answer import AnswerFacts

SURE = {"logprob_sum": -0.4, "logprob_count": 4}


def test_confidence_is_the_geometric_mean_probability():
    judged = judge_answer(AnswerFacts(logprob_sum=math.log(0.5) + math.log(0.8), logprob_count=2), 0.6).judgement
    assert judged.confidence == pytest.approx(math.sqrt(0.4))
    assert judged.score == pytest.approx(math.log(0.4) / 2)
    assert (judged.threshold, judged.confidence_kind) == (0.6, "uncalibrated")


@pytest.mark.parametrize(
    ("total", "count"),
    [(None, 4), (-1.0, 0), (-1.0, -1), (math.nan, 4), (math.inf, 4), (-math.inf, 4), (0.5, 4)],
)
def test_what_was_not_measured_is_no_confidence(total, count):
    answer = AnswerFacts(logprob_sum=total, logprob_count=count)
    assert mean_log_probability(answer) is None
    verdict = judge_answer(answer, 0.0)
    assert (verdict.is_released, verdict.reason, verdict.judgement.confidence) == (False, "no_confidence", None)
    assert verdict.judgement.confidence_kind is None


def test_rounding_above_certainty_is_certainty():
    assert judge_answer(AnswerFacts(logprob_sum=1e-7, logprob_count=3), 1.0).judgement.confidence == 1.0


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
    verdict = judge_answer(AnswerFacts(**answer), 0.7)
    assert (verdict.is_released, verdict.reason) == (released, reason)


def test_the_threshold_itself_is_enough():
    answer = AnswerFacts(**SURE)
    assert judge_answer(answer, math.exp(-0.1)).is_released
    assert not judge_answer(answer, math.nextafter(math.exp(-0.1), 1)).is_released
