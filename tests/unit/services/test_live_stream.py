"""Streams that are passed on: nothing is sent twice, nothing ends cleanly that was cut, and no two models are mixed."""

import asyncio
import json

import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.ports.upstream import UpstreamFailedError
from undertow.services.admit import Context
from unit.services.stage import DONE, ROLE, Answer, Stage, events, plan, stream


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
