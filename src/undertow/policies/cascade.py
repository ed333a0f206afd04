"""Ask the cheap tier, judge its answer, and serve it only if it is confident; else go up."""

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from undertow.policies.base import (
    NOT_JUDGED,
    Ask,
    Begun,
    Checked,
    Classified,
    Classify,
    Command,
    Commit,
    Event,
    Held,
    Judgement,
    Race,
    Release,
    Sample,
    Sampled,
    SelfCheck,
    Setting,
    Steps,
    Wait,
    ask_upwards,
)
from undertow.policies.confidence import Judge, UncalibratedJudge
from undertow.policies.evidence import joined
from undertow.policies.holdout import serve_constrained, serve_holdout
from undertow.records.answer import SUM_OF_LOGPROBS, Evidence
from undertow.records.request import RequestFacts

POOR_SHARE = 0.5
"""Of the threshold: below it a beginning is poor, where `race_below` does not say otherwise."""

_BLOCKED = frozenset({"calibration_void", "uncertified", "other_model"})
"""Reasons that the rest of an answer cannot change."""


class Ways(msgspec.Struct, frozen=True, gc=False):
    """How a cascade goes about it, beside its threshold.

    Attributes:
        streaming: `hold`: a stream is judged as a whole; `commit`: it is served once its first tokens are confident; `race`: the capable tier is
            started beside it once they are poor.
        race_below: Confidence below which first tokens are poor; None: half the threshold.
        self_check: Ask the cheap tier whether its own answer is right.
        samples: How many more answers to ask it for, to see how often they agree; 0: none.
        predicts: Ask the policy's classifier first, and go straight up where it gives the cheap tier no chance.
        skip_below: Probability of being easy below which that is so, in [0, 1].
        deadline_ms: How long the classifier may take.
        hysteresis: Added to the threshold where another tier answered the conversation's last turn, at least 0.
        is_strict: Serve nothing of a tier without a calibration.
        evidence: What held answers should come with at least, so that a calibration to come finds it in the log.
        logged_prefix: Of how many first tokens features go into the log of a tier without a calibration; 0: none.
    """

    streaming: Literal["hold", "commit", "race"] = "hold"
    race_below: float | None = None
    self_check: bool = False
    samples: int = 0
    predicts: bool = False
    skip_below: float = 0.1
    deadline_ms: float = 30.0
    hysteresis: float = 0.0
    is_strict: bool = False
    evidence: Evidence = SUM_OF_LOGPROBS
    logged_prefix: int = 0


PLAIN = Ways()


class _Attempt(msgspec.Struct, frozen=True, gc=False):
    """What has come of the decision so far; `judged` is the tier whose answer `judgement` is of."""

    judged: str | None = None
    reason: str = "cascade"
    judgement: Judgement = NOT_JUDGED
    escalated: bool = False
    has_failed: bool = False


