"""The client for asyncio: answers, streams, errors, and exactly one record of each."""

import asyncio
import gc
import os

import pytest

from client_plan import Recorder, plan_for
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from undertow.adapters.guard.controls import controls_files, write_controls
from undertow.client.answer import AnswerError
from undertow.client.in_process import AsyncClient, read_segment
from undertow.records.guard import Controls, Pin, PolicyControls, Restriction
from undertow.records.serving import EndpointPlan, PolicyPlan, TierPlan

ASK = [{"role": "user", "content": "When was my invoice sent?"}]
TEXT = "The invoice was sent on Monday."


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def recorder():
    return Recorder()


def run(upstream, recorder, work, **changes):
    """Do `work(client)` with a client that is closed afterwards."""

    async def main():
        async with AsyncClient(plan_for(upstream, "unused", **changes), sink=recorder.sink, env={}) as client:
            return await work(client)

    return asyncio.run(main())


def test_an_answer_and_its_record(upstream, recorder):
    async def work(client):
        return await client.chat.completions.create(
            model="auto", messages=ASK, metadata={"intent": "billing"}, segment={"plan": "pro"}, user_id="u1"
        )

    answer = run(upstream, recorder, work)
    assert answer.choices[0].message.content == TEXT
    assert answer.undertow.tier == "cheap"
    [record] = recorder.records
    assert record.decision_id == answer.undertow.decision_id
    assert record.segment == {"intent": "billing", "plan": "pro"}
    assert (record.user_id, record.status, record.reason) == ("u1", "ok", "confident")
    assert [intent.decision_id for intent in recorder.intents] == [record.decision_id]


def test_a_stream_and_its_record(upstream, recorder):
    async def work(client):
        stream = await client.chat.completions.create(model="auto", messages=ASK, stream=True)
        return "".join([chunk.choices[0].delta.get("content") or "" async for chunk in stream if chunk.choices])

    assert run(upstream, recorder, work) == TEXT
    assert [record.status for record in recorder.records] == ["ok"]


@pytest.mark.parametrize("endpoint", ["messages", "responses"])
def test_the_other_formats(upstream, recorder, endpoint):
    kind = "anthropic" if endpoint == "messages" else "openai"
    tier = TierPlan(name="only", model="m", endpoints=(EndpointPlan(base_url=upstream.base_url, kind=kind),))
    fixed = PolicyPlan(name="auto", version="v1", kind="fixed", tier="only", tiers=("only",))
    body = {"messages": ASK, "max_tokens": 50} if endpoint == "messages" else {"input": "hello"}

    async def work(client):
        whole = await getattr(client, endpoint).create(model="auto", **body)
        stream = await getattr(client, endpoint).create(model="auto", stream=True, **body)
        return whole, [chunk.type async for chunk in stream]

    whole, events = run(upstream, recorder, work, tiers=(tier,), policies=(fixed,))
    assert TEXT in str(whole.to_dict())
    assert events[-1] in {"message_stop", "response.completed"}
    assert [(record.status, record.endpoint) for record in recorder.records] == [("ok", endpoint)] * 2


