"""Route one request: drive its policy's commands against the upstreams, answer the caller, leave exactly one record.

This is the live driver of `undertow.policies`; the gateway and the in-process client both use it. Order of what matters:

    intent written -> upstream asked -> answer judged -> record written -> last byte sent

so that a process that dies at any moment leaves a record of every request that reached an upstream. A stream that cannot be
finished ends in an error event, never silently and never in a clean end. Whatever goes wrong on the cheap side, a dearer tier
is asked; nothing is ever asked downwards.
"""

import asyncio
import logging
from typing import Literal, assert_never

from undertow.policies.base import (
    NOT_JUDGED,
    Ask,
    Begun,
    Checked,
    Classify,
    Command,
    Commit,
    Event,
    Failed,
    Held,
    Judgement,
    Policy,
    Race,
    Release,
    Sample,
    Sampled,
    SelfCheck,
    Served,
    Steps,
    Wait,
    ask_upwards,
)
from undertow.policies.exposure import decided
from undertow.ports.reply import Reply
from undertow.ports.upstream import UpstreamAnswer, UpstreamFailedError
from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence
from undertow.records.serving import TierPlan
from undertow.services.account import Account
from undertow.services.checking import TEXT, sampled_agreement, self_check
from undertow.services.classifying import classify
from undertow.services.log_probabilities import LogProbabilityRefusals
from undertow.services.observing import Observation
from undertow.services.open_call import OpenCall, Whole
from undertow.services.routing import REFUSALS, Incoming, Refusal, RouterParts, as_shown

log = logging.getLogger("undertow.route")


class Router:
    """Routes requests. One per process; of requests that are over it remembers only who refuses log-probabilities.

    Examples:
        >>> router = Router(parts)  # doctest: +SKIP
        >>> await router.route(incoming, reply)  # doctest: +SKIP
    """

    def __init__(self, parts: RouterParts) -> None:
        self.parts = parts
        self.tiers: dict[str, TierPlan] = {tier.name: tier for tier in parts.plan.tiers}
        self.refusals = LogProbabilityRefusals()

    async def route(self, incoming: Incoming, reply: Reply) -> None:
        """Answer one request. Never raises; every path leaves one record, and no call that goes on by itself."""
        run = _Run(self, incoming, reply)
        try:
            await run.to_end()
        except _CallerGoneError:
            run.close("abandoned")
            run.record(None, status="abandoned", error="client_closed")
        except Exception:  # the edge of one request: whatever it was, the caller gets an error and the log a record
            log.exception("request_failed", extra={"decision_id": incoming.decision_id})
            if not run.recorded:
                run.fail_internally()
        finally:
            if not run.recorded:  # cancelled: the process is being stopped, or the in-process caller gave up
                run.record_cancelled()
            await run.settle()