@dataclass(slots=True)
class CascadePolicy:
    """Hold each tier's answer but the last's, release the first that is confident.

    Propensities: a released or committed answer would not have been served in the holdout arm, so it has the probability of treatment; a
    capable answer that replaces a judged one would have been served in either arm, so 1; so would one that was served since the request is
    hopeless or the conversation stays with its tier. What came before in the conversation is given, not chance: a unit is in one arm for
    good, so in the treatment arm its earlier turns are what they would always have been. In the holdout arm nobody knows what the
    cheap answer would have been, nor what the conversation would have come to, unless the request is hopeless, which is known before any
    answer; and after a failure nobody knows whether it would have failed again: null.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        threshold: Least confidence that is served of a tier without a calibration, in [0, 1].
        judges: By tier; a tier without one is judged by its uncalibrated confidence.
        ways: How it goes about it.
        needs: What held answers should come with.
    """

    name: str
    version: str
    threshold: float
    judges: Mapping[str, Judge] = field(default_factory=dict)
    ways: Ways = PLAIN
    needs: Evidence = field(init=False)
    _plain: Judge = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ways = self.ways
        self._plain = UncalibratedJudge(self.threshold, ways.evidence, ways.is_strict, ways.logged_prefix)
        needs = self._plain.needs
        for judge in self.judges.values():
            needs = joined(needs, judge.needs)
        if ways.self_check or ways.samples:
            needs = joined(needs, Evidence(text=True))
        self.needs = needs

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:
        """Start one decision."""
        if not setting.eligible:
            yield from serve_constrained(setting)
            return
        capable = setting.tiers[-1:]
        stays = setting.stays and setting.last_tier == capable[0]
        measured: dict[str, float] = {}
        is_hopeless = False
        if self.ways.predicts and len(setting.tiers) > 1 and (setting.is_holdout or not stays):
            event = yield Classify(self.ways.deadline_ms)
            # Absent, late or broken: the cheap tier is asked, and its answer is judged as ever.
            if isinstance(event, Classified) and 0.0 <= event.probability <= 1.0:
                measured["predicted"] = event.probability
                is_hopeless = event.probability < self.ways.skip_below
        hopeless = Judgement(threshold=self.ways.skip_below, features=measured or None)
        if setting.is_holdout:
            yield from serve_holdout(setting, 1.0 if is_hopeless else None, hopeless if is_hopeless else NOT_JUDGED)
        elif stays:
            yield from ask_upwards(capable, "session")
        elif is_hopeless:
            yield from ask_upwards(capable, "hopeless", hopeless)
        else:
            yield from self._cascade(facts, setting, measured)

    def _cascade(self, facts: RequestFacts, setting: Setting, measured: Mapping[str, float]) -> Steps:
        attempt = _Attempt()
        for place, tier in enumerate(setting.tiers[:-1]):
            after = yield from self._attempt(attempt, facts, setting, place, tier, measured)
            if after is None:
                return
            attempt = after
        yield from ask_upwards(
            setting.tiers[-1:],
            attempt.reason,
            attempt.judgement,
            None if attempt.has_failed else 1.0,
            escalated=attempt.escalated,
        )

    def _attempt(
        self,
        before: _Attempt,
        facts: RequestFacts,
        setting: Setting,
        place: int,
        tier: str,
        measured: Mapping[str, float],
    ) -> Generator[Command, Event, _Attempt | None]:
        """Ask one tier; None: its answer was served."""
        judge = self.judges.get(tier, self._plain)
        propensity = None if before.has_failed else setting.treatment_probability
        raised_by = setting.raised_by + (0.0 if setting.last_tier in {None, tier} else self.ways.hysteresis)
        begun_tokens = self._begun_tokens(judge, facts)
        event = yield Ask(tier, True, before.reason, before.judgement, propensity, before.escalated, begun_tokens)
        if isinstance(event, Begun):
            verdict = judge.judge_prefix(event.answer, facts, measured, raised_by)
            if self.ways.streaming == "commit" and verdict.is_released:
                yield Commit(
                    tier, verdict.reason, _with_earlier(verdict.judgement, before), propensity, before.escalated
                )
                return None
            # Only beside the last of the cheap tiers: the rival's answer is served without being judged.
            is_last = place == len(setting.tiers) - 2
            if self.ways.streaming == "race" and is_last and self._is_poor(verdict.reason, verdict.judgement):
                event = yield Race(tier, setting.tiers[place + 1])
            else:
                event = yield Wait(tier)
        if not isinstance(event, Held):
            return msgspec.structs.replace(before, reason="upstream_error", has_failed=True)
        measured = yield from self._measure(judge, tier, event, facts, measured, raised_by)
        verdict = judge.judge(event.answer, facts, measured, raised_by)
        if verdict.is_released:
            yield Release(tier, verdict.reason, _with_earlier(verdict.judgement, before), propensity, before.escalated)
            return None
        judgement = _with_earlier(verdict.judgement, before)
        return _Attempt(tier, verdict.reason, judgement, escalated=True, has_failed=before.has_failed)

    def _begun_tokens(self, judge: Judge, facts: RequestFacts) -> int:
        """After how many tokens a stream is looked at; 0: not before its end."""
        if self.ways.streaming == "hold" or not facts.wants_stream:
            return 0
        if self.ways.streaming == "commit" and (facts.has_tools or facts.has_media or facts.has_format):
            return 0  # a tool call or a demanded format can only be checked whole
        return judge.prefix_tokens

    def _is_poor(self, reason: str, judgement: Judgement) -> bool:
        """Whether the capable tier's answer will probably be needed. An unknown confidence is no ground for paying twice."""
        if reason in _BLOCKED:
            return True
        if judgement.confidence is None or judgement.threshold is None:
            return False
        below = self.ways.race_below
        return judgement.confidence < (judgement.threshold * POOR_SHARE if below is None else below)

    def _measure(
        self,
        judge: Judge,
        tier: str,
        held: Held,
        facts: RequestFacts,
        measured: Mapping[str, float],
        raised_by: float,
    ) -> Generator[Command, Event, Mapping[str, float]]:
        """Make the further calls that the policy asks for, as long as they can still serve the answer: each costs as much as a request."""
        if self.ways.self_check and judge.is_within_reach(held.answer, facts, measured, raised_by):
            event = yield SelfCheck(tier)
            if isinstance(event, Checked) and event.p_true is not None and math.isfinite(event.p_true):
                measured = {**measured, "p_true": event.p_true}
        if self.ways.samples and judge.is_within_reach(held.answer, facts, measured, raised_by):
            event = yield Sample(tier, self.ways.samples)
            if isinstance(event, Sampled) and event.agreement is not None and math.isfinite(event.agreement):
                measured = {**measured, "agreement": event.agreement}
        return measured


def _with_earlier(judgement: Judgement, before: _Attempt) -> Judgement:
    """A judgement with the features of the answers that cheaper tiers gave before, each as `TIER/NAME`: each tier's calibration needs its own.

    Examples:
        >>> earlier = _Attempt("cheap", judgement=Judgement(features={"mean_logprob": -0.5}))
        >>> _with_earlier(Judgement(features={"mean_logprob": -0.1}), earlier).features
        {'cheap/mean_logprob': -0.5, 'mean_logprob': -0.1}
    """
    earlier = before.judgement.features
    if before.judged is None or not earlier:
        return judgement
    kept = {name if "/" in name else f"{before.judged}/{name}": value for name, value in earlier.items()}
    return msgspec.structs.replace(judgement, features=kept | (judgement.features or {}))