@pytest.mark.parametrize(
    ("body", "status", "code", "recorded"),
    [
        ({"model": "nope", "messages": ASK}, 404, "model_not_found", "refused"),
        ({"model": "auto"}, 400, "missing_required_parameter", "refused"),
        ({"messages": ASK}, 400, "missing_required_parameter", "refused"),
        ({"model": "auto", "messages": ASK, "metadata": {"a": {}}}, 400, "invalid_type", "refused"),
    ],
    ids=["model", "messages", "no model", "metadata"],
)
def test_a_refusal_is_raised_and_recorded(upstream, recorder, body, status, code, recorded):
    async def work(client):
        with pytest.raises(AnswerError) as caught:
            await client.chat.completions.create(**body)
        return caught.value

    error = run(upstream, recorder, work)
    assert (error.status, error.code) == (status, code)
    assert [(r.decision_id, r.status, r.error) for r in recorder.records] == [(error.decision_id, recorded, code)]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"), [("fail-400", 400), ("fail-503", 503), ("cut-before-event", 502)], ids=str
)
def test_what_no_tier_could_answer_is_raised_and_recorded(upstream, recorder, model, status, is_stream):
    tiers = tuple(
        TierPlan(name=name, model=model, endpoints=(EndpointPlan(base_url=upstream.base_url),))
        for name in ("cheap", "capable")
    )

    async def work(client):
        with pytest.raises(AnswerError) as caught:
            await client.chat.completions.create(model="auto", messages=ASK, stream=is_stream)
        return caught.value

    error = run(upstream, recorder, work, tiers=tiers)
    assert error.status == status
    assert [(r.decision_id, r.status) for r in recorder.records] == [(error.decision_id, "error")]


def test_an_error_body_that_is_no_json_is_an_error_all_the_same(upstream, recorder):
    upstream.script(*[Reply(status=400, body=b'{"error": {"message": "cut')] * 2)

    async def work(client):
        with pytest.raises(AnswerError) as caught:
            await client.chat.completions.create(model="large", messages=ASK)
        return caught.value

    assert run(upstream, recorder, work).status == 400


def test_a_stream_that_is_cut_ends_in_an_error(upstream, recorder):
    upstream.script(Reply(cut_after=3))

    async def work(client):
        stream = await client.chat.completions.create(model="large", messages=ASK, stream=True)
        with pytest.raises(AnswerError) as caught:
            [chunk async for chunk in stream]
        return caught.value

    assert run(upstream, recorder, work).code == "upstream_cut"
    assert [(record.status, record.tier) for record in recorder.records] == [("error", "capable")]


@pytest.mark.parametrize("how", ["close", "garbage", "client closed"])
def test_a_stream_that_nobody_reads_on_is_abandoned(upstream, recorder, how):
    upstream.script(Reply(endless="drip"))

    async def work(client):
        stream = await client.chat.completions.create(model="large", messages=ASK, stream=True)
        await anext(stream)
        if how == "close":
            await stream.aclose()
        elif how == "garbage":
            del stream
            gc.collect()
            while not recorder.records:  # noqa: ASYNC110 (it is told nothing)
                await asyncio.sleep(0.01)
        return None if how != "client closed" else stream

    run(upstream, recorder, work)
    assert [record.status for record in recorder.records] == ["abandoned"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_caller_who_waits_no_longer_leaves_a_record(upstream, recorder, is_stream):
    upstream.script(Reply(delay_s=30))

    async def work(client):
        with pytest.raises(TimeoutError):
            await client.chat.completions.create(model="auto", messages=ASK, stream=is_stream, timeout=0.05)

    run(upstream, recorder, work)
    assert [(record.status, record.error) for record in recorder.records] == [("abandoned", "cancelled")]


def test_many_at_once_each_have_their_own_answer_and_record(upstream, recorder):
    async def work(client):
        asked = (client.chat.completions.create(model="auto", messages=ASK) for _ in range(20))
        return await asyncio.gather(*asked)

    answers = run(upstream, recorder, work)
    assert {a.undertow.decision_id for a in answers} == {r.decision_id for r in recorder.records}
    assert len(recorder.records) == 20


def test_signals_are_kept_and_what_cannot_be_meant_is_refused(upstream, recorder):
    async def work(client):
        assert await client.feedback("d1", value=1)
        assert await client.outcome("ticket", 1, user_id="u1")
        with pytest.raises(ValueError, match="value"):
            await client.feedback("d1", value=7)
        with pytest.raises(ValueError, match="id"):
            await client.feedback(value=1)

    run(upstream, recorder, work)
    assert [(s.kind, s.name, s.source) for s in recorder.signals_kept] == [
        ("thumb", "helpful", "client"),
        ("outcome", "ticket", "client"),
    ]


def test_a_flush_that_fails_is_tried_once_more(upstream, recorder):
    def flush():
        recorder.flushed += 1
        if recorder.flushed < 2:
            raise OSError("busy")

    recorder.flush = flush

    async def work(client):
        await client.flush()
        recorder.flushed = -5
        with pytest.raises(OSError, match="busy"):
            await client.flush()

    run(upstream, recorder, work)
    assert recorder.flushed == -3


def test_one_client_serves_one_event_loop_after_the_other(upstream, recorder):
    client = AsyncClient(plan_for(upstream, "unused"), sink=recorder.sink, env={})

    async def once():
        answer = await client.chat.completions.create(model="auto", messages=ASK)
        await client._engine.aclose()  # as a function does whose loop ends with each call
        return answer

    assert [asyncio.run(once()).undertow.tier for _ in range(2)] == ["cheap", "cheap"]
    asyncio.run(client.aclose())
    assert recorder.closed == 1


def test_a_closed_client_says_so(upstream, recorder):
    async def work(client):
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.chat.completions.create(model="auto", messages=ASK)

    run(upstream, recorder, work)
    assert recorder.closed == 1


def test_a_client_from_before_a_fork_says_so(upstream, recorder, monkeypatch):
    async def work(client):
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: 1)
            with pytest.raises(RuntimeError, match="forked"):
                await client.flush()

    run(upstream, recorder, work)


