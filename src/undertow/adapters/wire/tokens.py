"""Evidence token by token: what an upstream said of each token of its answer, where a policy looks at more than the sum."""

import math

import msgspec

from undertow.adapters.wire.body import decode
from undertow.records.answer import TokenEvidence

MAX_TOKENS = 4_096
"""Of the answer's beginning; what comes after is in the sum only."""

_ROUNDING = 1e-6
"""So much above 0 may a log-probability be."""
_EXCESS = 1e-3
"""So much above 1 may the probabilities of alternatives add up to; single precision and rounding."""


class _Alternative(msgspec.Struct, gc=False):
    logprob: float


class _Token(msgspec.Struct, gc=False):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


class _Choice(msgspec.Struct, gc=False):
    content: list[_Token] | None = None
    refusal: list[_Token] | None = None


_TOKENS = msgspec.json.Decoder(list[_Token])
_CHOICE = msgspec.json.Decoder(_Choice)


class TokenCollector:
    """Collects the tokens of one answer. One token that makes no sense, or is missing, and there is no evidence at all.

    Examples:
        >>> collector = TokenCollector()
        >>> collector.add_choice(msgspec.Raw(b'{"content": [{"token": "No", "logprob": -0.5}, {"token": ".", "logprob": -0.1}]}'))
        >>> collector.evidence()
        TokenEvidence(logprobs=(-0.5, -0.1), is_content=(True, False), margins=(), entropies=())
    """

    __slots__ = ("_entropies", "_has_alternatives", "_is_content", "_logprobs", "_margins", "is_broken")

    def __init__(self) -> None:
        self.is_broken = False
        self._logprobs: list[float] = []
        self._is_content: list[bool] = []
        self._margins: list[float] = []
        self._entropies: list[float] = []
        self._has_alternatives = True

    def add_choice(self, value: msgspec.Raw) -> None:
        """The `logprobs` of a chat choice, or of a piece of it."""
        if self._is_done():
            return
        try:
            found = decode(_CHOICE, value)
        except ValueError:
            self.is_broken = True
            return
        self._add([*(found.content or ()), *(found.refusal or ())])

    def add_list(self, value: msgspec.Raw) -> None:
        """A plain list of tokens, as the responses API has it."""
        if self._is_done():
            return
        try:
            self._add(decode(_TOKENS, value))
        except ValueError:
            self.is_broken = True

    def evidence(self) -> TokenEvidence | None:
        """What was collected, or None where that is nothing or cannot be relied on."""
        if self.is_broken or not self._logprobs:
            return None
        has_alternatives = self._has_alternatives
        return TokenEvidence(
            logprobs=tuple(self._logprobs),
            is_content=tuple(self._is_content),
            margins=tuple(self._margins) if has_alternatives else (),
            entropies=tuple(self._entropies) if has_alternatives else (),
        )

    def _is_done(self) -> bool:
        return self.is_broken or len(self._logprobs) >= MAX_TOKENS

    def _add(self, tokens: list[_Token]) -> None:
        for token in tokens[: MAX_TOKENS - len(self._logprobs)]:
            if not is_logprob(token.logprob):
                self.is_broken = True
                return
            self._logprobs.append(token.logprob)
            self._is_content.append(any(map(str.isalnum, token.token)))
            if self._has_alternatives:
                self._add_alternatives(token.top_logprobs)

    def _add_alternatives(self, alternatives: list[_Alternative] | None) -> None:
        if not alternatives:
            self._has_alternatives = False
            return
        if not all(is_logprob(alternative.logprob) for alternative in alternatives):
            self.is_broken = True
            return
        probs = sorted((math.exp(min(alternative.logprob, 0.0)) for alternative in alternatives), reverse=True)
        rest = 1.0 - sum(probs)
        if rest < -_EXCESS:
            self.is_broken = True
        elif len(probs) == 1 and rest > _ROUNDING:
            self._has_alternatives = False  # there is a next one, and nothing is known of it
        else:
            self._margins.append(probs[0] - (probs[1] if len(probs) > 1 else 0.0))
            entropy = -sum(prob * math.log(prob) for prob in [*probs, rest] if prob > 0)
            self._entropies.append(max(0.0, entropy))


def is_logprob(value: float) -> bool:
    """Whether a number can be a log-probability: finite, and not above 0 but for rounding.

    Examples:
        >>> is_logprob(-0.1), is_logprob(0.2), is_logprob(-math.inf)
        (True, False, False)
    """
    return -math.inf < value <= _ROUNDING
