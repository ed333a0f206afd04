"""Upstreams that refuse to give log-probabilities: seen by their error, and remembered for a while.

Some servers answer a request that asks for `logprobs` or `top_logprobs` with an error instead of leaving them out. Such a tier is
asked once more without; its answer then has no confidence, so a cascade goes up, which is the safe side.
"""

import msgspec

from undertow.ports.upstream import UpstreamFailedError
from undertow.ports.wire import ReadRequest
from undertow.records.answer import Evidence

REMEMBERED_S = 600.0
"""As long a tier is not asked for them again: not every request pays twice, and an upstream that was mended is found out."""
REFUSALS = frozenset({400, 422})
"""HTTP statuses with which a parameter is refused."""
NAMES = (b"logprobs", b"top_logprobs")


def names_log_probabilities(error: UpstreamFailedError) -> bool:
    """Whether an upstream's error is about being asked for log-probabilities.

    Examples:
        >>> body = b'{"error": {"message": "logprobs is not supported", "param": "logprobs"}}'
        >>> names_log_probabilities(UpstreamFailedError("status", status=400, body=body))
        True
        >>> names_log_probabilities(UpstreamFailedError("status", status=503, body=body))
        False
    """
    return error.kind == "status" and error.status in REFUSALS and any(name in error.body for name in NAMES)


def without_log_probabilities(evidence: Evidence) -> Evidence:
    """What can be kept of an answer that comes without them.

    Examples:
        >>> without_log_probabilities(Evidence(logprobs=True, alternatives=5, tokens=True, text=True))
        Evidence(logprobs=False, alternatives=0, tokens=False, text=True)
    """
    return msgspec.structs.replace(evidence, logprobs=False, alternatives=0, tokens=False)


def caller_asked(request: ReadRequest) -> bool:
    """Whether the caller's own fields speak of log-probabilities: an error about them may then be the caller's."""
    return request.wants_logprobs or "logprobs" in request.fields or "top_logprobs" in request.fields


class LogProbabilityRefusals:
    """The tiers that refused lately. One per process.

    Examples:
        >>> refusals = LogProbabilityRefusals()
        >>> refusals.note("cheap", now_s=0.0)
        >>> asked = Evidence(logprobs=True)
        >>> [refusals.granted("cheap", asked, now_s=at).logprobs for at in (599.0, 600.0)]
        [False, True]
    """

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def note(self, tier: str, now_s: float) -> None:
        """A tier refused, and answered without them."""
        self._until_s[tier] = now_s + REMEMBERED_S

    def granted(self, tier: str, evidence: Evidence, now_s: float) -> Evidence:
        """What a tier can be asked for now."""
        until_s = self._until_s.get(tier) if evidence.logprobs else None
        if until_s is None:
            return evidence
        if now_s >= until_s:
            del self._until_s[tier]
            return evidence
        return without_log_probabilities(evidence)