class _Run(Account):
    """One request on its way: drives its policy, and answers its caller."""

    __slots__ = ("checks", "held", "observation", "opened", "refusals", "rival")

    def __init__(self, router: Router, incoming: Incoming, reply: Reply) -> None:
        super().__init__(router.parts, router.tiers, incoming, reply)
        self.refusals = router.refusals
        self.opened: list[OpenCall] = []
        self.checks: set[UpstreamAnswer] = set()
        self.held: OpenCall | None = None
        self.rival: OpenCall | None = None
        self.observation: Observation | None = None

    async def to_end(self) -> None:
        placement = self.incoming.placement
        self.parts.decisions.begin(self.intent())
        if placement.policy is None:
            await self.drive(ask_upwards(placement.setting.tiers, placement.reason))
        elif placement.observed_tier is not None:
            await self.observe(placement.policy, placement.observed_tier)
        else:
            await self.drive(decided(placement.policy, self.incoming.facts, placement.setting))
        if not self.done:
            self.close("cancelled")
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
                return await self.hold(command)
            case Ask():
                return await self.serve(command, NO_EVIDENCE)
            case Release():
                self.release(command)
                return Served()
            case Wait():
                return await self.hold_to_end(command.tier)
            case Race():
                self.start_rival(command.rival)
                return await self.hold_to_end(command.tier)
            case Commit():
                return await self.commit(command)
            case SelfCheck():
                self.check_caller()
                return Checked(await self_check(self, command.tier, self.held_text(command.tier)))
            case Sample():
                self.check_caller()
                text = self.held_text(command.tier)
                return Sampled(await sampled_agreement(self, command.tier, text, command.samples))
            case Classify():
                return await classify(self.parts, self.incoming, command)
        assert_never(command)

    def failed(self) -> Failed:
        return Failed(self.failure.kind if self.failure is not None else "garbage")

    def check_caller(self) -> None:
        """See that the caller is still there, before anything more is paid for."""
        if self.reply.disconnected:
            raise _CallerGoneError

    async def observe(self, policy: Policy, tier: str) -> None:
        """Serve what the caller asked for; let the policy decide beside it, as far as that takes no further call."""
        self.observation = observation = await Observation.begin(self.parts, self.incoming)
        await self.serve(Ask(tier, hold=False, reason="observed", judgement=observation.judgement), policy.needs)

    def decided(self, facts: AnswerFacts | None) -> tuple[str | None, Judgement]:
        """Mode observe: what the policy would have served."""
        if self.observation is None:
            return None, NOT_JUDGED
        shown = None if facts is None else self.judged(facts)
        return self.observation.decided(shown, self.ask.tier if self.ask is not None else None)

    # -- holding answers

    def evidence(self, needed: Evidence) -> Evidence:
        """What an answer should come with: what its judge needs, and its text where that is kept."""
        if not self.keeps_text or needed.text:
            return needed
        return (
            TEXT if needed is NO_EVIDENCE else Evidence(needed.logprobs, needed.alternatives, needed.tokens, text=True)
        )

    def call(self, tier: str, needed: Evidence, *, purpose: str = "serve") -> OpenCall:
        """A call that has not begun; closed with the request, if not before."""
        call = OpenCall(self, tier, self.evidence(needed), purpose=purpose)
        self.opened.append(call)
        if call.is_stream:
            self.reply.watch(self.leave)
        return call

    def leave(self) -> None:
        """The caller of a stream has left: no upstream need work on. May be called from within a callback."""
        for call in self.opened:
            call.abort()
        for answer in tuple(self.checks):
            answer.abort()

    def begin(self, ask: Ask) -> OpenCall | None:
        """A tier's turn: what was held is not needed any more. The call to it that a race has begun, if there is one."""
        if self.first_tier is None:
            self.first_tier = ask.tier
        self.ask = ask
        self.let_go("held", "cancelled")
        rival = self.rival
        if rival is not None and (rival.tier != ask.tier or rival.failure is not None):
            self.let_go("rival", "cancelled")
        self.check_caller()
        rival, self.rival = self.rival, None
        return rival

    def let_go(self, which: Literal["held", "rival"], status: str) -> None:
        """An answer that is not served: discarded where it is whole, else cancelled, whose status is given."""
        call: OpenCall | None = getattr(self, which)
        setattr(self, which, None)
        if call is None:
            return
        if call.whole is not None:
            self.discard(call.whole.place)
        call.cancel(status)

    async def hold(self, ask: Ask) -> Event:
        call = self.begin(ask)
        policy = self.incoming.placement.policy
        if call is None:
            call = self.call(ask.tier, policy.needs if policy is not None else NO_EVIDENCE)
        self.held = call
        if not (ask.begun_tokens and call.is_stream):
            return await self.hold_to_end(ask.tier)
        call.look_for_beginning(ask.begun_tokens)
        if call.task is None:
            call.start()
        beginning = await call.heard()
        return await self.hold_to_end(ask.tier) if beginning is None else Begun(self.judged(beginning))

    async def hold_to_end(self, tier: str) -> Event:
        """Hold all of the answer that is coming."""
        call = self.held_call(tier)
        await call.over()
        if call.whole is not None:
            return Held(self.judged(call.whole.facts))
        self.held = None
        self.failure = call.failure
        return self.failed()

    def start_rival(self, tier: str) -> None:
        """Ask another tier beside the one that is held. The last tier is never judged, so its answer needs no evidence."""
        self.check_caller()
        assert self.rival is None, "a policy started a second race"
        placement = self.incoming.placement
        is_judged = placement.policy is not None and tier != placement.setting.tiers[-1]
        needed = placement.policy.needs if is_judged and placement.policy is not None else NO_EVIDENCE
        self.rival = self.call(tier, needed, purpose="race")
        self.rival.start()

    def held_call(self, tier: str) -> OpenCall:
        held = self.held
        assert held is not None, "a policy spoke of an answer that it never asked for"
        assert held.tier == tier, "a policy spoke of another tier's answer"
        return held

    def held_whole(self, tier: str) -> Whole:
        whole = self.held_call(tier).whole
        assert whole is not None, "a policy spoke of a whole answer before it had come"
        return whole

    def held_text(self, tier: str) -> str:
        return self.held_whole(tier).facts.text or ""

    # -- serving

    async def serve(self, ask: Ask, needed: Evidence) -> Event:
        """Answer from a tier. Until the first piece of the answer itself is sent, a failure is the next tier's turn."""
        call = self.begin(ask) or self.call(ask.tier, needed)
        if call.whole is not None:  # the rival was quicker
            self.deliver(call, call.whole)
            return Served()
        if call.is_stream:
            call.go_live()
            await call.over()
            return self.stream_ended(call)
        await call.over()
        if call.whole is None:
            self.failure = call.failure
            return self.failed()
        self.deliver(call, call.whole)
        return Served()

    def release(self, command: Release) -> None:
        """Serve the answer that is held."""
        whole, call = self.held_whole(command.tier), self.held_call(command.tier)
        self.let_go("rival", "cancelled")
        self.ask = command
        self.held = None
        self.deliver(call, whole)

    async def commit(self, command: Commit) -> Event:
        """Serve the beginning that is held, and the rest as it comes."""
        call = self.held_call(command.tier)
        self.check_caller()
        self.let_go("rival", "cancelled")
        self.ask = command
        self.held = None
        self.committed_tokens = call.tokens
        call.go_live()
        await call.over()
        return self.stream_ended(call)

    def deliver(self, call: OpenCall, whole: Whole) -> None:
        """Send a whole answer: the record first, then all of it."""
        facts = whole.facts
        is_gone = self.reply.disconnected
        if not is_gone:
            self.sent_chars = facts.chars
            self.ttft_ms = self.elapsed_ms()
        status = "abandoned" if is_gone else "error" if facts.is_empty else self.good_status()
        served = None if is_gone else call.tier
        self.record(facts, status=status, tier=served, error="client_closed" if is_gone else None)
        self.reply.start(200, call.headers, self.served_by(call.tier), is_stream=call.is_stream)
        self.reply.end(whole.payload)
        self.done = True

    def stream_ended(self, call: OpenCall) -> Event:
        """A stream ended: if before its end, say so to the caller if it has seen any of it, else let the next tier answer."""
        if self.done:
            return Served()
        assert call.live is not None, "it is served"
        failure = call.failure or UpstreamFailedError("cut")
        has_started = call.live.started
        facts = call.reader.facts() if call.answer is not None else None
        if self.reply.disconnected and facts is not None:
            self.sent_chars = facts.chars
            self.record(facts, status="abandoned", tier=call.tier if has_started else None, error="client_closed")
            self.done = True
            return Served()
        self.failure = failure
        if not has_started or facts is None:
            return self.failed()
        self.end_in_error(call, facts, error=failure.call_status, refusal=REFUSALS[failure.kind])
        return Served()

    def end_in_error(self, call: OpenCall, facts: AnswerFacts, *, error: str, refusal: Refusal) -> None:
        """End a stream of which the caller has seen a part."""
        self.sent_chars = facts.chars
        self.record(facts, status="error", tier=call.tier, error=error)
        self.reply.end(self.incoming.dialect.error_event(refusal.message, type_="upstream_error", code=refusal.code))
        self.done = True

    def refuse(self, refusal: Refusal, *, error: str) -> None:
        """No tier could answer: an error in the caller's wire format."""
        status, headers, body = as_shown(refusal, self.failure, self.incoming.dialect)
        is_gone = self.reply.disconnected
        self.record(None, status="abandoned" if is_gone else "error", error="client_closed" if is_gone else error)
        self.reply.start(status, headers, self.served_by(None), is_stream=False)
        self.reply.end(body)
        self.done = True

    # -- ends that nobody decided

    def shown(self) -> OpenCall | None:
        """The call whose stream the caller has seen a part of."""
        return next((call for call in self.opened if call.live is not None and call.live.started), None)

    def fail_internally(self) -> None:
        """A fault of ours: the caller gets an error, in a stream that has begun its last event."""
        shown = self.shown()
        self.close("cancelled")
        self.failure = UpstreamFailedError("garbage")
        if shown is None:
            self.refuse(REFUSALS["internal"], error="internal")
        else:
            self.end_in_error(shown, shown.reader.facts(), error="internal", refusal=REFUSALS["internal"])

    def record_cancelled(self) -> None:
        """The record of a request that was ended from outside: what was delivered until then, and what it cost."""
        shown = self.shown()
        latest = shown or next((call for call in reversed(self.opened) if call.is_stream and call.answer), None)
        self.close("abandoned")
        facts = latest.reader.facts() if latest is not None else None
        self.sent_chars = facts.chars if facts is not None else 0
        self.record(facts, status="abandoned", tier=shown.tier if shown is not None else None, error="cancelled")

    def close(self, status: str) -> None:
        """Nothing more will be served: let go of what is held, and cancel every call that is still under way."""
        self.let_go("held", status)
        self.let_go("rival", status)
        for call in self.opened:
            call.cancel(status)

    async def settle(self) -> None:
        """Leave nothing behind: no call, no task, no watch."""
        self.close("cancelled")
        self.reply.watch(None)
        tasks = [call.task for call in self.opened if call.task is not None and not call.task.done()]
        if tasks:
            await asyncio.wait(tasks)


class _CallerGoneError(Exception):
    """The caller has gone away before its answer began: no further tier is asked."""
