"""The live driver against scripted upstreams: what the caller gets, what is recorded, and in which order."""

import asyncio
import json
import math

import msgspec
import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.policies.build import build_policy
from undertow.ports.classifier import ClassifierError
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.serving import (
    EndpointPlan,
    HoldoutPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TierPlan,
    TokenPrices,
)
from undertow.services.admit import Admission, Context
from undertow.services.route import Router, RouterParts

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


class Upstream:
    def __init__(self, journal, name, *replies):
        self.journal, self.name, self.replies, self.asked = journal, name, list(replies), []

    async def ask(self, request):
        self.journal.append(f"ask {self.name}")
        self.asked.append(json.loads(request.body))
        reply = self.replies.pop(0)
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
        self, plan_, *, cheap=(), capable=(), classifier=None, ratio=None, clock=None, redact=None, keeps_text=False
    ):
        plan_ = msgspec.structs.replace(plan_, store=StorePlan(keeps_text=keeps_text))
        self.journal, self.plan = [], plan_
        self.cheap, self.capable = Upstream(self.journal, "cheap", *cheap), Upstream(self.journal, "capable", *capable)
        self.log, self.told = Log(self.journal), []
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
        )
        self.router = Router(parts)
        policies = {policy.name: build_policy(policy) for policy in plan_.policies}
        everybody = frozenset({"cheap", "capable"})
        self.admission = Admission(plan_, policies, {"openai": everybody, "anthropic": frozenset()})
        self.reply = Reply(self.journal)

    def request(self, **body):
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
        context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, body.pop("labels", {}), user_id="u")
        incoming = self.admission.admit(ChatDialect(), json.dumps(body).encode(), context)
        asyncio.run(self.router.route(incoming, self.reply))
        assert self.reply.ended or self.reply.disconnected
        assert len(self.log.records) == 1, "exactly one record"
        return self.log.records[0]


def whole(*args, **options):
    return Answer([answer(*args, **options)], events=False)


def events(*args, **options):
    return Answer(stream(*args, **options), events=True)


BUSY = UpstreamFailedError("status", status=503, body=b'{"error":{"message":"busy"}}', headers={b"retry-after": b"7"})


def test_a_confident_cheap_answer_is_served_and_recorded_before_it_is_sent():
    stage = Stage(plan(threshold=0.7), cheap=[whole("yes", probability=0.9)])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "record", "end"]
    assert (record.tier, record.reason, record.status, record.escalated) == ("cheap", "confident", "ok", False)
    assert record.confidence == pytest.approx(0.9)
    assert record.confidence_kind == "uncalibrated"
    assert record.cost_usd == pytest.approx(10e-6 + 4e-6)
    assert stage.reply.served.tier == "cheap"
    assert stage.reply.served.confidence == pytest.approx(0.9)
    assert json.loads(stage.reply.body)["choices"][0]["logprobs"] is None, "asked for by the gateway alone"
    assert stage.cheap.asked[0]["logprobs"] is True


def test_an_unsure_cheap_answer_is_replaced_and_paid_for():
    stage = Stage(plan(threshold=0.95), cheap=[whole("hm", probability=0.5)], capable=[whole("sure")])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "ask capable", "record", "end"]
    assert (record.first_tier, record.tier, record.reason, record.escalated) == ("cheap", "capable", "unsure", True)
    assert [call.status for call in record.calls] == ["discarded", "ok"]
    assert record.cost_usd == pytest.approx(14e-6 + 56e-6)
    assert record.baseline_cost_usd == pytest.approx(56e-6), "the thrown-away answer is no part of the baseline"
    assert json.loads(stage.reply.body)["choices"][0]["message"]["content"] == "sure"
    assert record.confidence == pytest.approx(0.5), "the judgement that made it escalate"


