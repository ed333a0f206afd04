"""Answers that are looked at while they come: committed early, waited for, or raced; what the caller sees of which."""

import asyncio
import contextlib
import json

import pytest

from undertow.policies.base import Ask, Commit, Judgement, Race, Release, Wait
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.answer import Evidence
from unit.services.stage import (
    BUSY,
    DONE,
    ROLE,
    Answer,
    Coming,
    Flow,
    Scripted,
    Stage,
    answer,
    event,
    plan,
    stream,
    whole,
)  # fmt: skip

LOOK = Ask("cheap", hold=True, reason="cascade", begun_tokens=2)
KEEP = Release("cheap", "confident")
UP = Ask("capable", hold=False, reason="unsure", escalated=True)


def streamed(stage, **body):
    return stage.request(stream=True, **body)


def texts(body):
    """The texts of all chunks of a stream."""
    chunks = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [
        choice["delta"].get("content") for chunk in chunks for choice in chunk.get("choices", ()) if choice["delta"]
    ]


# -- the beginning


def test_a_policy_is_told_of_the_first_tokens_and_holds_on():
    policy = Scripted(LOOK, Wait("cheap"), KEEP)
    stage = Stage(plan(), cheap=[Flow(stream("a", "b", "c", "d"))], policy=policy)
    record = streamed(stage)
    assert policy.told == ["Begun", "Held", "Served"]
    begun, held, _ = policy.events
    assert (begun.answer.logprob_count, begun.answer.chars, begun.answer.finish_reason) == (2, 2, None)
    assert held.answer.logprob_count == 4
    assert stage.journal == ["intent", "ask cheap", "record", "end"], "held to the end all the same"
    assert record.committed_tokens is None


def test_pieces_count_where_there_are_no_log_probabilities():
    policy = Scripted(LOOK, Wait("cheap"), KEEP)
    thinking = [event({"reasoning_content": "hm"})] * 3
    chunks = [ROLE, *thinking, *stream("a", "b", "c", probability=None)[1:]]
    streamed(Stage(plan(), cheap=[Flow(chunks)], policy=policy))
    assert policy.told[0] == "Begun"
    assert policy.events[0].answer.chars == 2, "reasoning is no token of the answer"


CALL = event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]})
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    "chunks",
    [
        stream("a"),
        [ROLE, CALL, event({}, finish_reason="tool_calls"), DONE],
        [ROLE, CALL, *stream("a", "b", "c")[1:]],
        [b"".join(stream("a", "b", "c"))],
        [ROLE, b"".join(stream("a", "b", "c")[1:-1]), DONE],
    ],
    ids=["shorter", "a tool call", "text after a tool call", "whole in one chunk", "finished but for its last event"],
)
def test_there_is_no_beginning_of_an_answer_that_is_over_or_calls_a_tool(chunks):
    policy = Scripted(LOOK, KEEP)
    streamed(Stage(plan(), cheap=[Flow(chunks)], policy=policy), tools=TOOLS)
    assert policy.told == ["Held", "Served"]


def test_a_tool_call_after_the_beginning_is_seen_by_whoever_waited():
    policy = Scripted(LOOK, Wait("cheap"), KEEP)
    chunks = [*stream("a", "b", done=False)[:-1], CALL, event({}, finish_reason="tool_calls"), DONE]
    streamed(Stage(plan(), cheap=[Flow(chunks)], policy=policy), tools=TOOLS)
    assert policy.events[1].answer.tool_names == ("f",)


def test_a_caller_who_did_not_ask_for_a_stream_gets_nothing_early():
    policy = Scripted(LOOK, KEEP)
    Stage(plan(), cheap=[whole("yes")], policy=policy).request()
    assert policy.told == ["Held", "Served"]


def test_a_stream_that_fails_before_the_beginning_has_failed():
    policy = Scripted(LOOK, UP)
    stage = Stage(
        plan(), cheap=[Flow([ROLE], fails=UpstreamFailedError("cut"))], capable=[Flow(stream("sure"))], policy=policy
    )
    assert (streamed(stage).status, policy.told) == ("fallback", ["Failed", "Served"])


# -- committing


