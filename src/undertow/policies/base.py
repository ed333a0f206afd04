"""What a policy is: a generator that yields commands and is sent what came of them, until an answer was served or given up.

    Classify            -> Classified | ClassifierFailed         ask the policy's classifier (a driver bounds the time)
    Ask(hold=True)      -> Held | Failed | Begun                 get a whole answer, show nothing to the caller yet
    Wait                -> Held | Failed                         after Begun: go on holding the answer that comes
    Race                -> Held | Failed                         after Begun: the same, and start a dearer tier beside it
    Commit              -> Served                                after Begun: serve what has come, and the rest as it comes
    SelfCheck           -> Checked                               after Held: ask the tier whether its own answer is right
    Sample              -> Sampled                               after Held: ask the tier again, and see how often it answers the same
    Ask(hold=False)     -> Served | Failed                       answer the caller from this tier; Failed only before the first byte
    Release             -> Served                                serve the answer that is held

The driver (live gateway, in-process client, replay, Hypothesis) carries the commands out; it knows no policy, and a policy
knows no clock, network or random state. An `Ask(hold=False)` of a tier that a `Race` started takes that answer; a `Release` or a `Commit`
cancels it. Every policy keeps three rules, which `tests/conformance` checks for each of them:
it asks upwards only, it never serves an answer whose confidence was not measured as if it were confident, and after a
failure of a tier it asks the next dearer one.
"""

from collections.abc import Generator
from typing import Protocol

import msgspec

from undertow.records.answer import AnswerFacts, Evidence
from undertow.records.request import RequestFacts


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """How an answer or a request was judged; absent numbers are None, and then the policy escalates.

    Attributes:
        score: The raw number.
        confidence: In [0, 1].
        threshold: What it was compared with.
        confidence_kind: `calibrated`, `uncalibrated`, or None where there is no confidence.
        calibration_version: Of the calibration that made the confidence, or None.
        novelty: Distance of the request from the training distribution, 0 = centre, or None.
        features: What the answer was judged by, for the log; None: nothing was measured.
    """

    score: float | None = None
    confidence: float | None = None
    threshold: float | None = None
    confidence_kind: str | None = None
    calibration_version: str | None = None
    novelty: float | None = None
    features: dict[str, float] | None = None


NOT_JUDGED = Judgement()


class Classify(msgspec.Struct, frozen=True, gc=False):
    """Ask the policy's classifier about the request's text, within `deadline_ms`."""

    deadline_ms: float


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask a tier.

    Attributes:
        tier: Which.
        hold: Keep its whole answer back until it is released; else serve it as it comes.
        reason: Why this tier, from `undertow.records.reasons`.
        judgement: What is known so far.
        propensity: Probability of this tier's being served given what was known, or None where it cannot be computed.
        escalated: A cheaper answer was withheld and is being replaced.
        begun_tokens: With `hold`: tell the policy (`Begun`) once so many tokens of a stream have come, if that is before its end; 0: do
            not. A caller that did not ask for a stream is told nothing early.
    """

    tier: str
    hold: bool
    reason: str
    judgement: Judgement = NOT_JUDGED
    propensity: float | None = 1.0
    escalated: bool = False
    begun_tokens: int = 0


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Go on holding what comes of `tier`."""

    tier: str


class Race(msgspec.Struct, frozen=True, gc=False):
    """Go on holding what comes of `tier`, and ask `rival` beside it, holding that back too."""

    tier: str
    rival: str


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Serve what has come of `tier`'s stream, and the rest as it comes: there is no way back. Fields as for `Ask`."""

    tier: str
    reason: str
    judgement: Judgement = NOT_JUDGED
    propensity: float | None = 1.0
    escalated: bool = False


class SelfCheck(msgspec.Struct, frozen=True, gc=False):
    """Ask `tier` in a follow-up question whether the answer that is held is right (Kadavath et al. 2022, P(True))."""

    tier: str


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Ask `tier` for `samples` more answers to the same request, and compare them with the one that is held (self-consistency)."""

    tier: str
    samples: int


class Release(msgspec.Struct, frozen=True, gc=False):
    """Serve the held answer of `tier`; the other fields as for `Ask`."""

    tier: str
    reason: str
    judgement: Judgement = NOT_JUDGED
    propensity: float | None = 1.0
    escalated: bool = False


class Classified(msgspec.Struct, frozen=True, gc=False):
    """The classifier's probability that the request is easy."""

    probability: float