@pytest.mark.parametrize(
    ("cheap", "reason"),
    [
        (BUSY, "upstream_error"),
        (UpstreamFailedError("timeout"), "upstream_error"),
        (Answer([b"<html>"], events=False), "upstream_error"),
        (Answer([b'{"error": {"message": "no"}}'], events=False), "upstream_error"),
        (Answer([answer()[:80]], events=False), "upstream_error"),
        (Answer([], events=False, fails=UpstreamFailedError("cut")), "upstream_error"),
        (whole(""), "empty_answer"),
        (Answer([answer().replace(b'"logprobs"', b'"other"')], events=False), "no_confidence"),
    ],
    ids=["503", "timeout", "html", "error body under 200", "truncated", "cut", "empty", "no log-probabilities"],
)
def test_whatever_is_wrong_with_the_cheap_answer_the_capable_tier_answers(cheap, reason):
    stage = Stage(plan(), cheap=[cheap], capable=[whole("sure")])
    record = stage.request()
    assert (record.tier, record.reason) == ("capable", reason)
    assert record.status == ("fallback" if reason == "upstream_error" else "ok")
    assert stage.reply.status == 200


def test_when_the_capable_tier_fails_nothing_cheaper_is_asked_or_served():
    stage = Stage(plan(threshold=0.95), cheap=[whole("hm", probability=0.5)], capable=[BUSY])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "ask capable", "record", "end"]
    assert (record.status, record.tier, record.error) == ("error", None, "http_503")
    assert stage.reply.status == 503
    assert stage.reply.headers[b"retry-after"] == b"7"
    assert json.loads(stage.reply.body)["error"]["message"] == "busy"
    assert record.cost_usd == pytest.approx(14e-6)


def test_an_upstream_that_refuses_our_credentials_says_nothing_of_them_to_the_caller():
    refused = UpstreamFailedError("status", status=401, body=b'{"error":{"message":"Incorrect API key sk-abc"}}')
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[refused])
    stage.request()
    assert stage.reply.status == 502
    assert b"sk-abc" not in stage.reply.body


def test_an_empty_answer_of_the_last_tier_is_marked():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[whole("")])
    record = stage.request()
    assert (record.status, record.error, record.tier) == ("error", "empty_answer", "capable")


def test_a_held_stream_is_released_whole_and_stripped():
    stage = Stage(plan(threshold=0.7), cheap=[events("a", "b", probability=0.9)])
    record = stage.request(stream=True)
    assert record.tier == "cheap"
    assert stage.journal == ["intent", "ask cheap", "record", "end"]
    assert b'"logprobs":{' not in stage.reply.body
    assert stage.reply.body.endswith(DONE)
    assert stage.reply.is_stream


def test_a_passed_stream_is_recorded_before_its_last_event():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[events("a", "b", probability=None)])
    record = stage.request(stream=True)
    assert stage.journal[-3:] == ["send", "record", "end"] or stage.journal[-2:] == ["record", "end"]
    assert stage.reply.body == b"".join(stream("a", "b", probability=None))
    assert record.delivered_chars == 2
    assert record.ttft_ms is not None


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4])
def test_a_stream_that_is_cut_ends_in_an_error_event_and_never_in_done(done):
    chunks = stream("a", "b")[:done]
    capable = Answer(chunks, events=True, fails=UpstreamFailedError("cut"))
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[capable])
    record = stage.request(stream=True)
    assert DONE not in stage.reply.body
    assert record.error == "cut"
    if done <= 1:  # nothing of the answer itself had come: a plain error
        assert stage.reply.status == 502
        assert record.tier is None
    else:
        assert stage.reply.status == 200
        assert b'data: {"error":' in stage.reply.body.split(b"\n\n")[-2]
        assert record.status == "error"
        assert record.delivered_chars == min(done - 1, 2)
        assert record.calls[0].status == "cut"


def test_a_stream_that_ends_without_its_end_is_cut_too():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[Answer(stream("a", done=False), events=True)])
    assert stage.request(stream=True).error == "cut"
    assert DONE not in stage.reply.body


