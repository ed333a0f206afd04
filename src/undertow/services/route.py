"""Route one request: drive its policy's commands against the upstreams, answer the caller, leave exactly one record.

This is the live driver of `undertow.policies`; the gateway and the in-process client both use it. Order of what matters:

    intent written -> upstream asked -> answer judged -> record written -> last byte sent

so that a process that dies at any moment leaves a record of every request that reached an upstream. A stream that cannot be
finished ends in an error event, never silently and never in a clean end. Whatever goes wrong on the cheap side, a dearer tier
is asked; nothing is ever asked downwards.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

import msgspec

from undertow.policies.base import (
    NOT_JUDGED,
    Ask,
    Classified,
    ClassifierFailed,
    Classify,
    Command,
    Event,
    Failed,
    Held,
    Judgement,
    Policy,
    Release,
    Served,
    Setting,
    Steps,
    ask_upwards,
)
from undertow.ports.classifier import Classifier, ClassifierError
from undertow.ports.decision_log import DecisionLog
from undertow.ports.reply import Reply, ServedBy
from undertow.ports.upstream import Upstream, UpstreamAnswer, UpstreamFailedError, UpstreamRequest
from undertow.ports.wire import Dialect, ReadRequest, StreamPiece, StreamReader
from undertow.records.answer import AnswerFacts, Usage
from undertow.records.decision import Call, DecisionRecord, Intent
from undertow.records.pricing import cost_usd
from undertow.records.request import RequestFacts
from undertow.records.serving import ServingPlan, TierPlan

log = logging.getLogger("undertow.route")

NO_HEADERS: Mapping[bytes, bytes] = {}
END_S = 1.0
"""An upstream may take this long to end its message after the last event; the answer is whole by then."""


class Placement(msgspec.Struct, frozen=True, gc=False):
    """What is settled of a request before its policy decides.

    Attributes:
        policy: Decides; None: the caller named a tier, which is `setting.tiers[0]`.
        mode: `route` or `observe`.
        setting: Tiers that can be used, eligibility, arm and draw.
        arm: `treatment`, `holdout`, or None where nothing is randomised.
        arm_probability: Probability of that arm.
        observed_tier: Mode observe: the tier that the caller asked for, which serves.
        reason: Where no policy decides: why this tier.
    """

    policy: Policy | None
    mode: str
    setting: Setting
    arm: str | None = None
    arm_probability: float | None = None
    observed_tier: str | None = None
    reason: str = "requested"


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """One request to be routed.

    Attributes:
        dialect: Its wire format.
        read: Its body, read.
        facts: What is known of it; ids are pseudonymous, labels complete.
        placement: What is settled already.
        decision_id: Its id.
        event_time: When it arrived, RFC 3339.
        began: The same on the router's clock, in seconds.
        headers: Headers for the upstream (trace context, beta flags).
        key_name: Gateway key that it came with.
        client_retry: How often the caller's client had tried before.
        trace_id, span_id, parent_span_id: Trace context, or None.
        prompt: Text to keep, or None.
    """

    dialect: Dialect
    read: ReadRequest
    facts: RequestFacts
    placement: Placement
    decision_id: str
    event_time: str
    began: float
    headers: tuple[tuple[bytes, bytes], ...] = ()
    key_name: str | None = None
    client_retry: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    prompt: str | None = None


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """What the caller is told when no tier could answer."""

    status: int
    message: str
    code: str


REFUSALS: Mapping[str, Refusal] = {
    "connect": Refusal(502, "the upstream could not be reached", "upstream_unreachable"),
    "timeout": Refusal(504, "the upstream did not answer in time", "upstream_timeout"),
    "cut": Refusal(502, "the upstream's answer ended before it was complete", "upstream_cut"),
    "garbage": Refusal(502, "the upstream sent something that is no answer", "upstream_garbage"),
    "too_large": Refusal(502, "the upstream's answer is larger than this gateway allows", "upstream_too_large"),
    "breaker_open": Refusal(
        503, "the upstream keeps failing and is given a rest; try again shortly", "upstream_resting"
    ),
    "no_endpoint": Refusal(
        400, "no upstream of this tier speaks the wire format of this request", "wire_format_unsupported"
    ),
    "aborted": Refusal(499, "the caller went away", "client_closed"),
    "status": Refusal(502, "the upstream refused the request", "upstream_refused"),
    "internal": Refusal(500, "the gateway failed; the decision id leads to its record", "internal_error"),
}
"""By kind of the last tier's failure."""

