"""The ASGI middleware: the host's messages pass untouched and first, and each request to a model is one record."""

import asyncio
import json
import os

import pytest

from client_plan import Recorder
from gateway_fakes import bodies
from gateway_fakes.reply import Reply
from undertow.client.middleware import DECISION_ID, UndertowMiddleware
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, TierPlan, TokenPrices

PRICES = TokenPrices(
    input_usd=1e-6, cached_usd=1e-6, cache_write_usd=1e-6, audio_input_usd=1e-6, output_usd=2e-6, audio_output_usd=2e-6
)
ENDPOINTS = (EndpointPlan(base_url="http://127.0.0.1:1/v1"),)
PLAN = ServingPlan(
    tiers=(
        TierPlan(name="cheap", model="small", endpoints=ENDPOINTS, prices=(PRICES,)),
        TierPlan(name="capable", model="large", endpoints=ENDPOINTS, prices=(PRICES,)),
    ),
    policies=(PolicyPlan(name="auto", version="v", kind="fixed", tier="cheap", tiers=("cheap",)),),
)
REQUEST = {"model": "small", "messages": [{"role": "user", "content": "hi"}], "logprobs": True}
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


def start(status=200, *headers):
    return {"type": "http.response.start", "status": status, "headers": [*headers]}


def piece(body, *, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


def host(*messages, error=None):
    """An application that reads the request and sends these messages."""

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def scope_for(path="/v1/chat/completions", method="POST", headers=()):
    return {"type": "http", "method": method, "path": path, "headers": [*headers]}


def run(app, recorder, *, body=REQUEST, scope=None, send=None, arriving=None, **options):
    """What the server got, with the middleware around `app`."""
    middleware = UndertowMiddleware(app, PLAN, sink=recorder.sink, env={}, **options)
    got = []
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    waiting = arriving or [
        {"type": "http.request", "body": data[:7], "more_body": True},
        {"type": "http.request", "body": data[7:], "more_body": False},
    ]

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def collect(message):
        got.append(message)

    asyncio.run(middleware(scope or scope_for(), receive, send or collect))
    return got, middleware


@pytest.fixture
def recorder():
    return Recorder()


def whole(path="/chat/completions", request=REQUEST, **reply):
    return bodies.whole(path, request, Reply(**reply))


def test_a_whole_answer_passes_untouched_and_is_recorded(recorder):
    sent = (start(200, JSON), piece(whole()))
    labels = [(b"x-undertow-segment-plan", b"pro"), (b"x-undertow-conversation-id", b"c1")]
    body = {**REQUEST, "metadata": {"intent": "billing"}, "user": "u1"}
    got, middleware = run(host(*sent), recorder, body=body, scope=scope_for(headers=labels))
    assert got == list(sent)
    assert all(mine is theirs for mine, theirs in zip(got, sent, strict=True))
    [record] = recorder.records
    assert (record.tier, record.model, record.status, record.mode) == ("cheap", "small", "ok", "observe")
    assert record.segment == {"intent": "billing", "plan": "pro"}
    assert (record.conversation_id, record.user_id, record.requested_model) == ("c1", "u1", "small")
    assert (record.input_tokens, record.confidence_kind) == (12, "uncalibrated")
    assert record.confidence == pytest.approx(0.95)
    assert record.cost_usd == pytest.approx(12e-6 + record.output_tokens * 2e-6)
    assert record.eligible
    assert [intent.decision_id for intent in recorder.intents] == [record.decision_id]
    assert middleware.failed == 0


def test_a_stream_passes_piece_by_piece_and_is_recorded(recorder):
    request = {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}
    events = bodies.events("/chat/completions", request, Reply())
    sent = [start(200, EVENTS), *(piece(event, more=True) for event in events), piece(b"")]
    got, _ = run(host(*sent), recorder, body=request)
    assert got == sent
    [record] = recorder.records
    assert (record.tier, record.status, record.input_tokens) == ("cheap", "ok", 12)
    assert record.ttft_ms <= record.latency_ms
    assert record.delivered_chars == len("The invoice was sent on Monday.")


def test_a_message_goes_on_before_it_is_looked_at(recorder):
    order = []

    class Slow(dict):
        def get(self, *given):
            order.append("looked at")
            return super().get(*given)

    async def send(message):
        order.append("sent")

    run(host(Slow(start(200, JSON)), piece(whole())), recorder, send=send)
    assert order[0] == "sent"


def test_the_record_is_written_before_the_last_byte(recorder):
    seen = []

    async def send(message):
        seen.append(len(recorder.records))

    run(host(start(200, JSON), piece(whole())), recorder, send=send)
    assert seen == [0, 1]


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [("/messages", "messages"), ("/responses", "responses"), ("/chat/completions", "chat.completions")],
)
def test_all_three_formats_wherever_they_are_mounted(recorder, path, endpoint):
    request = {
        "model": "large",
        "max_tokens": 9,
        **({"input": "hi"} if endpoint == "responses" else {"messages": REQUEST["messages"]}),
    }
    answer = bodies.whole(path, request, Reply())
    run(host(start(200, JSON), piece(answer)), recorder, body=request, scope=scope_for(f"/api/v1{path}"))
    assert [(r.endpoint, r.tier, r.status) for r in recorder.records] == [(endpoint, "capable", "ok")]


