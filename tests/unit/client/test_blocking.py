"""Plain calls: from any thread, beside a running loop, and one record whatever becomes of them."""

import asyncio
import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client_plan import Recorder, plan_for
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from undertow.client.answer import AnswerError
from undertow.client.blocking import Client, LoopThread

ASK = [{"role": "user", "content": "When was my invoice sent?"}]
TEXT = "The invoice was sent on Monday."


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def client(upstream, recorder):
    with Client(plan_for(upstream, "unused"), sink=recorder.sink, env={}) as client:
        yield client


def ask(client, **more):
    return client.chat.completions.create(model="auto", messages=ASK, **more)


def wait_for(what, seconds=5.0):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.01)
    return what()


def test_an_answer_a_stream_and_a_refusal(client, recorder):
    assert ask(client).choices[0].message.content == TEXT
    with ask(client, stream=True) as stream:
        assert stream.undertow.tier == "cheap"
        assert "".join(chunk.choices[0].delta.get("content") or "" for chunk in stream if chunk.choices) == TEXT
    with pytest.raises(AnswerError, match="did you mean 'auto'"):
        client.chat.completions.create(model="autoo", messages=ASK)
    assert [record.status for record in recorder.records] == ["ok", "ok", "refused"]
    assert client.models[0] == "auto"


def test_threads_share_a_client_without_waiting_for_each_other(upstream, client, recorder):
    together = 4
    upstream.script(*[Reply(delay_s=0.5)] * together)
    asked, finished = len(upstream.requests), upstream.finished
    with ThreadPoolExecutor(together) as pool:
        waiting = [pool.submit(ask, client) for _ in range(together)]
        upstream.wait_until(lambda upstream: len(upstream.requests) == asked + together)
        assert upstream.finished == finished, "all were asked before one was answered"
        answers = [one.result(10) for one in waiting]
    assert {a.undertow.decision_id for a in answers} == {r.decision_id for r in recorder.records}


def test_it_works_where_an_event_loop_runs_already(client):
    async def notebook():
        return ask(client).undertow.tier

    assert asyncio.run(notebook()) == "cheap"


@pytest.mark.parametrize("how", ["close", "leave", "garbage", "error"])
def test_a_stream_that_is_left_early_is_abandoned(upstream, client, recorder, how):
    upstream.script(Reply(endless="drip"))
    stream = client.chat.completions.create(model="large", messages=ASK, stream=True)
    next(stream)
    if how == "close":
        stream.close()
    elif how == "leave":
        with stream:
            pass
    elif how == "error":
        with pytest.raises(ZeroDivisionError), stream:
            raise ZeroDivisionError
    else:
        del stream
        gc.collect()
    assert wait_for(lambda: recorder.records)
    assert [record.status for record in recorder.records] == ["abandoned"]


def test_a_client_that_is_forgotten_is_closed(upstream, recorder):
    client = Client(plan_for(upstream, "unused"), sink=recorder.sink, env={})
    ask(client)
    thread = client._thread._thread
    del client
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
    assert recorder.closed == 1


def test_a_client_that_was_never_used_has_no_thread_and_is_closed(upstream, recorder):
    before = threading.active_count()
    client = Client(plan_for(upstream, "unused"), sink=recorder.sink, env={})
    assert threading.active_count() == before
    del client
    gc.collect()
    assert recorder.closed == 1


def test_closing_abandons_what_is_on_its_way_and_records_it(upstream, recorder):
    upstream.script(Reply(delay_s=30))
    client = Client(plan_for(upstream, "unused"), sink=recorder.sink, env={})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, client)
        assert wait_for(lambda: recorder.intents)
        client.close()
        with pytest.raises(RuntimeError, match="closed before the answer"):
            waiting.result(5)
    assert [record.status for record in recorder.records] == ["abandoned"]
    client.close()
    assert recorder.closed == 1
    with pytest.raises(RuntimeError, match="closed"):
        ask(client)


def test_an_interrupted_call_is_abandoned(upstream, client, recorder, monkeypatch):
    from concurrent.futures import Future

    upstream.script(Reply(delay_s=30))

    def interrupted(self, timeout=None):
        assert wait_for(lambda: recorder.intents)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(client)
    assert wait_for(lambda: recorder.records)
    assert [record.status for record in recorder.records] == ["abandoned"]


def test_signals_and_flush(client, recorder):
    assert client.feedback("d1", value=1)
    assert client.outcome("ticket", 1, decision_id="d1")
    with pytest.raises(ValueError, match="value"):
        client.feedback("d1", value=2)
    client.flush()
    assert len(recorder.signals_kept) == 2
    assert recorder.flushed == 1


def test_a_call_from_within_its_own_work_is_refused_rather_than_waits_for_ever():
    thread = LoopThread()

    async def nested():
        with pytest.raises(RuntimeError, match="wait for itself"):
            thread.run(asyncio.sleep(0))

    async def last():
        pass

    thread.run(nested())
    thread.close(last)


def test_a_thread_from_before_a_fork_says_so(monkeypatch):
    thread = LoopThread()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(RuntimeError, match="forked"):
        thread.run(asyncio.sleep(0))
