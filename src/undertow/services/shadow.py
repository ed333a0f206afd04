"""Second answers: the capable tier answers a request that a cheaper one has served, off the request path, to be compared with it.

It gets the caller's request with its tools and parameters, whole and not streamed. Tools that the answer calls are written down as
text and never run. Nothing is sent for a segment that forbids it, nor beyond the day's budget. Whatever becomes of a request, one row
says so: an answer that is missing is missing data, not a good answer.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from undertow.ports.upstream import Upstream, UpstreamFailedError, UpstreamRequest
from undertow.ports.wire import Dialect, ReadRequest, WireError
from undertow.records.answer import AnswerFacts, Evidence, Usage
from undertow.records.moment import rfc3339
from undertow.records.pricing import cost_usd
from undertow.records.serving import TierPlan
from undertow.records.watched import AnswerPair, ShadowRequest, WatchingCall
from undertow.services.watching_budget import CostForecast, WatchingBudget

log = logging.getLogger("undertow.shadow")

TEXT = Evidence(text=True)
FORWARDED = frozenset({"anthropic-beta", "anthropic-version", "openai-beta"})
"""Headers that shape an answer. Trace context is none of them: this call belongs to no trace of the caller's."""
UNCHARGED = frozenset({"connect", "status", "breaker_open", "no_endpoint"})
"""Failures that no upstream charges for; what others cost is not known, so their estimate stays spent."""