@pytest.mark.parametrize(
    "scope", [scope_for("/v1/models"), scope_for(method="GET"), {"type": "websocket", "path": "/x"}]
)
def test_what_is_no_request_to_a_model_passes_unseen(recorder, scope):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    async def nothing():
        pass

    middleware = UndertowMiddleware(app, PLAN, sink=recorder.sink, env={})
    asyncio.run(middleware(scope, nothing, nothing))
    assert seen == [(scope, nothing, nothing)]
    assert recorder.records == []


@pytest.mark.parametrize(
    ("how", "tier"),
    [("function", "mine"), ("header", "from header"), ("model", "cheap"), ("unknown", "other-model")],
)
def test_who_served_is_the_hosts_word_else_the_header_else_the_model(recorder, how, tier):
    headers = [(b"X-Tier", b"from header")] if how in {"function", "header"} else []
    request = {**REQUEST, "model": "other-model" if how == "unknown" else "small"}
    options = {"tier": lambda *_: "mine"} if how == "function" else {}
    run(host(start(200, JSON, *headers), piece(whole(request=request))), recorder, body=request, **options)
    assert recorder.records[0].tier == tier


def test_the_host_learns_the_decisions_id(recorder):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope[DECISION_ID])
        await send(start(200, JSON))
        await send(piece(b"{}"))

    scope = scope_for()
    run(app, recorder, scope=scope)
    assert seen == [recorder.records[0].decision_id]
    assert DECISION_ID not in scope, "the server's scope is left alone"


@pytest.mark.parametrize(
    ("messages", "status", "error", "tier"),
    [
        ([start(429, JSON), piece(b'{"error": {}}')], "refused", "http_429", None),
        ([start(503, JSON), piece(b"<html>")], "error", "http_503", None),
        ([start(200, JSON), piece(b"<html>")], "error", "garbage", None),
        ([start(200, JSON), piece(whole(text=None))], "error", "empty_answer", "cheap"),
        ([], "error", "no_answer", None),
        ([start(200, JSON)], "error", "cut", None),
    ],
    ids=["refused", "failed", "garbage", "empty", "nothing", "unfinished"],
)
def test_how_it_ended(recorder, messages, status, error, tier):
    run(host(*messages), recorder)
    assert [(r.status, r.error, r.tier) for r in recorder.records] == [(status, error, tier)]


STREAM = {**REQUEST, "stream": True}
FEW = bodies.events("/chat/completions", STREAM, Reply())[:3]


