"""What a policy is: a generator that yields commands and is sent what came of them, until an answer was served or given up.

    Classify            -> Classified | ClassifierFailed         ask the policy's classifier (a driver bounds the time)
    Ask(hold=True)      -> Held | Failed                         get a whole answer, show nothing to the caller yet
    Ask(hold=False)     -> Served | Failed                       answer the caller from this tier; Failed only before the first byte
    Release             -> Served                                serve the answer that is held

The driver (live gateway, in-process client, replay, Hypothesis) carries the commands out; it knows no policy, and a policy
knows no clock, network or random state. Every policy keeps three rules, which `tests/conformance` checks for each of them:
it asks upwards only, it never serves an answer whose confidence was not measured as if it were confident, and after a
failure of a tier it asks the next dearer one.
"""

from collections.abc import Generator
from typing import Protocol

import msgspec

from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """How an answer or a request was judged; absent numbers are None, and then the policy escalates.

    Attributes:
        score: The raw number.
        confidence: In [0, 1].
        threshold: What it was compared with.
        confidence_kind: `calibrated`, `uncalibrated`, or None where there is no confidence.
    """

    score: float | None = None
    confidence: float | None = None
    threshold: float | None = None
    confidence_kind: str | None = None


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
    """

    tier: str
    hold: bool
    reason: str
    judgement: Judgement = NOT_JUDGED
    propensity: float | None = 1.0
    escalated: bool = False


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


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The tier could not answer, and the caller has seen nothing of it."""

    kind: str


class Served(msgspec.Struct, frozen=True, gc=False):
    """The caller has the answer, or what could be delivered of it."""


Command = Classify | Ask | Release
Event = Classified | ClassifierFailed | Held | Failed | Served
Steps = Generator[Command, Event, None]
"""One decision being taken. Ends after Served, or after Failed of the last tier."""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """Under which circumstances a policy decides.

    Attributes:
        tiers: Tiers that can be used for this request, cheapest first, never empty; the last is the capable one. Constraints
            have been applied: with `eligible` false there is no cheaper tier in it than allowed.
        eligible: Constraints allowed the cheap tier.
        is_holdout: The unit is held out: the capable tier answers if it would have been eligible.
        treatment_probability: Probability of not being held out, in (0, 1].
        draw: Uniform number in [0, 1), a hash of the unit: the same for the same unit.
    """

    tiers: tuple[str, ...]
    eligible: bool
    is_holdout: bool
    treatment_probability: float
    draw: float


class Policy(Protocol):
    """Decides who answers."""

    name: str
    version: str
    needs_confidence: bool
    """Whether held answers should come with log-probabilities."""

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