@pytest.mark.parametrize(
    "segment", [{"a": 1}, {1: "a"}, {"": "a"}, {"a": "x" * 513}, {f"k{n}": "v" for n in range(33)}]
)
def test_labels_that_cannot_be_kept_are_refused(segment):
    with pytest.raises(ValueError, match="segment"):
        read_segment(segment)


@pytest.mark.parametrize("given", ["", "x" * 513, 7])
def test_ids_that_cannot_be_kept_are_refused(upstream, recorder, given):
    async def work(client):
        with pytest.raises(ValueError, match="conversation_id"):
            await client.chat.completions.create(model="auto", messages=ASK, conversation_id=given)

    run(upstream, recorder, work)
    assert recorder.records == []


def test_what_the_guard_restricts_holds_from_the_next_call_on(upstream, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr("undertow.bootstrap.controls.LOOK_AGAIN_S", 0.0)
    closed = PolicyControls(restrictions=(Restriction(exposure=0.0, source="a1"),))

    async def main():
        async with AsyncClient(plan_for(upstream, tmp_path / "store"), sink=recorder.sink, env={}) as client:
            for given in (None, closed, PolicyControls()):
                if given is not None:
                    file = controls_files(tmp_path / "store")[1]
                    file.parent.mkdir(exist_ok=True)
                    write_controls(file, Controls(version=len(recorder.records), at="t", policies={"auto": given}))
                await client.chat.completions.create(model="auto", messages=ASK)

    asyncio.run(main())
    assert [record.tier for record in recorder.records] == ["cheap", "capable", "cheap"]
    assert (recorder.records[1].reason, recorder.records[1].propensity) == ("routed_back", 1.0)


def test_a_version_that_was_rolled_back_is_not_served_cheaply_by_a_client_either(upstream, recorder, tmp_path):
    file = controls_files(tmp_path / "store")[0]
    file.parent.mkdir(parents=True)
    pinned = PolicyControls(pin=Pin(bad="v1", good="v0", source="a1"))
    write_controls(file, Controls(version=1, at="t", policies={"auto": pinned}))

    async def main():
        async with AsyncClient(plan_for(upstream, tmp_path / "store"), sink=recorder.sink, env={}) as client:
            await client.chat.completions.create(model="auto", messages=ASK)

    asyncio.run(main())
    assert [(record.tier, record.reason) for record in recorder.records] == [("capable", "routed_back")]