def test_a_commit_serves_what_has_come_at_once_and_the_rest_as_it_comes():
    gate, seen = asyncio.Event(), []
    policy = Scripted(LOOK, Commit("cheap", "confident", Judgement(confidence=0.9, features={"x": 1.0})))
    chunks = stream("a", "b", "c", "d")
    stage = Stage(plan(), cheap=[Flow([*chunks[:3], gate, *chunks[3:]])], policy=policy)
    send = stage.reply.send

    def see(chunk):
        send(chunk)
        seen.append(texts(stage.reply.body))
        gate.set()  # the upstream goes on only when the caller has the beginning

    stage.reply.send = see
    record = streamed(stage)
    assert seen[0] == ["", "a", "b"]
    assert stage.reply.body.endswith(DONE)
    assert texts(stage.reply.body) == ["", "a", "b", "c", "d"]
    assert b'"logprobs": {' not in stage.reply.body, "asked for by the gateway alone"
    assert (record.tier, record.reason, record.status, record.escalated) == ("cheap", "confident", "ok", False)
    assert (record.committed_tokens, record.confidence) == (2, 0.9)
    assert record.features["x"] == 1.0
    assert record.features["mean_logprob"] < 0, "of the whole answer, for the next calibration"
    assert record.ttft_ms < record.latency_ms
    assert [(call.purpose, call.status) for call in record.calls] == [("serve", "ok")]
    assert stage.journal[-2:] == ["record", "end"], "the record comes before the last event"


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ({"fails": UpstreamFailedError("cut")}, "cut"),
        ({"fails": UpstreamFailedError("timeout")}, "timeout"),
        ({"more": [b'data: {"error": {"message": "overloaded"}}\n\n']}, "garbage"),
        ({"more": [b"<html>\n\n" * 2]}, "garbage"),
        ({}, "cut"),
    ],
    ids=["cut", "late", "an error event", "garbage", "an end without an end"],
)
def test_after_a_commit_a_failure_is_an_error_event_and_no_other_tier_s_turn(rest, error):
    policy = Scripted(LOOK, Commit("cheap", "confident"), UP)
    chunks = [*stream("a", "b", "c")[:4], *rest.get("more", ())]
    stage = Stage(plan(), cheap=[Flow(chunks, fails=rest.get("fails"))], policy=policy)
    record = streamed(stage)
    assert policy.told == ["Begun", "Served"]
    assert "ask capable" not in stage.journal
    assert DONE not in stage.reply.body
    assert b'data: {"error":' in stage.reply.body.split(b"\n\n")[-2]
    assert (record.tier, record.status, record.error, record.delivered_chars) == ("cheap", "error", error, 3)
    assert [call.status for call in record.calls] == [error]


def test_a_caller_that_leaves_after_a_commit_ends_the_upstream_s_work():
    policy = Scripted(LOOK, Commit("cheap", "confident"))
    stage = Stage(plan(), policy=policy)
    flow = Flow([*stream("abcdefgh", "b", "c")[:3], asyncio.Event()])
    stage.cheap.replies = [flow]
    send = stage.reply.send
    stage.reply.send = lambda chunk: (send(chunk), stage.reply.disconnect())
    record = streamed(stage)
    assert flow.aborted
    assert (record.status, record.tier, record.error) == ("abandoned", "cheap", "client_closed")
    assert record.calls[0].status == "abandoned"
    assert record.cost_usd > 0


def test_a_fault_of_ours_after_a_commit_ends_the_stream_in_an_error(caplog):
    policy = Scripted(LOOK, Commit("cheap", "confident"))
    flow = Flow(stream("a", "b", "c", "d"))
    stage = Stage(plan(), cheap=[flow], policy=policy)
    send, sent = stage.reply.send, []

    def break_down(chunk):
        send(chunk)
        sent.append(chunk)
        if len(sent) == 2:
            raise RuntimeError("no more")

    stage.reply.send = break_down
    record = streamed(stage)
    assert [entry.message for entry in caplog.records] == ["call_failed"]
    assert flow.aborted
    assert DONE not in stage.reply.body
    assert b'data: {"error":' in stage.reply.body.split(b"\n\n")[-2]
    assert (record.tier, record.status) == ("cheap", "error")


def test_a_caller_that_reads_slowly_is_waited_for_after_a_commit_too():
    policy = Scripted(LOOK, Commit("cheap", "confident"))
    stage = Stage(plan(), cheap=[Flow(stream("a", "b", "c", "d"))], policy=policy)
    stage.reply.is_congested = True
    streamed(stage)
    assert stage.journal.count("room") >= 2


