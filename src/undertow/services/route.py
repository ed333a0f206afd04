"""Route one request: drive its policy's commands against the upstreams, answer the caller, leave exactly one record.

This is the live driver of `undertow.policies`; the gateway and the in-process client both use it. Order of what matters:

    intent written -> upstream asked -> answer judged -> record written -> last byte sent

so that a process that dies at any moment leaves a record of every request that reached an upstream. A stream that cannot be
finished ends in an error event, never silently and never in a clean end. Whatever goes wrong on the cheap side, a dearer tier
is asked; nothing is ever asked downwards.
"""

import asyncio
import logging
from collections.abc import Mapping
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
    Steps,
    ask_upwards,
)
from undertow.ports.classifier import ClassifierError
from undertow.ports.reply import Reply
from undertow.ports.upstream import UpstreamAnswer, UpstreamFailedError, UpstreamRequest
from undertow.ports.wire import StreamReader
from undertow.records.answer import AnswerFacts
from undertow.records.decision import Call
from undertow.records.serving import TierPlan
from undertow.services.account import Account
from undertow.services.live_stream import END_S, LiveStream, expect_events, next_piece
from undertow.services.routing import FORWARDED_STATUS, REFUSALS, Incoming, Refusal, RouterParts

log = logging.getLogger("undertow.route")

NO_HEADERS: Mapping[bytes, bytes] = {}


class Router:
    """Routes requests. One per process; holds no state of a request.

    Examples:
        >>> router = Router(parts)  # doctest: +SKIP
        >>> await router.route(incoming, reply)  # doctest: +SKIP
    """

    def __init__(self, parts: RouterParts) -> None:
        self.parts = parts
        self.tiers: dict[str, TierPlan] = {tier.name: tier for tier in parts.plan.tiers}

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


class _Fetched(msgspec.Struct, gc=False):
    """A whole answer, ready to be sent."""

    tier: str
    facts: AnswerFacts
    payload: bytes
    headers: Mapping[bytes, bytes]
    call: int
    """Its place among the calls."""


class _Run(Account):
    """One request on its way: drives its policy, and answers its caller."""

    __slots__ = ("done", "held", "observed_steps", "reply", "router")

    def __init__(self, router: Router, incoming: Incoming, reply: Reply) -> None:
        super().__init__(router.parts, router.tiers, incoming)
        self.router = router
        self.reply = reply
        self.held: _Fetched | None = None
        self.done = False
        self.observed_steps: tuple[Steps, Ask] | None = None

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
        if self.observed_steps is None:  # the policy could not even begin to decide
            return None, NOT_JUDGED
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
        expect_events(answer)
        pieces: list[bytes] = []
        ending: list[asyncio.TimerHandle] = []

        def take(chunk: bytes) -> None:
            piece = next_piece(reader, chunk)
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
        live = LiveStream(self, ask.tier, answer, reader, began)
        failure: UpstreamFailedError | None = None
        self.under_way = (ask.tier, reader, began)
        self.watch(answer)
        try:
            expect_events(answer)
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

    def stream_failed(self, live: LiveStream, failure: UpstreamFailedError) -> Event:
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


class _CallerGoneError(Exception):
    """The caller has gone away before its answer began: no further tier is asked."""


def _failure(error: Exception, answer: UpstreamAnswer) -> UpstreamFailedError:
    return error if isinstance(error, UpstreamFailedError) else UpstreamFailedError("garbage", tries=answer.tries)


def _with_status(call: Call, status: str) -> Call:
    return Call(**{name: getattr(call, name) for name in Call.__struct_fields__ if name != "status"}, status=status)
