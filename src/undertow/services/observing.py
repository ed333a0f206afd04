"""Mode observe: what a policy would have served, told from the answer that the caller asked for, and from nothing that costs more."""

from undertow.policies.base import (
    NOT_JUDGED,
    Ask,
    Checked,
    Classify,
    Held,
    Judgement,
    Release,
    Sample,
    Sampled,
    SelfCheck,
    Steps,
)
from undertow.records.answer import AnswerFacts
from undertow.services.classifying import classify
from undertow.services.routing import Incoming, RouterParts


class Observation:
    """A policy that decides beside a request which it does not route.

    Args:
        steps: Its decision, which waits for what comes of `ask`.
        ask: The tier that it would ask first, or None: it did not come so far.
    """

    __slots__ = ("_ask", "_steps")

    def __init__(self, steps: Steps, ask: Ask | None) -> None:
        self._steps = steps
        self._ask = ask

    @classmethod
    async def begin(cls, parts: RouterParts, incoming: Incoming) -> "Observation":
        """Let the policy of a request decide as far as that takes no tier."""
        policy = incoming.placement.policy
        assert policy is not None, "there is a policy to observe"
        steps = policy.decide(incoming.facts, incoming.placement.setting)
        command = next(steps)
        while isinstance(command, Classify):
            command = steps.send(await classify(parts, incoming, command))
        return cls(steps, command if isinstance(command, Ask) else None)

    @property
    def judgement(self) -> Judgement:
        """What the policy knows before any answer."""
        return self._ask.judgement if self._ask is not None else NOT_JUDGED

    def decided(self, facts: AnswerFacts | None, served_tier: str | None) -> tuple[str | None, Judgement]:
        """What the policy would have served, and its judgement; tier None where only a further call could tell. To be asked once.

        Args:
            facts: The whole answer that was served; None: none was, or only a part of one.
            served_tier: The tier that it came from.
        """
        ask, self._ask = self._ask, None
        if ask is None:  # the policy could not even begin to decide
            return None, NOT_JUDGED
        if not ask.hold:
            return ask.tier, ask.judgement
        if facts is None or served_tier != ask.tier:
            return None, ask.judgement
        command = self._steps.send(Held(facts))
        while isinstance(command, SelfCheck | Sample):  # whoever only watches pays for no further call
            command = self._steps.send(Checked(None) if isinstance(command, SelfCheck) else Sampled(None))
        if isinstance(command, Release) or (isinstance(command, Ask) and not command.hold):
            return command.tier, command.judgement
        return None, NOT_JUDGED