def test_a_cheap_stream_that_fails_before_the_answer_began_is_replaced():
    cheap = Answer([ROLE], events=True, fails=UpstreamFailedError("cut"))
    stage = Stage(plan(kind="fixed", tier="cheap"), cheap=[cheap], capable=[events("sure", probability=None)])
    record = stage.request(stream=True)
    assert (record.tier, record.reason, record.status) == ("capable", "upstream_error", "fallback")
    assert stage.reply.body == b"".join(stream("sure", probability=None))


def test_a_cheap_stream_that_fails_after_it_began_is_not_mixed_with_another_model_s():
    cheap = Answer(stream("a", "b")[:2], events=True, fails=UpstreamFailedError("cut"))
    stage = Stage(plan(kind="fixed", tier="cheap"), cheap=[cheap], capable=[events("sure")])
    record = stage.request(stream=True)
    assert (record.tier, record.status) == ("cheap", "error")
    assert "ask capable" not in stage.journal


def test_an_error_inside_a_stream_is_an_error():
    chunks = [*stream("a")[:2], b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n']
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[Answer(chunks, events=True)])
    record = stage.request(stream=True)
    assert record.status == "error"
    assert b"overloaded" not in stage.reply.body


def test_what_came_in_one_piece_with_an_error_is_delivered_as_the_record_says():
    role, first, second, *_ = stream("a", "b")
    failed = b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[Answer([role, first, second + failed], events=True)])
    record = stage.request(stream=True)
    assert (record.status, record.delivered_chars) == ("error", 2)
    assert b'"content": "b"' in stage.reply.body or b'"content":"b"' in stage.reply.body


def test_a_caller_that_leaves_a_stream_has_its_cost_recorded():
    stage = Stage(plan(kind="fixed", tier="capable"))
    stage.capable.replies = [
        Answer(
            stream("abcd" * 10, "b"), events=True, before_chunk=lambda n: stage.reply.disconnect() if n == 2 else None
        )
    ]
    record = stage.request(stream=True)
    assert (record.status, record.error, record.tier) == ("abandoned", "client_closed", "capable")
    assert record.calls[0].status == "abandoned"
    assert record.output_tokens == 10
    assert record.cost_usd > 0


def test_a_caller_that_leaves_while_the_cheap_answer_is_held_asks_no_dearer_tier():
    stage = Stage(plan(threshold=0.99))
    stage.cheap.replies = [
        Answer(stream("a", "b"), events=True, before_chunk=lambda n: stage.reply.disconnect() if n == 1 else None)
    ]
    record = stage.request(stream=True)
    assert "ask capable" not in stage.journal
    assert record.status == "abandoned"


def test_a_caller_that_leaves_before_a_whole_answer_came_has_its_exact_cost_recorded():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[whole("sure", usage=(100, 50))])
    stage.reply.disconnected = False
    original = stage.capable.ask

    async def ask(request):
        stage.reply.disconnect()
        return await original(request)

    stage.capable.ask = ask
    record = stage.request()
    assert (record.status, record.output_tokens) == ("abandoned", 50)


def test_a_named_tier_is_asked_alone_and_its_failure_is_its_own():
    stage = Stage(plan(), cheap=[BUSY])
    record = stage.request(model="cheap-model")
    assert (record.reason, record.policy, record.status) == ("requested", None, "error")
    assert "ask capable" not in stage.journal


def test_the_holdout_is_served_by_the_capable_tier():
    stage = Stage(plan(), capable=[whole("sure")])
    stage.plan = msgspec.structs.replace(stage.plan, holdout=HoldoutPlan(share=0.5))
    stage.admission._plan = stage.plan
    records = []
    for number in range(20):
        stage.reply, stage.log.records = Reply(stage.journal), []
        stage.cheap.replies, stage.capable.replies = [whole("yes")], [whole("sure")]
        records.append(_as_user(stage, f"user-{number}"))
    held = [record for record in records if record.arm == "holdout"]
    assert 3 < len(held) < 17
    assert {(record.tier, record.reason) for record in held} == {("capable", "holdout")}
    assert {record.tier for record in records if record.arm == "treatment"} == {"cheap"}


