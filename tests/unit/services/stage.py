"""One router before scripted upstreams, and all that comes of a request."""

import asyncio
import dataclasses
import json
import math

import msgspec

from undertow.adapters.wire.chat import ChatDialect
from undertow.policies.base import Served
from undertow.policies.build import build_policy
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.answer import SUM_OF_LOGPROBS
from undertow.records.serving import (
    EndpointPlan,
    HoldoutPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TierPlan,
    TokenPrices,
)
from undertow.sampling.draw import CompiledRates
from undertow.services.admit import Admission, Context
from undertow.services.conversations import Stickiness
from undertow.services.route import Router
from undertow.services.routing import RouterParts

PRICES = {
    "cheap": TokenPrices(
        input_usd=1e-6,
        cached_usd=1e-6,
        cache_write_usd=1e-6,
        audio_input_usd=1e-6,
        output_usd=2e-6,
        audio_output_usd=2e-6,
    ),
    "capable": TokenPrices(
        input_usd=4e-6,
        cached_usd=4e-6,
        cache_write_usd=4e-6,
        audio_input_usd=4e-6,
        output_usd=8e-6,
        audio_output_usd=8e-6,
    ),
}


def tier(name):
    return TierPlan(
        name=name,
        model=f"{name}-model",
        endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),),
        prices=(PRICES[name],),
    )


def plan(**policy):
    policy = {"kind": "cascade", "tiers": ("cheap", "capable"), **policy}
    return ServingPlan(
        tiers=(tier("cheap"), tier("capable")),
        policies=(PolicyPlan(name="auto", version="v1", **policy),),
        holdout=HoldoutPlan(share=policy.pop("holdout", 0.0)),
    )