@pytest.mark.parametrize(
    ("last", "error"),
    [(b"", "cut"), (bodies.error_event("/chat/completions"), "upstream_error"), (b"data: <html>\n\n", "garbage")],
)
def test_a_stream_that_is_no_whole_answer_is_an_error(recorder, last, error):
    sent = [start(200, EVENTS), *(piece(event, more=True) for event in FEW), piece(last)]
    got, _ = run(host(*sent), recorder, body=STREAM)
    assert got == sent
    assert [(r.status, r.error, r.tier) for r in recorder.records] == [("error", error, "cheap")]


def test_an_application_that_fails_fails_as_before_and_is_recorded(recorder):
    with pytest.raises(ZeroDivisionError):
        run(host(error=ZeroDivisionError()), recorder)
    assert [(r.status, r.error) for r in recorder.records] == [("error", "application")]


def test_a_caller_that_goes_away_is_recorded(recorder):
    async def app(scope, receive, send):
        await receive()
        await receive()
        await send(start(200, EVENTS))
        await send(piece(FEW[0] + FEW[1], more=True))
        assert (await receive())["type"] == "http.disconnect"

    run(app, recorder, body=STREAM)
    assert [(r.status, r.error, r.tier) for r in recorder.records] == [("abandoned", "client_closed", "cheap")]


def test_a_connection_that_breaks_is_the_hosts_error_and_recorded(recorder):
    async def send(message):
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        run(host(start(200, EVENTS), piece(b"", more=True)), recorder, body=STREAM, send=send)
    assert [(r.status, r.error) for r in recorder.records] == [("abandoned", "client_closed")]


def test_a_cancelled_request_is_recorded(recorder):
    with pytest.raises(asyncio.CancelledError):
        run(host(start(200, EVENTS), error=asyncio.CancelledError()), recorder, body=STREAM)
    assert [(r.status, r.error) for r in recorder.records] == [("abandoned", "cancelled")]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"model": 7}', b"\xff" * 100, b'{"a":' * 5_000])
def test_a_body_that_we_cannot_read_is_the_hosts_affair(recorder, body):
    sent = (start(200, JSON), piece(whole()))
    got, middleware = run(host(*sent), recorder, body=body)
    assert got == list(sent)
    assert [(r.status, r.requested_model) for r in recorder.records] == [("ok", None)]
    assert middleware.failed == 0


@pytest.mark.parametrize("what", ["begin", "finish", "tier"])
def test_whatever_fails_here_is_counted_and_the_host_never_notices(recorder, what, caplog):
    def fail(*_):
        raise RuntimeError("secret prompt")

    options = {"tier": fail} if what == "tier" else {}
    if what != "tier":
        setattr(recorder, what, fail)
    sent = (start(200, JSON), piece(whole()))
    got, middleware = run(host(*sent), recorder, **options)
    assert got == list(sent)
    assert middleware.failed == 1
    assert "secret" not in caplog.text


def test_a_sink_that_cannot_be_opened_is_counted(tmp_path, caplog):
    middleware = UndertowMiddleware(host(start(200, JSON), piece(b"{}")), PLAN, sink="nosuch://x", env={})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    got = []

    async def send(message):
        got.append(message)

    asyncio.run(middleware(scope_for(), receive, send))
    assert len(got) == 2
    assert middleware.failed == 1


def test_the_servers_shutdown_closes_the_sink(recorder):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send(start(200, JSON))
            await send(piece(b"{}"))

    async def main():
        middleware = UndertowMiddleware(app, PLAN, sink=recorder.sink, env={})

        async def nothing(*_):
            return {"type": "lifespan.shutdown"}

        await middleware(scope_for(), nothing, nothing)
        await middleware.flush()
        await middleware({"type": "lifespan"}, nothing, nothing)

    asyncio.run(main())
    assert (recorder.flushed, recorder.closed) == (1, 1)


def test_each_process_opens_a_sink_of_its_own(tmp_path, monkeypatch):
    middleware = UndertowMiddleware(host(), PLAN, sink=tmp_path, env={})
    first = middleware._opened()
    assert middleware._opened() is first
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: 1)
        second = middleware._opened()
        assert second is not first
        middleware.close()
    first.close()