# -- racing


def race(*ends, **options):
    policy = Scripted(LOOK, Race("cheap", "capable"), *ends)
    stage = Stage(plan(), policy=policy, **options)
    return stage, policy


def test_a_rival_that_loses_is_cancelled_and_its_cost_is_counted():
    rival = Flow([*stream("abcd" * 5, probability=None)[:2], asyncio.Event()])
    stage, policy = race(KEEP, cheap=[Flow(stream("a", "b", "c", "d"))], capable=[rival])
    record = streamed(stage)
    assert policy.told == ["Begun", "Held", "Served"]
    assert rival.aborted
    assert texts(stage.reply.body) == ["", "a", "b", "c", "d"]
    cheap, lost = record.calls
    assert (cheap.tier, cheap.purpose, cheap.status) == ("cheap", "serve", "ok")
    assert (lost.tier, lost.purpose, lost.status, lost.output_tokens) == ("capable", "race", "cancelled", 5)
    assert record.cost_usd == pytest.approx(cheap.cost_usd + lost.cost_usd)
    assert lost.cost_usd > 5 * 8e-6, "its prompt counts too"
    assert (record.tier, record.status, record.first_tier) == ("cheap", "ok", "cheap")
    assert "logprobs" not in stage.capable.asked[0], "the last tier is never judged"


def test_a_rival_whose_head_has_not_come_is_cancelled_too():
    coming = Coming(Flow(stream("sure")))
    stage, _ = race(KEEP, cheap=[Flow(stream("a", "b", "c"))], capable=[coming])
    record = streamed(stage)
    assert coming.was_cancelled
    lost = record.calls[1]
    assert (lost.purpose, lost.status, lost.output_tokens) == ("race", "cancelled", 0)
    assert lost.input_tokens > 0


def test_a_rival_that_wins_serves_what_it_has_at_once_and_nothing_of_the_other_is_seen():
    gate = asyncio.Event()
    chunks = stream("sure", "ly", probability=None)
    rival = Flow([*chunks[:2], gate, *chunks[2:]])
    stage, _ = race(UP, cheap=[Flow(stream("bad", "worse", "worst"))], capable=[rival])
    send = stage.reply.send
    stage.reply.send = lambda chunk: (send(chunk), gate.set())
    record = streamed(stage)
    assert stage.reply.body == b"".join(chunks)
    assert [(call.tier, call.purpose, call.status) for call in record.calls] == [
        ("cheap", "serve", "discarded"),
        ("capable", "race", "ok"),
    ]
    assert (record.tier, record.first_tier, record.reason, record.escalated) == ("capable", "cheap", "unsure", True)
    assert stage.journal.count("ask capable") == 1


def test_a_rival_that_is_done_already_is_served_whole():
    gate = asyncio.Event()
    rival = Flow(stream("sure", probability=None))
    chunks = stream("bad", "worse", "worst")
    stage, _ = race(UP, capable=[rival], cheap=[Flow([*chunks[:3], gate, *chunks[3:]])])
    pump = rival.pump

    async def then_open(take):
        await pump(take)
        gate.set()

    rival.pump = then_open
    record = streamed(stage)
    assert stage.reply.body == b"".join(stream("sure", probability=None))
    assert [(call.purpose, call.status) for call in record.calls] == [("race", "ok"), ("serve", "discarded")]


def test_a_whole_answer_of_a_rival_that_is_not_needed_is_discarded():
    gate = asyncio.Event()
    rival = Flow(stream("sure", probability=None))
    chunks = stream("a", "b", "c")
    stage, _ = race(KEEP, capable=[rival], cheap=[Flow([*chunks[:3], gate, *chunks[3:]])])
    pump = rival.pump

    async def then_open(take):
        await pump(take)
        gate.set()

    rival.pump = then_open
    record = streamed(stage)
    assert [(call.tier, call.status) for call in record.calls] == [("capable", "discarded"), ("cheap", "ok")]


