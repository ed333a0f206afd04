"""A cheap answer is served only where it was measured and confident."""

import pytest

from conformance.check_policy import World, drive
from undertow.policies.base import Ask, Setting
from undertow.policies.cascade import CascadePolicy
from undertow.records.answer import AnswerFacts
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