FORWARDED_STATUS = frozenset({400, 404, 405, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504, 529})
"""An upstream's status that the caller is shown as it is. 401 and 403 speak of our credentials, which are not the caller's affair."""


@dataclass(frozen=True, slots=True)
class RouterParts:
    """What a router is built from.

    Attributes:
        plan: Tiers, prices and limits.
        upstreams: By tier.
        decisions: Where records go.
        classifiers: By policy; a policy without one gets `classifier_absent`.
        now: Monotonic seconds.
        on_record: Told of every record, with the request and the answer's facts (metrics, budgets, implicit signals).
        length_ratio: (tier, segment) -> mean output tokens of the capable tier over this tier's, or None: not known yet.
        keeps_text: Keep the answers' text in records.
        redact: Cleans text before it is written, or None.
    """

    plan: ServingPlan
    upstreams: Mapping[str, Upstream]
    decisions: DecisionLog
    classifiers: Mapping[str, Classifier]
    now: Callable[[], float]
    on_record: Callable[[DecisionRecord, Incoming, AnswerFacts | None], None]
    length_ratio: Callable[[str, Mapping[str, str]], float | None]
    keeps_text: bool = False
    redact: Callable[[str], str] | None = None


class Router:
    """Routes requests. One per process; holds no state of a request.

    Examples:
        >>> router = Router(parts)  # doctest: +SKIP
        >>> await router.route(incoming, reply)  # doctest: +SKIP
    """

    def __init__(self, parts: RouterParts) -> None:
        self.parts = parts
        self.tiers: dict[str, TierPlan] = {tier.name: tier for tier in parts.plan.tiers}
        self.capable = parts.plan.tiers[-1]

    async def route(self, incoming: Incoming, reply: Reply) -> None:
        """Answer one request. Never raises; every path leaves one record."""
        run = _Run(self, incoming, reply)
        try:
            await run.to_end()
        except _CallerGoneError:
            run.record(None, status="abandoned", error="client_closed")
        except Exception:  # the edge of one request: whatever it was, the caller gets an error and the log a record
            log.exception("request_failed", extra={"decision_id": incoming.decision_id})
            if not run.recorded:
                run.failure = UpstreamFailedError("garbage")
                run.refuse(REFUSALS["internal"], error="internal")
        finally:
            if not run.recorded:  # cancelled: the process is being stopped, or the in-process caller gave up
                run.record_cancelled()

    def price(self, tier: str, usage: Usage | None) -> float | None:
        """What `usage` costs at a tier, or None where price or usage are unknown."""
        return None if usage is None else cost_usd(self.tiers[tier].prices, usage)

    def baseline_usd(self, tier: str, usage: Usage | None, segment: Mapping[str, str]) -> float | None:
        """What the capable tier alone would have cost; None where it cannot be estimated."""
        if usage is None:
            return None
        if tier == self.capable.name:
            return cost_usd(self.capable.prices, usage)
        ratio = self.parts.length_ratio(tier, segment)
        if ratio is None:
            return None
        return cost_usd(
            self.capable.prices,
            Usage(
                input_tokens=usage.input_tokens,
                cached_tokens=usage.cached_tokens,
                audio_input_tokens=usage.audio_input_tokens,
                output_tokens=round(usage.output_tokens * ratio),
            ),
        )


class _Fetched(msgspec.Struct, gc=False):
    """A whole answer, ready to be sent."""

    tier: str
    facts: AnswerFacts
    payload: bytes
    headers: Mapping[bytes, bytes]
    call: int
    """Its place among the calls."""