def answer(text="yes", *, probability=0.9, model="m", usage=(10, 2), **message):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "logprobs": {
            "content": [{"token": "t", "logprob": math.log(probability), "bytes": None, "top_logprobs": []}] * 3
        },
        "finish_reason": "stop",
    }
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return json.dumps(
        body | {"usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}}
    ).encode()


def event(delta, **more):
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
    return b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n"


def with_logprob(delta, probability):
    if probability is None:
        return event(delta)
    return event(
        delta,
        logprobs={"content": [{"token": "t", "logprob": math.log(probability), "bytes": None, "top_logprobs": []}]},
    )


DONE = b"data: [DONE]\n\n"
ROLE = event({"role": "assistant", "content": ""})


def stream(*texts, probability=0.9, done=True):
    parts = [ROLE, *(with_logprob({"content": text}, probability) for text in texts), event({}, finish_reason="stop")]
    return [*parts, DONE] if done else parts


class Answer:
    def __init__(self, chunks, *, events, fails=None, before_chunk=None):
        self.chunks_, self.is_event_stream, self.fails, self.before_chunk = chunks, events, fails, before_chunk
        self.headers, self.tries, self.aborted = {b"x-request-id": b"up"}, 1, False

    async def read(self):
        if self.fails:
            raise self.fails
        return b"".join(self.chunks_)

    async def pump(self, take):
        for number, chunk in enumerate(self.chunks_):
            if self.before_chunk:
                self.before_chunk(number)
            if self.aborted:
                raise UpstreamFailedError("aborted")
            stalled = take(chunk)
            if stalled is not None:
                await stalled
        if self.fails:
            raise self.fails

    def abort(self):
        self.aborted = True


class Flow(Answer):
    """A stream that comes while other things happen: an event loop's turn between chunks; an `asyncio.Event` among them is waited for."""

    def __init__(self, chunks, *, fails=None):
        super().__init__(chunks, events=True, fails=fails)
        self.is_over = False

    async def pump(self, take):
        for chunk in self.chunks_:
            if isinstance(chunk, asyncio.Event):
                await chunk.wait()
            else:
                await asyncio.sleep(0)
            if self.aborted:
                raise UpstreamFailedError("aborted")
            if not isinstance(chunk, asyncio.Event):
                stalled = take(chunk)
                if stalled is not None:
                    await stalled
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.is_over = True

    def abort(self):
        if not self.is_over:
            self.aborted = True
            for chunk in self.chunks_:
                if isinstance(chunk, asyncio.Event):
                    chunk.set()


class Coming:
    """An answer whose head comes when `event` is set."""

    def __init__(self, answer):
        self.answer, self.event, self.was_cancelled = answer, asyncio.Event(), False

    async def wait(self):
        try:
            await self.event.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


class Scripted:
    """A policy that says what a test has it say; what it is told is kept in `events`."""

    name, version = "auto", "v1"

    def __init__(self, *commands, needs=SUM_OF_LOGPROBS):
        self.commands, self.needs, self.events = commands, needs, []

    def decide(self, *_):
        for command in self.commands:
            event = yield command
            self.events.append(event)
            if isinstance(event, Served):
                return

    @property
    def told(self):
        return [type(event).__name__ for event in self.events]


class Upstream:
    def __init__(self, journal, name, *replies):
        self.journal, self.name, self.replies, self.asked = journal, name, list(replies), []

    async def ask(self, request):
        self.journal.append(f"ask {self.name}")
        self.asked.append(json.loads(request.body))
        reply = self.replies.pop(0)
        if isinstance(reply, Coming):
            await reply.wait()
            reply = reply.answer
        if isinstance(reply, Exception):
            raise reply
        return reply

    def speaks(self, kind):
        return kind == "openai"


class Log:
    waiting = lost = unsettled = 0

    def __init__(self, journal):
        self.journal, self.intents, self.records = journal, [], []

    def begin(self, intent):
        self.journal.append("intent")
        self.intents.append(intent)

    def finish(self, record):
        self.journal.append("record")
        msgspec.json.encode(record)
        self.records.append(record)


class Reply:
    def __init__(self, journal):
        self.journal, self.disconnected, self.on_disconnect = journal, False, None
        self.status, self.headers, self.served, self.is_stream, self.body, self.ended = (
            None,
            None,
            None,
            None,
            b"",
            False,
        )

    is_congested = False

    async def room(self):
        self.journal.append("room")

    def watch(self, on_disconnect):
        self.on_disconnect = on_disconnect

    def start(self, status, upstream_headers, served, *, is_stream):
        assert self.status is None, "one head an answer"
        self.status, self.headers, self.served, self.is_stream = status, upstream_headers, served, is_stream

    def send(self, chunk):
        self.journal.append("send")
        self.body += chunk

    def end(self, chunk):
        self.journal.append("end")
        self.body += chunk
        self.ended = True

    def disconnect(self):
        self.disconnected = True
        if self.on_disconnect:
            self.on_disconnect()


class Stage:
    """One router with scripted upstreams, and all that came of a request."""

    def __init__(
        self,
        plan_,
        *,
        cheap=(),
        capable=(),
        classifier=None,
        ratio=None,
        clock=None,
        redact=None,
        keeps_text=False,
        policy=None,
        rates=None,
    ):
        plan_ = msgspec.structs.replace(plan_, store=StorePlan(keeps_text=keeps_text))
        self.journal, self.plan = [], plan_
        self.cheap, self.capable = Upstream(self.journal, "cheap", *cheap), Upstream(self.journal, "capable", *capable)
        self.log, self.told, self.drawn = Log(self.journal), [], []
        parts = RouterParts(
            plan=plan_,
            upstreams={"cheap": self.cheap, "capable": self.capable},
            decisions=self.log,
            classifiers={"auto": classifier} if classifier else {},
            now=clock or iter(x / 1000 for x in range(10_000)).__next__,
            on_record=lambda record, _, facts: self.told.append((record, facts)),
            length_ratio=lambda *_: ratio,
            keeps_text=keeps_text,
            redact=redact,
            draws=None if rates is None else lambda: CompiledRates(rates),
            on_drawn=lambda record, incoming, facts: self.drawn.append((record, incoming, facts)),
        )
        self.router = Router(parts)
        policies = (
            {policy.name: build_policy(policy) for policy in plan_.policies} if policy is None else {"auto": policy}
        )
        everybody = frozenset({"cheap", "capable"})
        self.admission = Admission(plan_, policies, {"openai": everybody, "anthropic": frozenset()})
        self.reply = Reply(self.journal)

    def remember(self, conversations):
        """Remember conversations, as an engine does."""
        told = self.router.parts.on_record

        def on_record(record, incoming, facts):
            conversations.note(record, incoming.began)
            told(record, incoming, facts)

        self.router.parts = dataclasses.replace(self.router.parts, on_record=on_record)
        self.admission._stickiness = Stickiness(self.plan, conversations, lambda *_: None)

    def again(self):
        """Another caller; the records of earlier ones are put away."""
        self.log.records.clear()
        self.reply = Reply(self.journal)

    def incoming(self, **body):
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
        context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, body.pop("labels", {}), user_id="u")
        return self.admission.admit(ChatDialect(), json.dumps(body).encode(), context)

    def request(self, **body):
        asyncio.run(self.route(self.incoming(**body)))
        assert self.reply.ended or self.reply.disconnected
        assert len(self.log.records) == 1, "exactly one record"
        return self.log.records[0]

    async def route(self, incoming):
        before = asyncio.all_tasks()
        try:
            await self.router.route(incoming, self.reply)
        finally:
            left = asyncio.all_tasks() - before
            assert not left, "a task was left behind"
            assert self.reply.on_disconnect is None, "the caller's leaving would still be acted upon"


def whole(*args, **options):
    return Answer([answer(*args, **options)], events=False)


def events(*args, **options):
    return Answer(stream(*args, **options), events=True)


BUSY = UpstreamFailedError("status", status=503, body=b'{"error":{"message":"busy"}}', headers={b"retry-after": b"7"})