def _as_user(stage, user):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}], "user": user}).encode()
    context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, {})
    incoming = stage.admission.admit(ChatDialect(), body, context)
    asyncio.run(stage.router.route(incoming, stage.reply))
    return stage.log.records[0]


class Classifier:
    version = "c1"

    def __init__(self, result):
        self.result = result

    async def probability(self, _):
        if isinstance(self.result, Exception):
            raise self.result
        if self.result == "slow":
            await asyncio.sleep(5)
        return self.result


@pytest.mark.parametrize(
    ("classifier", "tier", "reason"),
    [
        (Classifier(0.9), "cheap", "easy"),
        (Classifier(0.1), "capable", "hard"),
        (None, "capable", "classifier_absent"),
        (Classifier("slow"), "capable", "classifier_late"),
        (Classifier(ClassifierError("x")), "capable", "classifier_error"),
        (Classifier(RuntimeError("secret text")), "capable", "classifier_error"),
    ],
    ids=["easy", "hard", "absent", "late", "failing", "broken"],
)
def test_a_classifier_that_is_absent_late_or_failing_means_the_capable_tier(classifier, tier, reason):
    stage = Stage(
        plan(kind="classifier", method="text", deadline_ms=20),
        cheap=[whole()],
        capable=[whole()],
        classifier=classifier,
    )
    record = stage.request()
    assert (record.tier, record.reason) == (tier, reason)


def test_a_classifier_that_computes_past_its_deadline_is_late_too():
    ticks = iter([0.0, 0.1] + [0.2] * 100)  # its two readings lie 100 ms apart
    stage = Stage(
        plan(kind="classifier", method="text", deadline_ms=20),
        capable=[whole()],
        classifier=Classifier(0.9),
        clock=ticks.__next__,
    )
    assert stage.request().reason == "classifier_late"


def test_observing_serves_what_was_asked_for_and_says_what_the_policy_would_have_done():
    stage = Stage(plan(mode="observe", threshold=0.95), cheap=[whole("hm", probability=0.5)])
    record = stage.request(model="cheap")
    assert (record.mode, record.tier, record.decided_tier, record.reason) == ("observe", "cheap", "capable", "observed")
    assert record.confidence == pytest.approx(0.5)
    assert record.arm is None


def test_observing_a_dearer_choice_than_the_cascade_begins_with_leaves_open_what_it_would_have_done():
    stage = Stage(plan(mode="observe"), capable=[whole()])
    record = stage.request(model="auto")
    assert (record.tier, record.decided_tier) == ("capable", None)


def test_observing_a_classifier_needs_no_further_call():
    stage = Stage(
        plan(mode="observe", kind="classifier", method="text"), capable=[whole()], classifier=Classifier(0.99)
    )
    record = stage.request(model="capable")
    assert (record.tier, record.decided_tier, record.confidence) == ("capable", "cheap", 0.99)


def test_a_fault_of_ours_is_an_error_to_the_caller_and_a_record():
    stage = Stage(plan(kind="fixed", tier="capable"))
    stage.capable.ask = None
    record = stage.request()
    assert (stage.reply.status, record.status, record.error) == (500, "error", "internal")


def test_a_cancelled_request_leaves_its_record():
    stage = Stage(plan(kind="fixed", tier="capable"))

    async def ask(request):
        raise asyncio.CancelledError

    stage.capable.ask = ask
    with pytest.raises(asyncio.CancelledError):
        stage.request()
    assert [(r.status, r.error) for r in stage.log.records] == [("abandoned", "cancelled")]


def test_the_baseline_of_a_cheap_answer_uses_the_measured_ratio_of_lengths_or_is_absent():
    assert Stage(plan(), cheap=[whole()]).request().baseline_cost_usd is None
    record = Stage(plan(), cheap=[whole()], ratio=2.0).request()
    assert record.baseline_cost_usd == pytest.approx(10 * 4e-6 + 4 * 8e-6)