def test_a_rival_that_failed_before_it_was_needed_is_asked_anew():
    stage, _ = race(UP, cheap=[Flow(stream("a", "b", "c"))], capable=[BUSY, Flow(stream("sure", probability=None))])
    record = streamed(stage)
    assert stage.journal.count("ask capable") == 2
    assert (record.tier, record.status) == ("capable", "ok"), "a rival that was not needed is no failure of the request"
    assert [(call.purpose, call.status) for call in record.calls] == [
        ("race", "http_503"),
        ("serve", "discarded"),
        ("serve", "ok"),
    ]


def test_a_rival_that_fails_after_it_was_needed_is_the_failure_of_its_tier():
    rival = Flow([ROLE, asyncio.Event()])
    stage, policy = race(UP, cheap=[Flow(stream("a", "b", "c"))], capable=[rival])
    pump = rival.pump

    async def cut(take):
        asyncio.get_running_loop().call_later(0.05, rival.abort)  # the other one is long done
        with contextlib.suppress(UpstreamFailedError):
            await pump(take)
        raise UpstreamFailedError("cut")

    rival.pump = cut
    record = streamed(stage)
    assert (stage.reply.status, record.status, record.error, record.tier) == (502, "error", "cut", None)
    assert policy.told == ["Begun", "Held", "Failed"]


def test_when_the_cheap_one_fails_the_rival_answers():
    chunks = stream("a", "b", "c")[:3]
    stage, policy = race(
        Ask("capable", hold=False, reason="upstream_error"),
        cheap=[Flow(chunks, fails=UpstreamFailedError("cut"))],
        capable=[Flow(stream("sure", probability=None))],
    )
    record = streamed(stage)
    assert policy.told == ["Begun", "Failed", "Served"]
    assert (record.tier, record.status) == ("capable", "fallback")
    assert texts(stage.reply.body) == ["", "sure"]


def test_a_fault_of_ours_in_a_rival_counts_as_its_failure(caplog):
    rival = Flow(stream("sure"))
    rival.pump = None
    stage, _ = race(UP, cheap=[Flow(stream("a", "b", "c"))], capable=[rival, Flow(stream("sure", probability=None))])
    record = streamed(stage)
    assert (record.tier, record.status) == ("capable", "ok")
    assert [entry.message for entry in caplog.records] == ["call_failed"]
    assert rival.aborted


def test_a_caller_that_leaves_a_race_ends_both():
    rival = Flow([ROLE, asyncio.Event()])
    cheap = Flow([*stream("a", "b")[:3], asyncio.Event()])
    stage, policy = race(UP, cheap=[cheap], capable=[rival])
    pump = rival.pump

    async def leave_then(take):
        asyncio.get_running_loop().call_later(0.01, stage.reply.disconnect)
        await pump(take)

    rival.pump = leave_then
    record = streamed(stage)
    assert cheap.aborted
    assert rival.aborted
    assert (record.status, record.error, record.tier) == ("abandoned", "client_closed", None)
    assert policy.told == ["Begun", "Failed"]
    assert {call.tier for call in record.calls} == {"cheap", "capable"}


@pytest.mark.parametrize("then", ["race", "commit", "look", "head"])
def test_a_request_that_is_cancelled_leaves_no_call_behind(then):
    never = asyncio.Event()
    cheap, rival = Flow([*stream("a", "b")[:3], never]), Flow([ROLE, never])
    commands = {
        "race": (LOOK, Race("cheap", "capable")),
        "commit": (LOOK, Commit("cheap", "confident")),
        "look": (Ask("cheap", hold=True, reason="cascade", begun_tokens=50),),
        "head": (LOOK,),
    }[then]
    stage = Stage(plan(), policy=Scripted(*commands), cheap=[cheap], capable=[rival])
    coming = Coming(cheap)
    if then == "head":
        stage.cheap.replies = [coming]

    async def main():
        task = asyncio.ensure_future(stage.route(stage.incoming(stream=True)))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(main())
    (record,) = stage.log.records
    assert (record.status, record.error) == ("abandoned", "cancelled")
    assert record.tier == ("cheap" if then == "commit" else None)
    assert {call.status for call in record.calls} == {"abandoned"}
    assert len(record.calls) == (2 if then == "race" else 1)
    assert cheap.aborted or coming.was_cancelled
    assert rival.aborted == (then == "race")


