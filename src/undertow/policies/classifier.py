"""Decide before any model runs: by a trained classifier, or by rules on segments."""

import math

import msgspec

from undertow.policies.base import (
    NOT_JUDGED,
    Classified,
    ClassifierFailed,
    Classify,
    Judgement,
    Setting,
    Steps,
    ask_upwards,
)
from undertow.policies.confidence import raised
from undertow.policies.holdout import serve_constrained, serve_holdout
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import RequestFacts

FAILURES = frozenset({"classifier_absent", "classifier_late", "classifier_error"})


class _Choice(msgspec.Struct, frozen=True, gc=False):
    """What the policy would do, before the arm is looked at."""

    is_easy: bool
    reason: str
    judgement: Judgement = NOT_JUDGED


def _serve(choice: _Choice, setting: Setting) -> Steps:
    """Serve by a choice that is known in both arms, so that both bear an exact propensity."""
    treated = setting.treatment_probability
    if setting.is_holdout:
        yield from serve_holdout(setting, 1.0 - treated if choice.is_easy else 1.0, choice.judgement)
    elif choice.is_easy:
        yield from ask_upwards(setting.tiers, choice.reason, choice.judgement, treated)
    else:
        yield from ask_upwards(setting.tiers[-1:], choice.reason, choice.judgement)


class ClassifierPolicy(msgspec.Struct, gc=False):
    """The cheapest tier where the classifier's probability of being easy reaches the threshold, else the capable tier.

    The classifier runs in the holdout arm too: its number is logged in both. Absent, late or failing, the capable tier answers.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        threshold: Least probability that is served cheaply, in [0, 1].
        deadline_ms: How long the classifier may take.
        needs: Nothing of an answer: it is not judged.
    """

    name: str
    version: str
    threshold: float
    deadline_ms: float
    needs: Evidence = NO_EVIDENCE

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:  # noqa: ARG002 (the driver has the text classified)
        """Start one decision."""
        if not setting.eligible:
            yield from serve_constrained(setting)
            return
        event = yield Classify(self.deadline_ms)
        threshold = raised(self.threshold, setting.raised_by)
        match event:
            case Classified(probability) if math.isfinite(probability) and 0.0 <= probability <= 1.0:
                is_easy = probability >= threshold
                judgement = Judgement(probability, probability, threshold, "uncalibrated")
                choice = _Choice(is_easy, "easy" if is_easy else "hard", judgement)
            case ClassifierFailed(reason) if reason in FAILURES:
                choice = _Choice(is_easy=False, reason=reason, judgement=Judgement(threshold=threshold))
            case _:
                choice = _Choice(is_easy=False, reason="classifier_error", judgement=Judgement(threshold=threshold))
        yield from _serve(choice, setting)


class RulesPolicy(msgspec.Struct, gc=False):
    """The cheapest tier for requests that bear one of the labels, the capable tier for all others.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        cheap_segments: Labels `key=value`.
        needs: Nothing of an answer: it is not judged.
    """

    name: str
    version: str
    cheap_segments: frozenset[str]
    needs: Evidence = NO_EVIDENCE

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:
        """Start one decision."""
        if not setting.eligible:
            yield from serve_constrained(setting)
            return
        is_easy = any(f"{key}={value}" in self.cheap_segments for key, value in facts.segment.items())
        yield from _serve(_Choice(is_easy, "rule" if is_easy else "no_rule"), setting)
