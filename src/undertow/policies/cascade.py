"""Ask the cheap tier, judge its whole answer, and serve it only if it is confident; else go up."""

from dataclasses import dataclass

from undertow.policies.base import NOT_JUDGED, Ask, Held, Release, Setting, Steps, ask_upwards
from undertow.policies.confidence import judge_answer
from undertow.policies.holdout import serve_constrained, serve_holdout
from undertow.records.request import RequestFacts


@dataclass(slots=True)
class CascadePolicy:
    """Hold each tier's answer but the last's, release the first that is confident.

    Propensities: a released answer would not have been served in the holdout arm, so it has the probability of treatment; a
    capable answer that replaces a judged one would have been served in either arm, so 1. In the holdout arm nobody knows
    what the cheap answer would have been, and after a failure nobody knows whether it would have failed again: null.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        threshold: Least confidence that is served, in [0, 1].
        needs_confidence: Always: held answers need log-probabilities.
    """

    name: str
    version: str
    threshold: float
    needs_confidence: bool = True

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:  # noqa: ARG002 (the answer is judged, not the request)
        """Start one decision."""
        if not setting.eligible:
            yield from serve_constrained(setting)
            return
        if setting.is_holdout:
            yield from serve_holdout(setting, None)
            return
        reason, judgement, escalated, has_failed = "cascade", NOT_JUDGED, False, False
        for tier in setting.tiers[:-1]:
            propensity = None if has_failed else setting.treatment_probability
            event = yield Ask(tier, True, reason, judgement, propensity, escalated)
            if not isinstance(event, Held):
                reason, has_failed = "upstream_error", True
                continue
            verdict = judge_answer(event.answer, self.threshold)
            reason, judgement = verdict.reason, verdict.judgement
            if verdict.is_released:
                yield Release(tier, reason, judgement, propensity, escalated)
                return
            escalated = True
        propensity = None if has_failed else 1.0
        yield from ask_upwards(setting.tiers[-1:], reason, judgement, propensity, escalated=escalated)