class _Run:
    """One request on its way: what has been asked, what is held, what was sent."""

    __slots__ = (
        "answer_facts",
        "ask",
        "calls",
        "done",
        "failure",
        "first_tier",
        "held",
        "incoming",
        "observed_steps",
        "recorded",
        "reply",
        "router",
        "sent_chars",
        "ttft_ms",
        "under_way",
    )

    def __init__(self, router: Router, incoming: Incoming, reply: Reply) -> None:
        self.router = router
        self.incoming = incoming
        self.reply = reply
        self.calls: list[Call] = []
        self.held: _Fetched | None = None
        self.ask: Ask | Release | None = None
        self.first_tier: str | None = None
        self.failure: UpstreamFailedError | None = None
        self.done = False
        self.recorded = False
        self.ttft_ms: float | None = None
        self.sent_chars = 0
        self.observed_steps: tuple[Steps, Ask] | None = None
        self.answer_facts: AnswerFacts | None = None
        self.under_way: tuple[str, StreamReader, float] | None = None

    async def to_end(self) -> None:
        placement = self.incoming.placement
        self.router.parts.decisions.begin(self.intent())
        if placement.policy is None:
            await self.drive(ask_upwards(placement.setting.tiers, placement.reason))
        elif placement.observed_tier is not None:
            await self.observe(placement.policy, placement.observed_tier)
        else:
            await self.drive(placement.policy.decide(self.incoming.facts, placement.setting))
        if not self.done:
            kind = self.failure.kind if self.failure is not None else "no_endpoint"
            self.refuse(REFUSALS[kind], error=self.failure.call_status if self.failure is not None else kind)

    # -- driving a policy

    async def drive(self, steps: Steps) -> None:
        try:
            command = next(steps)
            while True:
                command = steps.send(await self.carry_out(command))
        except StopIteration:
            return

    async def carry_out(self, command: Command) -> Event:
        match command:
            case Ask(hold=True):
                fetched = await self.fetch(command, command.tier)
                if fetched is None:
                    return self.failed()
                self.held = fetched
                return Held(fetched.facts)
            case Ask():
                return await self.serve(command)
            case Release():
                held = self.held
                assert held is not None, "a policy released an answer that it never asked for"
                assert held.tier == command.tier, "a policy released another tier's answer"
                self.ask = command
                self.deliver(held)
                return Served()
            case Classify():
                return await self.classify(command)
        assert_never(command)

    def failed(self) -> Failed:
        return Failed(self.failure.kind if self.failure is not None else "garbage")

    async def classify(self, command: Classify) -> Event:
        parts, policy = self.router.parts, self.incoming.placement.policy
        classifier = parts.classifiers.get(policy.name) if policy is not None else None
        if classifier is None:
            return ClassifierFailed("classifier_absent")
        deadline_s = command.deadline_ms / 1000
        began = parts.now()
        try:
            async with asyncio.timeout(deadline_s):
                probability = await classifier.probability(self.incoming.facts.text)
        except TimeoutError:
            return ClassifierFailed("classifier_late")
        except ClassifierError:
            return ClassifierFailed("classifier_error")
        except Exception:  # somebody else's model: whatever it raises, the capable tier answers
            log.exception("classifier_failed", extra={"decision_id": self.incoming.decision_id})
            return ClassifierFailed("classifier_error")
        # A classifier that computes without awaiting cannot be interrupted: it is late all the same.
        if parts.now() - began > deadline_s:
            return ClassifierFailed("classifier_late")
        return Classified(probability)

    async def observe(self, policy: Policy, tier: str) -> None:
        """Serve what the caller asked for; let the policy decide beside it, as far as that takes no further call."""
        steps = policy.decide(self.incoming.facts, self.incoming.placement.setting)
        command = next(steps)
        while isinstance(command, Classify):
            command = steps.send(await self.classify(command))
        decided = command if isinstance(command, Ask) else None
        if decided is not None:
            self.observed_steps = (steps, decided)
        event = await self.serve(
            Ask(tier, hold=False, reason="observed", judgement=decided.judgement if decided else NOT_JUDGED),
            with_confidence=policy.needs_confidence,
        )
        if isinstance(event, Served):
            return

    def decided(self, facts: AnswerFacts | None) -> tuple[str | None, Judgement]:
        """Mode observe: what the policy would have served, and its judgement; tier None where only a further call could tell."""
        assert self.observed_steps is not None
        steps, ask = self.observed_steps
        self.observed_steps = None
        served = self.ask
        if not ask.hold:
            return ask.tier, ask.judgement
        if facts is None or served is None or served.tier != ask.tier:
            return None, ask.judgement
        command = steps.send(Held(facts))
        if isinstance(command, Release) or (isinstance(command, Ask) and not command.hold):
            return command.tier, command.judgement
        return None, NOT_JUDGED

    # -- asking upstreams

    async def open(self, tier: str, *, with_confidence: bool) -> UpstreamAnswer | None:
        """Ask a tier for an answer; None where it failed, which is then noted."""
        if self.reply.disconnected:
            raise _CallerGoneError
        incoming, parts = self.incoming, self.router.parts
        dialect = incoming.dialect
        plan = self.router.tiers[tier]
        body = dialect.upstream_body(
            incoming.read, model=plan.model, parameters=plan.parameters, with_confidence=with_confidence
        )
        request = UpstreamRequest(dialect.kind, dialect.path, body, incoming.headers, incoming.facts.wants_stream)
        began = parts.now()
        try:
            return await parts.upstreams[tier].ask(request)
        except UpstreamFailedError as error:
            self.fail(tier, error, began)
            return None

    def fail(self, tier: str, error: UpstreamFailedError, began: float, facts: AnswerFacts | None = None) -> None:
        self.failure = error
        self.add_call(tier, facts, began, error.call_status)

    def add_call(self, tier: str, facts: AnswerFacts | None, began: float, status: str) -> int:
        usage = facts.usage if facts is not None else None
        self.calls.append(
            Call(
                tier=tier,
                model=(facts.model if facts is not None else None) or self.router.tiers[tier].model,
                input_tokens=usage.input_tokens if usage else None,
                cached_tokens=usage.cached_tokens if usage else None,
                output_tokens=usage.output_tokens if usage else None,
                reasoning_tokens=usage.reasoning_tokens if usage else None,
                cost_usd=self.router.price(tier, usage),
                latency_ms=round((self.router.parts.now() - began) * 1000, 2),
                status=status,
            )
        )
        return len(self.calls) - 1

    async def fetch(self, ask: Ask, tier: str, *, with_confidence: bool = False) -> _Fetched | None:
        """A tier's whole answer; None where it failed, which is then noted."""
        if self.first_tier is None:
            self.first_tier = tier
        self.ask = ask
        parts, incoming = self.router.parts, self.incoming
        policy = incoming.placement.policy
        wants_confidence = with_confidence or (ask.hold and policy is not None and policy.needs_confidence)
        began = parts.now()
        answer = await self.open(tier, with_confidence=wants_confidence)
        if answer is None:
            return None
        reader = None
        try:
            if incoming.facts.wants_stream:
                reader = incoming.dialect.stream_reader(incoming.read, keeps_text=parts.keeps_text)
                self.under_way = (tier, reader, began)
                payload = await self.read_stream(answer, reader)
                self.under_way = None
                facts = reader.facts()
            else:
                # A caller that goes away does not stop this call: its cost would never be known.
                body = await answer.read()
                whole = incoming.dialect.read_answer(incoming.read, body, keeps_text=parts.keeps_text)
                facts, payload = whole.facts, whole.body
        except (UpstreamFailedError, ValueError) as error:
            answer.abort()
            self.under_way = None
            self.fail(tier, _failure(error, answer), began, reader.facts() if reader is not None else None)
            return None
        call = self.add_call(tier, facts, began, "ok")
        return _Fetched(tier, facts, payload, answer.headers, call)

    async def read_stream(self, answer: UpstreamAnswer, reader: StreamReader) -> bytes:
        """All events of a stream.

        Raises:
            UpstreamFailedError: It was cut, came too late, or we closed it since the caller went away.
            ValueError: It is no stream of this format, or the upstream reported an error in it.
        """
        _expect_events(answer)
        pieces: list[bytes] = []
        ending: list[asyncio.TimerHandle] = []

        def take(chunk: bytes) -> None:
            piece = _next_piece(reader, chunk)
            pieces.extend((piece.forward, piece.last))
            if piece.last:
                ending.append(asyncio.get_running_loop().call_later(END_S, answer.abort))

        self.watch(answer)
        try:
            await answer.pump(take)
        except UpstreamFailedError:
            if not reader.is_complete:
                raise
        finally:
            self.reply.watch(None)
            for timer in ending:
                timer.cancel()
        if not reader.is_complete:
            raise UpstreamFailedError("cut", tries=answer.tries)
        return b"".join(pieces)

    def watch(self, answer: UpstreamAnswer) -> None:
        """End the upstream's work when the caller leaves, or if it left while the upstream thought."""
        self.reply.watch(answer.abort)
        if self.reply.disconnected:
            answer.abort()

    async def serve(self, ask: Ask, *, with_confidence: bool = False) -> Event:
        if self.held is not None:
            self.discard(self.held)
        if self.incoming.facts.wants_stream:
            return await self.serve_stream(ask, with_confidence=with_confidence)
        fetched = await self.fetch(ask, ask.tier, with_confidence=with_confidence)
        if fetched is None:
            return self.failed()
        self.deliver(fetched)
        return Served()

    def discard(self, held: _Fetched) -> None:
        """Mark an answer that was paid for and is not served."""
        call = self.calls[held.call]
        self.calls[held.call] = _with_status(call, "discarded")
        self.held = None

    def deliver(self, fetched: _Fetched) -> None:
        """Send a whole answer: the record first, then all of it."""
        facts = fetched.facts
        is_gone = self.reply.disconnected
        if not is_gone:
            self.sent_chars = facts.chars
            self.ttft_ms = self.elapsed_ms()
        status = "abandoned" if is_gone else "error" if facts.is_empty else self.good_status()
        served = None if is_gone else fetched.tier
        self.record(facts, status=status, tier=served, error="client_closed" if is_gone else None)
        self.reply.start(200, fetched.headers, self.served_by(fetched.tier), is_stream=self.incoming.facts.wants_stream)
        self.reply.end(fetched.payload)
        self.done = True

    async def serve_stream(self, ask: Ask, *, with_confidence: bool) -> Event:
        """Pass a stream on as it comes. Until the first piece of the answer itself, a failure is the next tier's turn."""
        if self.first_tier is None:
            self.first_tier = ask.tier
        self.ask = ask
        parts, reply = self.router.parts, self.reply
        began = parts.now()
        answer = await self.open(ask.tier, with_confidence=with_confidence)
        if answer is None:
            return self.failed()
        reader = self.incoming.dialect.stream_reader(self.incoming.read, keeps_text=parts.keeps_text)
        live = _LiveStream(self, ask.tier, answer, reader, began)
        failure: UpstreamFailedError | None = None
        self.under_way = (ask.tier, reader, began)
        self.watch(answer)
        try:
            _expect_events(answer)
            await answer.pump(live.take)
        except (UpstreamFailedError, ValueError) as error:
            answer.abort()
            failure = _failure(error, answer)
        finally:
            reply.watch(None)
            if live.ending is not None:
                live.ending.cancel()
        self.under_way = None
        if self.done:
            return Served()
        return self.stream_failed(live, failure or UpstreamFailedError("cut", tries=answer.tries))

    def stream_failed(self, live: "_LiveStream", failure: UpstreamFailedError) -> Event:
        """A stream ended before its end: say so to the caller if it has seen any of it, else let the next tier answer."""
        facts = live.reader.facts()
        if self.reply.disconnected:
            self.sent_chars = facts.chars
            self.add_call(live.tier, facts, live.began, "abandoned")
            self.record(facts, status="abandoned", tier=live.tier if live.started else None, error="client_closed")
            self.done = True
            return Served()
        self.fail(live.tier, failure, live.began, facts)
        if not live.started:
            return self.failed()
        self.sent_chars = facts.chars
        self.record(facts, status="error", tier=live.tier, error=failure.call_status)
        refusal = REFUSALS[failure.kind]
        self.reply.end(self.incoming.dialect.error_event(refusal.message, type_="upstream_error", code=refusal.code))
        self.done = True
        return Served()

    def refuse(self, refusal: Refusal, *, error: str) -> None:
        """No tier could answer: an error in the caller's wire format."""
        failure, dialect = self.failure, self.incoming.dialect
        status, headers = refusal.status, NO_HEADERS
        body = dialect.error_body(refusal.message, type_="upstream_error", code=refusal.code)
        if failure is not None and failure.kind == "status" and failure.status in FORWARDED_STATUS:
            status, headers = failure.status, failure.headers
            if b'"error"' in failure.body and failure.body.lstrip()[:1] == b"{":
                body = failure.body
            else:
                message = f"the upstream answered with status {failure.status}"
                body = dialect.error_body(message, type_="upstream_error", code=f"http_{failure.status}")
        is_gone = self.reply.disconnected
        self.record(None, status="abandoned" if is_gone else "error", error="client_closed" if is_gone else error)
        self.reply.start(status, headers, self.served_by(None), is_stream=False)
        self.reply.end(body)
        self.done = True

    # -- what is written down

    def elapsed_ms(self) -> float:
        return round((self.router.parts.now() - self.incoming.began) * 1000, 2)

    def good_status(self) -> str:
        return "fallback" if self.failure is not None else "ok"

    def served_by(self, tier: str | None) -> ServedBy:
        policy, ask = self.incoming.placement.policy, self.ask
        return ServedBy(
            self.incoming.decision_id,
            tier,
            self.router.tiers[tier].model if tier is not None else None,
            policy.name if policy is not None else None,
            ask.judgement.confidence if ask is not None else None,
        )

    def intent(self) -> Intent:
        incoming, placement = self.incoming, self.incoming.placement
        facts, policy = incoming.facts, placement.policy
        return Intent(
            decision_id=incoming.decision_id,
            event_time=incoming.event_time,
            conversation_id=facts.conversation_id,
            user_id=facts.user_id,
            segment=facts.segment or None,
            policy=policy.name if policy is not None else None,
            policy_version=policy.version if policy is not None else None,
            mode=placement.mode,
            origin="live",
            eligible=placement.setting.eligible,
            arm=placement.arm,
            arm_probability=placement.arm_probability,
            requested_model=facts.requested_model,
            prompt_hash=facts.prompt_hash,
            endpoint=facts.endpoint,
            key_name=incoming.key_name,
            client_retry=incoming.client_retry,
            trace_id=incoming.trace_id,
            span_id=incoming.span_id,
            parent_span_id=incoming.parent_span_id,
        )

    def record(
        self, facts: AnswerFacts | None, *, status: str, tier: str | None = None, error: str | None = None
    ) -> None:
        """Write the one record of this request."""
        assert not self.recorded, "one record a request"
        self.recorded = True
        router, incoming, placement, ask = self.router, self.incoming, self.incoming.placement, self.ask
        known, policy, parts = incoming.facts, incoming.placement.policy, self.router.parts
        judgement = ask.judgement if ask is not None else NOT_JUDGED
        reason = ask.reason if ask is not None else placement.reason
        decided_tier = tier
        if self.observed_steps is not None:
            # The beginning of an answer says nothing of the whole.
            decided_tier, judgement = self.decided(facts if error is None else None)
        usage = facts.usage if facts is not None else None
        costs = [call.cost_usd for call in self.calls if call.cost_usd is not None]
        is_empty = facts is not None and facts.is_empty and error is None
        answer_text = facts.text if facts is not None else None
        record = DecisionRecord(
            decision_id=incoming.decision_id,
            event_time=incoming.event_time,
            conversation_id=known.conversation_id,
            user_id=known.user_id,
            segment=known.segment or None,
            policy=policy.name if policy is not None else None,
            policy_version=policy.version if policy is not None else None,
            mode=placement.mode,
            origin="live",
            eligible=placement.setting.eligible,
            arm=placement.arm,
            arm_probability=placement.arm_probability,
            propensity=ask.propensity if ask is not None and tier is not None else None,
            first_tier=self.first_tier,
            tier=tier,
            requested_model=known.requested_model,
            model=None if tier is None else (facts.model if facts is not None else None) or router.tiers[tier].model,
            model_fingerprint=facts.fingerprint if facts is not None else None,
            escalated=ask.escalated if ask is not None else False,
            reason=reason,
            score=judgement.score,
            confidence=judgement.confidence,
            threshold=judgement.threshold,
            confidence_kind=judgement.confidence_kind,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            calls=tuple(self.calls) or None,
            cost_usd=sum(costs) if costs else None,
            baseline_cost_usd=router.baseline_usd(tier, usage, known.segment) if tier is not None else None,
            latency_ms=self.elapsed_ms(),
            ttft_ms=self.ttft_ms,
            status=status,
            finish_reason=facts.finish_reason if facts is not None else None,
            prompt_hash=known.prompt_hash,
            prompt=self.kept(incoming.prompt),
            response=self.kept(answer_text),
            endpoint=known.endpoint,
            key_name=incoming.key_name,
            decided_tier=decided_tier,
            error="empty_answer" if is_empty else error,
            delivered_chars=self.sent_chars if tier is not None else None,
            client_retry=incoming.client_retry,
            trace_id=incoming.trace_id,
            span_id=incoming.span_id,
            parent_span_id=incoming.parent_span_id,
        )
        parts.decisions.finish(record)
        parts.on_record(record, incoming, facts)

    def record_cancelled(self) -> None:
        """The record of a request that was ended from outside: what was delivered until then, and what it cost."""
        if self.under_way is None:
            self.record(None, status="abandoned", error="cancelled")
            return
        tier, reader, began = self.under_way
        facts = reader.facts()
        self.add_call(tier, facts, began, "abandoned")
        is_begun = self.ttft_ms is not None
        self.sent_chars = facts.chars
        self.record(facts, status="abandoned", tier=tier if is_begun else None, error="cancelled")

    def kept(self, text: str | None) -> str | None:
        """A text as it may be written: through the redaction hook, and not at all where that fails."""
        parts = self.router.parts
        if text is None or not parts.keeps_text:
            return None
        if parts.redact is None:
            return text
        try:
            return parts.redact(text)
        except Exception:  # the user's hook: a text that could not be cleaned is not kept
            log.exception("redaction_failed", extra={"decision_id": self.incoming.decision_id})
            return None


