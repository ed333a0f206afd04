"""What becomes of a held answer, and the uncalibrated confidence by which that is decided until there is a calibration.

Uncalibrated confidence is the geometric mean probability of the answer's tokens; the score is their mean log-probability. It orders
answers of one kind well and means little across kinds, which is why records and pages mark it `uncalibrated`.
"""

import math
from collections.abc import Mapping
from typing import Protocol

import msgspec

from undertow.policies.base import NOT_JUDGED, Judgement
from undertow.policies.evidence import PREFIX, features_of, mean_log_probability, prefix_features_of
from undertow.records.answer import SUM_OF_LOGPROBS, AnswerFacts, Evidence
from undertow.records.request import RequestFacts


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


class Judge(Protocol):
    """Judges the answers of one tier."""

    @property
    def needs(self) -> Evidence:
        """What its answers should come with."""
        ...

    @property
    def prefix_tokens(self) -> int:
        """How many of an answer's first tokens it can judge; 0: none."""
        ...

    def judge(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> Verdict:
        """What becomes of a whole answer. Called once for each: scores are watched.

        Args:
            answer: The held answer.
            facts: The request.
            measured: Features that were measured beside it (`undertow.policies.evidence.MEASURED`).
            raised_by: Added to the threshold, at least 0; never lowers it.
        """
        ...

    def is_within_reach(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> bool:
        """Whether a further call for features that cost one could still change what becomes of the answer, or tell a later calibration."""
        ...

    def judge_prefix(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> Verdict:
        """What can be said of an answer by its first tokens: `is_released` if it may be served already."""
        ...


def refused(answer: AnswerFacts) -> str | None:
    """Why an answer is served under no threshold: `empty_answer`, `invalid_answer` (a tool call or a demanded format that is not kept), `unsure`
    (a refusal); None: its confidence decides.

    Examples:
        >>> refused(AnswerFacts(is_empty=True)), refused(AnswerFacts(is_format_valid=False)), refused(AnswerFacts(chars=3))
        ('empty_answer', 'invalid_answer', None)
    """
    if answer.is_empty:
        return "empty_answer"
    if answer.are_tool_calls_valid is False or answer.is_format_valid is False:
        return "invalid_answer"
    return "unsure" if answer.is_refusal else None


def raised(threshold: float, raised_by: float) -> float:
    """A threshold with what is added to it, at most 1 and never below itself.

    Examples:
        >>> raised(0.7, 0.1), raised(0.95, 0.1), raised(0.7, -1.0)
        (0.7999999999999999, 1.0, 0.7)
    """
    return max(threshold, min(threshold + raised_by, 1.0))


def prefixed(features: Mapping[str, float], tokens: int) -> dict[str, float]:
    """Features of an answer's first tokens, by the names that they have in the log.

    Examples:
        >>> prefixed({"mean_logprob": -0.5}, 16), prefixed({}, 16)
        ({'prefix.mean_logprob': -0.5, 'prefix.tokens': 16.0}, {})
    """
    if not features:
        return {}
    return {f"{PREFIX}{name}": value for name, value in features.items()} | {f"{PREFIX}tokens": float(tokens)}


class UncalibratedJudge(msgspec.Struct, frozen=True):
    """Judges by the geometric mean probability of the tokens.

    In this order: what is served under no threshold (`refused`); then the confidence where one was measured. An answer of valid tool calls
    alone needs no log-probabilities: its signature was checked instead. A strict policy serves nothing that was not calibrated.

    Attributes:
        threshold: Least confidence that is served, in [0, 1].
        needs: What answers should come with: beside log-probabilities what the log is to have for a calibration to come.
        is_strict: Serve nothing.
        logged_prefix: Of how many first tokens features go into the log; 0: none.
        prefix_tokens: None is judged early.
    """

    threshold: float
    needs: Evidence = SUM_OF_LOGPROBS
    is_strict: bool = False
    logged_prefix: int = 0
    prefix_tokens: int = 0

    def judge(
        self, answer: AnswerFacts, facts: RequestFacts, measured: Mapping[str, float], raised_by: float = 0.0
    ) -> Verdict:
        """What becomes of a whole answer.

        Examples:
            >>> asked = RequestFacts("chat.completions", "auto")
            >>> UncalibratedJudge(0.7).judge(AnswerFacts(logprob_sum=-0.4, logprob_count=4), asked, {}).reason
            'confident'
            >>> UncalibratedJudge(0.0).judge(AnswerFacts(), asked, {}).reason
            'no_confidence'
        """
        features = features_of(answer, facts, measured)
        if self.logged_prefix:
            features |= prefixed(prefix_features_of(answer, facts, measured, self.logged_prefix), self.logged_prefix)
        threshold = raised(self.threshold, raised_by)
        score = mean_log_probability(answer)
        confidence = None if score is None else math.exp(score)
        judgement = Judgement(
            score,
            confidence,
            threshold,
            None if score is None else "uncalibrated",
            features=features or None,
        )
        reason = refused(answer)
        if reason is not None:
            return Verdict(is_released=False, reason=reason, judgement=judgement)
        is_checked = answer.is_tool_calls_only and answer.are_tool_calls_valid is True
        if confidence is None and not is_checked:
            return Verdict(is_released=False, reason="no_confidence", judgement=judgement)
        if self.is_strict:
            return Verdict(is_released=False, reason="uncertified", judgement=judgement)
        is_confident = confidence is None or confidence >= threshold
        return Verdict(is_confident, "confident" if is_confident else "unsure", judgement)

    def is_within_reach(
        self,
        answer: AnswerFacts,
        facts: RequestFacts,  # noqa: ARG002 (one threshold for all requests)
        measured: Mapping[str, float],  # noqa: ARG002 (none of them enters this confidence)
        raised_by: float = 0.0,  # noqa: ARG002
    ) -> bool:
        """Always where the confidence decides: the calls change nothing yet, and are made for the log of a calibration to come."""
        return refused(answer) is None and not answer.is_tool_calls_only

    def judge_prefix(
        self,
        answer: AnswerFacts,  # noqa: ARG002 (nothing was calibrated on prefixes)
        facts: RequestFacts,  # noqa: ARG002
        measured: Mapping[str, float],  # noqa: ARG002
        raised_by: float = 0.0,  # noqa: ARG002
    ) -> Verdict:
        """Nothing: an uncalibrated prefix is no ground for serving."""
        return Verdict(is_released=False, reason="no_confidence", judgement=NOT_JUDGED)