FIRST_GUESS_TOKENS = 500
"""Output tokens expected of the first call."""
LONGEST_TOKENS = 16_384
"""Output tokens that an answer hardly ever exceeds where its caller has set no limit."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""Parameters by which a tier sets one for all."""
MEMORY_CALLS = 100
"""Calls after which a new one moves the mean as much as it ever will."""
MAX_KEPT_CHARS = 200_000
MAX_MODEL_CHARS = 200


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What became of a request.

    Attributes:
        call: The row of the call, made or not.
        pair: Both answers; None: there is no second one, or it may not be kept.
        is_unredacted: The redaction hook failed, so the texts are not kept.
    """

    call: WatchingCall
    pair: AnswerPair | None = None
    is_unredacted: bool = False


@dataclass(frozen=True, slots=True)
class ShadowParts:
    """What second answers are made with.

    Attributes:
        tier: The capable tier.
        upstream: Its upstreams, with as few retries as background work should make.
        dialects: Wire formats by endpoint.
        never: `key=value` labels whose requests are never sent again.
        budget: Of the day.
        now: Seconds of a clock that never goes back.
        wall: The time, aware.
        max_nesting: Deepest request that is read.
        redact: Cleans second answers before they are written, or None.
    """

    tier: TierPlan
    upstream: Upstream
    dialects: Mapping[str, Dialect]
    never: frozenset[str]
    budget: WatchingBudget
    now: Callable[[], float]
    wall: Callable[[], datetime]
    max_nesting: int = 100
    redact: Callable[[str], str] | None = None


class ShadowAnswers:
    """Asks the capable tier. Several requests may be under way at a time, in one event loop."""

    def __init__(self, parts: ShadowParts) -> None:
        self._parts = parts
        self._mean_output = float(FIRST_GUESS_TOKENS)
        self._calls = 0

    async def answer(self, request: ShadowRequest) -> Shadowed:
        """Ask for the second answer of a request. Nothing is raised for what upstreams or callers do.

        Raises:
            OSError: The book of the budget cannot be used, so that nothing was asked.
        """
        parts = self._parts
        if not parts.never.isdisjoint(f"{key}={value}" for key, value in request.segment.items()):
            return self.not_made(request, "forbidden")
        made = self._request(request)
        if made is None:
            return self.not_made(request, "unsupported")
        read, asked = made
        reservation = await parts.budget.reserve(self._forecast(read))
        if reservation is None:
            return self.not_made(request, "budget")
        began, facts, status, charged = parts.now(), None, "ok", None
        try:
            answer = await parts.upstream.ask(asked)
            body = await answer.read()
            facts = parts.dialects[request.endpoint].read_answer(read, body, evidence=TEXT).facts
            charged = self._cost(facts.usage)
            self._learn(facts.usage)
        except UpstreamFailedError as failure:
            status, charged = failure.call_status, 0.0 if failure.kind in UNCHARGED else None
        except ValueError:  # HTML, truncated JSON, an error under status 200
            status = "garbage"
        latency_ms = round((parts.now() - began) * 1000, 2)
        await parts.budget.settle(reservation, charged)
        usage = facts.usage if facts is not None else None
        call = WatchingCall(
            decision_id=request.decision_id,
            at=rfc3339(parts.wall()),
            purpose="shadow",
            tier=parts.tier.name,
            segment=request.segment,
            model=self._model(facts),
            input_tokens=usage.input_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cost_usd=self._cost(usage),
            latency_ms=latency_ms,
            status=status,
        )
        return Shadowed(call) if facts is None else self._paired(request, call, facts)

    def not_made(self, request: ShadowRequest, status: str) -> Shadowed:
        """The row of a call that was not made, or was not finished.

        Args:
            request: What it would have been made for.
            status: Why: one of `undertow.records.watched.NOT_MADE`, or `aborted`.
        """
        return Shadowed(
            WatchingCall(
                decision_id=request.decision_id,
                at=rfc3339(self._parts.wall()),
                purpose="shadow",
                tier=self._parts.tier.name,
                segment=request.segment,
                model=self._parts.tier.model,
                status=status,
            )
        )

    def _request(self, request: ShadowRequest) -> tuple[ReadRequest, UpstreamRequest] | None:
        """What is sent, or None where it must not or cannot be."""
        parts, tier = self._parts, self._parts.tier
        dialect = parts.dialects.get(request.endpoint)
        if dialect is None or not parts.upstream.speaks(dialect.kind) or request.tier == tier.name:
            return None
        try:
            read = dialect.read_request(request.body, max_nesting=parts.max_nesting)
        except WireError:
            return None
        body = dialect.shadow_body(read, model=tier.model, parameters=tier.parameters)
        if body is None:
            return None
        headers = tuple((name.encode(), value.encode()) for name, value in request.headers if name in FORWARDED)
        return read, UpstreamRequest(dialect.kind, dialect.path, body, headers)

    def _forecast(self, read: ReadRequest) -> CostForecast | None:
        """What a call will cost: its prompt at the estimate of constraints, which is on the high side, and output as it has been so far."""
        facts, tier = read.facts, self._parts.tier
        limits = [value for name in OUTPUT_LIMITS if isinstance(value := tier.parameters.get(name), int)]
        if not limits and facts.output_limit is not None:
            limits = [facts.output_limit]
        most = max(limits, default=LONGEST_TOKENS)
        if tier.context_tokens is not None:
            most = min(most, max(0, tier.context_tokens - facts.input_tokens))
        expected = cost_usd(tier.prices, Usage(facts.input_tokens, output_tokens=round(min(most, self._mean_output))))
        bound = cost_usd(tier.prices, Usage(facts.input_tokens, output_tokens=most))
        return None if expected is None or bound is None else CostForecast(expected, bound)

    def _learn(self, usage: Usage | None) -> None:
        if usage is None:
            return
        self._calls = min(MEMORY_CALLS, self._calls + 1)
        self._mean_output += (usage.output_tokens - self._mean_output) / self._calls

    def _cost(self, usage: Usage | None) -> float | None:
        return None if usage is None else cost_usd(self._parts.tier.prices, usage)

    def _model(self, facts: AnswerFacts | None) -> str:
        return ((facts.model if facts is not None else None) or self._parts.tier.model)[:MAX_MODEL_CHARS]

    def _paired(self, request: ShadowRequest, call: WatchingCall, facts: AnswerFacts) -> Shadowed:
        reference_answer = self._kept(request, facts.written or "")
        if reference_answer is None:
            return Shadowed(call, is_unredacted=True)
        pair = AnswerPair(
            decision_id=request.decision_id,
            event_time=request.event_time,
            answered_at=call.at,
            tier=request.tier,
            model=request.model,
            reference_tier=call.tier,
            reference_model=call.model,
            segment=request.segment,
            inclusion_probability=request.inclusion_probability,
            stratum=request.stratum,
            confidence=request.confidence,
            novelty=request.novelty,
            prompt=request.prompt[:MAX_KEPT_CHARS],
            answer=request.answer[:MAX_KEPT_CHARS],
            reference_answer=reference_answer,
        )
        return Shadowed(call, pair)

    def _kept(self, request: ShadowRequest, text: str) -> str | None:
        """The second answer as it may be written: through the redaction hook, bounded, and not at all where that fails.

        The other texts have been through it in the worker. A hook that is not the same done twice must not tell the two answers apart.
        """
        redact = self._parts.redact
        if redact is None:
            return text[:MAX_KEPT_CHARS]
        try:
            return msgspec.convert(redact(text), str)[:MAX_KEPT_CHARS]
        except Exception as error:  # noqa: BLE001 (the user's hook: a text that could not be cleaned is not kept)
            # Not its message, nor its traceback: either may quote the text.
            log.error(  # noqa: TRY400
                "redaction_failed", extra={"decision_id": request.decision_id, "error": type(error).__name__}
            )
            return None