def test_text_is_kept_only_where_wanted_and_only_redacted():
    record = Stage(plan(), cheap=[whole("my card")]).request()
    assert (record.prompt, record.response) == (None, None)
    record = Stage(
        plan(), cheap=[whole("my card")], keeps_text=True, redact=lambda text: text.replace("card", "***")
    ).request()
    assert record.response == "my ***"
    assert "hi" in record.prompt

    def broken(text):
        raise ValueError(text)

    record = Stage(plan(), cheap=[whole("my card")], keeps_text=True, redact=broken).request()
    assert (record.prompt, record.response) == (None, None)


def test_a_caller_that_reads_slowly_is_waited_for():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[events("a", "b", "c", probability=None)])
    stage.reply.is_congested = True
    stage.request(stream=True)
    assert stage.journal.count("room") == stage.journal.count("send") == 4


def test_a_stream_that_is_cancelled_after_it_began_says_what_was_delivered_and_what_it_cost():
    stage = Stage(plan(kind="fixed", tier="capable"))

    def cancel(number):
        if number == 2:
            raise asyncio.CancelledError

    stage.capable.replies = [Answer(stream("abcd" * 10, "b"), events=True, before_chunk=cancel)]
    with pytest.raises(asyncio.CancelledError):
        stage.request(stream=True)
    (record,) = stage.log.records
    assert (record.status, record.error, record.tier) == ("abandoned", "cancelled", "capable")
    assert record.delivered_chars == 40
    assert record.cost_usd > 0


@pytest.mark.parametrize("policy", [{"kind": "fixed", "tier": "capable"}, {"threshold": 0.7}], ids=["passed", "held"])
def test_an_upstream_that_does_not_close_after_its_last_event_holds_up_nothing(policy):
    stage = Stage(plan(**policy))
    answer_ = Answer(stream("a"), events=True)

    async def pump(take):
        aborted = asyncio.Event()
        answer_.abort = aborted.set
        for chunk in stream("a"):
            take(chunk)
        await aborted.wait()
        raise UpstreamFailedError("aborted")

    answer_.pump = pump
    stage.capable.replies = [answer_]
    stage.cheap.replies = [answer_]

    async def main():
        context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, {}, user_id="u")
        body = json.dumps({"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
        incoming = stage.admission.admit(ChatDialect(), body, context)
        await asyncio.wait_for(stage.router.route(incoming, stage.reply), 5)

    asyncio.run(main())
    assert stage.reply.ended


def test_a_caller_that_left_before_the_stream_s_head_came_ends_the_upstreams_work():
    stage = Stage(plan(kind="fixed", tier="capable"))
    answer_ = Answer(stream("abcd" * 10, "b"), events=True)
    stage.capable.replies = [answer_]
    original = stage.capable.ask

    async def ask(request):
        reply = await original(request)
        stage.reply.disconnect()  # while the upstream thought
        return reply

    stage.capable.ask = ask
    record = stage.request(stream=True)
    assert answer_.aborted
    assert (record.status, record.tier, record.delivered_chars) == ("abandoned", None, None)


@pytest.mark.parametrize("streams", [False, True])
def test_who_left_before_anything_was_sent_was_served_nothing(streams):
    stage = Stage(plan(threshold=0.7))
    stage.cheap.replies = [events("a") if streams else whole("yes")]
    original = stage.cheap.ask

    async def ask(request):
        reply = await original(request)
        stage.reply.disconnect()
        return reply

    stage.cheap.ask = ask
    record = stage.request(stream=streams)
    assert (record.status, record.tier, record.delivered_chars) == ("abandoned", None, None)


def test_observing_an_answer_that_was_cut_decides_nothing_by_its_beginning():
    chunks = stream("a", "b", probability=0.99)[:2]
    stage = Stage(
        plan(mode="observe", threshold=0.7), cheap=[Answer(chunks, events=True, fails=UpstreamFailedError("cut"))]
    )
    record = stage.request(model="cheap", stream=True)
    assert (record.status, record.decided_tier, record.confidence) == ("error", None, None)