class ClassifierFailed(msgspec.Struct, frozen=True, gc=False):
    """No probability. `reason` is `classifier_absent`, `classifier_late` or `classifier_error`."""

    reason: str


class Held(msgspec.Struct, frozen=True, gc=False):
    """The whole answer is there and held."""

    answer: AnswerFacts


class Begun(msgspec.Struct, frozen=True, gc=False):
    """The first tokens of a held stream are there: no tool call among them, no end yet."""

    answer: AnswerFacts


class Checked(msgspec.Struct, frozen=True, gc=False):
    """Probability that the tier gave to its own answer's being right; None: it could not be had."""

    p_true: float | None


class Sampled(msgspec.Struct, frozen=True, gc=False):
    """Share of the further answers that agree with the one held, in [0, 1]; None: none could be had."""

    agreement: float | None


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The tier could not answer, and the caller has seen nothing of it."""

    kind: str


class Served(msgspec.Struct, frozen=True, gc=False):
    """The caller has the answer, or what could be delivered of it."""


Command = Classify | Ask | Wait | Race | Commit | SelfCheck | Sample | Release
Event = Classified | ClassifierFailed | Begun | Held | Checked | Sampled | Failed | Served
Steps = Generator[Command, Event, None]
"""One decision being taken. Ends after Served, or after Failed of the last tier."""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """Under which circumstances a policy decides.

    Attributes:
        tiers: Tiers that can be used for this request, cheapest first, never empty; the last is the capable one. Constraints
            have been applied: with `eligible` false there is no cheaper tier in it than allowed.
        eligible: Constraints allowed the cheap tier.
        is_holdout: The unit is held out: the capable tier answers if it would have been eligible.
        treatment_probability: Probability that the policy decides, rather than the holdout or a restriction of the guard, in [0, 1]: that of
            not being held out times the exposure. Only propensities are made from it.
        draw: Uniform number in [0, 1), a hash of the unit: the same for the same unit.
        last_tier: Tier that served the conversation's last answer, as far as this process remembers; None: unknown, or the first.
        stays: The conversation is to stay with `last_tier`: it was moved up lately, or its prompt is cached there and moving would cost more
            than it saves (`undertow.policies.sessions`).
        raised_by: Added to the confidence that a cheap answer needs, in [0, 1].
        kept_for: Reason for which the capable tier answers and the policy is not asked (`undertow.policies.exposure.decided`), or None.
    """

    tiers: tuple[str, ...]
    eligible: bool
    is_holdout: bool
    treatment_probability: float
    draw: float
    last_tier: str | None = None
    stays: bool = False
    raised_by: float = 0.0
    kept_for: str | None = None


class Policy(Protocol):
    """Decides who answers."""

    name: str
    version: str
    needs: Evidence
    """What held answers should come with."""

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:
        """Start one decision."""
        ...


def ask_upwards(
    tiers: tuple[str, ...],
    reason: str,
    judgement: Judgement = NOT_JUDGED,
    propensity: float | None = 1.0,
    *,
    escalated: bool = False,
) -> Steps:
    """Serve from the first of `tiers` that answers; the tail of every policy.

    A tier that failed before the first byte is replaced by the next dearer one, reason `upstream_error`; nobody knows the
    probability of a failure, so its propensity is None.

    Examples:
        >>> steps = ask_upwards(("cheap", "capable"), "fixed")
        >>> next(steps).tier, steps.send(Failed("timeout")).reason
        ('cheap', 'upstream_error')
    """
    for place, tier in enumerate(tiers):
        event = yield Ask(
            tier,
            hold=False,
            reason=reason if place == 0 else "upstream_error",
            judgement=judgement,
            propensity=propensity if place == 0 else None,
            escalated=escalated,
        )
        if isinstance(event, Served):
            return
