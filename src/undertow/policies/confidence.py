"""The uncalibrated confidence of an answer, and what a cascade makes of it.

Confidence is the geometric mean probability of the answer's tokens; the score is their mean log-probability. It orders
answers of one kind well and means little across kinds, which is why records and pages mark it `uncalibrated`.
"""

import math

import msgspec

from undertow.policies.base import Judgement
from undertow.records.answer import AnswerFacts

ROUNDING = 1e-6
"""Servers that compute in 32 bits report log-probabilities a hair above 0; anything beyond is no log-probability."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a held answer.

    Attributes:
        is_released: It is served.
        reason: Why, from `undertow.records.reasons`.
        judgement: The numbers.
    """

    is_released: bool
    reason: str
    judgement: Judgement


def mean_log_probability(answer: AnswerFacts) -> float | None:
    """Mean log-probability of the answer's tokens, at most 0; None where it was not measured or cannot be right.

    Examples:
        >>> mean_log_probability(AnswerFacts(logprob_sum=-1.0, logprob_count=4))
        -0.25
        >>> mean_log_probability(AnswerFacts(logprob_sum=float("nan"), logprob_count=4)) is None
        True
    """
    if answer.logprob_sum is None or answer.logprob_count <= 0:
        return None
    mean = answer.logprob_sum / answer.logprob_count
    return min(mean, 0.0) if math.isfinite(mean) and mean <= ROUNDING else None


def judge_answer(answer: AnswerFacts, threshold: float) -> Verdict:
    """Whether a cheap answer is good enough to be served.

    In this order: an empty answer, a tool call that breaks its signature, a refusal; then the confidence where one was
    measured. An answer of valid tool calls alone needs no log-probabilities: its signature was checked instead.

    Args:
        answer: The held answer.
        threshold: Least confidence that is served, in [0, 1].

    Examples:
        >>> judge_answer(AnswerFacts(logprob_sum=-0.4, logprob_count=4), 0.7).reason
        'confident'
        >>> judge_answer(AnswerFacts(), 0.0).reason
        'no_confidence'
    """
    score = mean_log_probability(answer)
    if score is None:
        judgement = Judgement(threshold=threshold)
    else:
        judgement = Judgement(score, math.exp(score), threshold, "uncalibrated")
    if answer.is_empty:
        return Verdict(is_released=False, reason="empty_answer", judgement=judgement)
    if answer.are_tool_calls_valid is False:
        return Verdict(is_released=False, reason="invalid_answer", judgement=judgement)
    if answer.is_refusal:
        return Verdict(is_released=False, reason="unsure", judgement=judgement)
    if judgement.confidence is not None:
        is_confident = judgement.confidence >= threshold
        return Verdict(is_confident, "confident" if is_confident else "unsure", judgement)
    if answer.is_tool_calls_only and answer.are_tool_calls_valid:
        return Verdict(is_released=True, reason="confident", judgement=judgement)
    return Verdict(is_released=False, reason="no_confidence", judgement=judgement)