def test_a_policy_that_stops_in_the_middle_of_a_race_leaves_nothing_running():
    rival = Flow([ROLE, asyncio.Event()])
    stage, _ = race(cheap=[Flow(stream("a", "b", "c"))], capable=[rival])
    record = streamed(stage)
    assert record.status == "error"
    assert rival.aborted
    assert [call.status for call in record.calls] == ["discarded", "cancelled"]


def test_a_policy_that_breaks_in_the_middle_of_a_race_leaves_nothing_running():
    rival = Flow([ROLE, asyncio.Event()])
    stage, _ = race(Release("capable", "confident"), cheap=[Flow(stream("a", "b", "c"))], capable=[rival])
    record = streamed(stage)
    assert (stage.reply.status, record.error) == (500, "internal")
    assert rival.aborted


def test_a_rival_that_is_to_be_judged_itself_is_held_on():
    """Three tiers: the rival's answer becomes the held one, is looked at in turn, and brings its evidence."""
    policy = Scripted(
        LOOK,
        Race("cheap", "capable"),
        Ask("capable", hold=True, reason="unsure", escalated=True, begun_tokens=1),
        Commit("capable", "confident", escalated=True),
        needs=Evidence(logprobs=True, tokens=True),
    )
    chunks = stream("sure", "ly", "so")
    gate = asyncio.Event()
    rival = Flow([*chunks[:2], gate, *chunks[2:]])
    stage = Stage(plan(tiers=("cheap", "capable")), policy=policy, cheap=[Flow(stream("a", "b", "c"))], capable=[rival])
    send = stage.reply.send
    stage.reply.send = lambda chunk: (send(chunk), gate.set())
    record = streamed(stage)
    assert policy.told == ["Begun", "Held", "Begun", "Served"]
    assert texts(stage.reply.body) == ["", "sure", "ly", "so"]
    assert [call.status for call in record.calls] == ["discarded", "ok"]


# -- upstreams that give no log-probabilities

REFUSED = UpstreamFailedError(
    "status", status=400, body=b'{"error": {"message": "logprobs are not supported", "param": "logprobs"}}'
)
PLAIN = whole("yes")


def plain():
    return Answer([answer("yes").replace(b'"logprobs"', b'"other"')], events=False)


def test_a_tier_that_refuses_log_probabilities_is_asked_without_and_not_asked_for_them_again():
    clock = iter(x / 1000 for x in range(100_000))
    shift = [0.0]
    stage = Stage(
        plan(),
        cheap=[REFUSED, plain(), plain(), REFUSED, plain()],
        capable=[whole("sure"), whole("sure"), whole("sure")],
        clock=lambda: next(clock) + shift[0],
    )

    def again():
        stage.again()
        return stage.request()

    record = again()
    assert (record.tier, record.reason, record.status) == ("capable", "no_confidence", "ok")
    assert [(call.tier, call.status) for call in record.calls] == [
        ("cheap", "http_400"),
        ("cheap", "discarded"),
        ("capable", "ok"),
    ]
    assert ["logprobs" in body for body in stage.cheap.asked] == [True, False]
    assert len(again().calls) == 2, "remembered: not each request pays twice"
    assert "logprobs" not in stage.cheap.asked[2]
    shift[0] = 601.0
    assert len(again().calls) == 3, "and after ten minutes looked at again"


def test_an_upstream_s_other_complaints_are_no_refusal_of_log_probabilities():
    other = UpstreamFailedError("status", status=400, body=b'{"error": {"message": "too long", "param": "messages"}}')
    stage = Stage(plan(), cheap=[other], capable=[whole("sure")])
    assert stage.request().reason == "upstream_error"
    assert len(stage.cheap.asked) == 1


def test_a_caller_cannot_have_it_remembered_that_a_tier_refuses_log_probabilities():
    stage = Stage(plan(), cheap=[REFUSED, plain(), whole("yes")], capable=[whole("sure")])
    stage.request(top_logprobs=99, logprobs=False)
    stage.again()
    assert stage.request().tier == "cheap"
    assert stage.cheap.asked[-1]["logprobs"] is True


def test_a_stream_from_a_tier_that_refuses_log_probabilities_is_read_without_them():
    stage = Stage(plan(), cheap=[REFUSED, Flow(stream("a", probability=None))], capable=[Flow(stream("sure"))])
    record = streamed(stage)
    assert (record.tier, record.reason) == ("capable", "no_confidence")