class _LiveStream:
    """A stream being passed on: takes pieces from within the upstream's callbacks, and sends them on without a task waking up.

    Until the first piece of the answer itself, everything is kept back, so that another tier can still answer.
    """

    __slots__ = ("answer", "began", "ending", "reader", "run", "started", "tier", "waiting")

    def __init__(self, run: "_Run", tier: str, answer: UpstreamAnswer, reader: StreamReader, began: float) -> None:
        self.run = run
        self.tier = tier
        self.answer = answer
        self.reader = reader
        self.began = began
        self.started = False
        self.waiting = b""
        self.ending: asyncio.TimerHandle | None = None

    def take(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a chunk; what is returned is to be awaited before the next one."""
        run, reply = self.run, self.run.reply
        piece = self.reader.feed(chunk)
        if piece.error is not None:
            if self.started and piece.forward:
                reply.send(piece.forward)  # what came before the error counts as delivered, so it is
            raise ValueError(piece.error)
        if run.done:
            return None  # the rest of the HTTP message, so that the connection can be used again
        if piece.last:
            self.end(self.waiting + piece.forward + piece.last)
            return None
        if self.started:
            if piece.forward:
                reply.send(piece.forward)
        else:
            self.waiting += piece.forward
            if not piece.has_content:
                return None
            self.start()
            waiting, self.waiting = self.waiting, b""
            reply.send(waiting)
        return reply.room() if reply.is_congested else None

    def start(self) -> None:
        """The answer itself begins."""
        run = self.run
        self.started = True
        run.ttft_ms = run.elapsed_ms()
        run.reply.start(200, self.answer.headers, run.served_by(self.tier), is_stream=True)

    def end(self, rest: bytes) -> None:
        """The stream's end has come: the record, then its last events."""
        run, facts = self.run, self.reader.facts()
        is_first = not self.started
        if is_first:
            run.ttft_ms = run.elapsed_ms()
        run.add_call(self.tier, facts, self.began, "ok")
        run.sent_chars = facts.chars
        is_gone = run.reply.disconnected
        status = "abandoned" if is_gone else "error" if facts.is_empty else run.good_status()
        served = None if is_gone and is_first else self.tier
        run.record(facts, status=status, tier=served, error="client_closed" if is_gone else None)
        if is_first:
            self.start()
        run.reply.end(rest)
        run.done = True
        self.ending = asyncio.get_running_loop().call_later(END_S, self.answer.abort)


class _CallerGoneError(Exception):
    """The caller has gone away before its answer began: no further tier is asked."""


def _failure(error: Exception, answer: UpstreamAnswer) -> UpstreamFailedError:
    return error if isinstance(error, UpstreamFailedError) else UpstreamFailedError("garbage", tries=answer.tries)


def _expect_events(answer: UpstreamAnswer) -> None:
    if not answer.is_event_stream:
        raise ValueError("no event stream")


def _next_piece(reader: StreamReader, chunk: bytes) -> StreamPiece:
    """What the next chunk becomes; an error that the upstream reports in its stream is raised like any other fault of it."""
    piece = reader.feed(chunk)
    if piece.error is not None:
        raise ValueError(piece.error)
    return piece


def _with_status(call: Call, status: str) -> Call:
    return Call(**{name: getattr(call, name) for name in Call.__struct_fields__ if name != "status"}, status=status)
