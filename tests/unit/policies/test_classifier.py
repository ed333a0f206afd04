"""A request is cheap only where the classifier said so, in time and with a probability."""

import pytest
from msgspec.structs import replace

from conformance.check_policy import World, drive
from undertow.policies.base import Classified, ClassifierFailed, Classify, Setting
from undertow.policies.classifier import ClassifierPolicy, RulesPolicy
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts

TIERS = ("small", "medium", "large")
ANSWERS = dict.fromkeys(TIERS, AnswerFacts())


def setting(*, is_holdout=False, eligible=True):
    return Setting(TIERS if eligible else ("large",), eligible, is_holdout, 0.9, 0.5)


def classified(event, **options):
    facts = RequestFacts("chat.completions", "auto")
    return drive(ClassifierPolicy("auto", "v", 0.7, 30.0), facts, setting(**options), World(ANSWERS, event))


@pytest.mark.parametrize(
    ("event", "by", "reason", "propensity"),
    [
        (Classified(0.7), "small", "easy", 0.9),
        (Classified(0.69), "large", "hard", 1.0),
        (Classified(float("nan")), "large", "classifier_error", 1.0),
        (Classified(1.5), "large", "classifier_error", 1.0),
        (ClassifierFailed("classifier_late"), "large", "classifier_late", 1.0),
        (ClassifierFailed("classifier_absent"), "large", "classifier_absent", 1.0),
        (ClassifierFailed("something else"), "large", "classifier_error", 1.0),
    ],
)
def test_who_answers(event, by, reason, propensity):
    served = classified(event).served
    assert (served.tier, served.reason, served.propensity) == (by, reason, propensity)


def test_the_number_is_logged_in_both_arms():
    treated, held_out = classified(Classified(0.8)).served, classified(Classified(0.8), is_holdout=True).served
    assert treated.judgement == held_out.judgement
    assert (treated.judgement.confidence, treated.judgement.confidence_kind) == (0.8, "uncalibrated")
    assert (held_out.tier, held_out.reason) == ("large", "holdout")
    assert held_out.propensity == pytest.approx(0.1)
    assert classified(Classified(0.1), is_holdout=True).served.propensity == 1.0


def test_it_is_given_its_deadline_and_not_asked_for_the_ineligible():
    assert classified(Classified(0.8)).steps[0][0] == Classify(30.0)
    assert [type(command).__name__ for command, _ in classified(Classified(0.8), eligible=False).steps] == ["Ask"]


@pytest.mark.parametrize(
    ("segment", "by", "reason"),
    [
        ({"intent": "faq"}, "small", "rule"),
        ({"intent": "billing", "plan": "free"}, "small", "rule"),
        ({"intent": "billing"}, "large", "no_rule"),
        ({}, "large", "no_rule"),
    ],
)
def test_rules(segment, by, reason):
    policy = RulesPolicy("auto", "v", frozenset({"intent=faq", "plan=free"}))
    facts = RequestFacts("chat.completions", "auto", segment=segment)
    served = drive(policy, facts, setting(), World(ANSWERS)).served
    assert (served.tier, served.reason, served.propensity) == (by, reason, 0.9 if by == "small" else 1.0)
    held_out = drive(policy, facts, setting(is_holdout=True), World(ANSWERS)).served
    assert held_out.propensity == pytest.approx(0.1 if by == "small" else 1.0)
    assert drive(policy, facts, setting(eligible=False), World(ANSWERS)).served.reason == "constraint"


@pytest.mark.parametrize(("raised_by", "tier"), [(0.0, "small"), (0.1, "small"), (0.2, "large"), (1.0, "large")])
def test_a_raise_of_the_guard_adds_to_the_threshold(raised_by, tier):
    facts = RequestFacts("chat.completions", "auto")
    raised = replace(setting(), raised_by=raised_by)
    served = drive(ClassifierPolicy("auto", "v", 0.7, 30.0), facts, raised, World(ANSWERS, Classified(0.85))).served
    assert served.tier == tier
    assert served.judgement.threshold == min(0.7 + raised_by, 1.0)
    rules = RulesPolicy("auto", "v", frozenset({"intent=faq"}))
    by_rule = drive(rules, replace(facts, segment={"intent": "faq"}), raised, World(ANSWERS)).served
    assert by_rule.tier == "small", "rules have no confidence to raise"
