import asyncio
from types import SimpleNamespace
from urllib.parse import unquote

import msgspec
import pytest

from gateway_fakes.upstream import FakeUpstream
from scripted_http import ScriptedServer, status
from undertow.records.serving import EndpointPlan
from unit.gateway.asgi_calls import KEY, OTHER_KEY, OTHER_SECRET, SECRET, gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_unrouted_paths_are_passed_on_where_they_may_be(tmp_path, upstream):
    plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=upstream.base_url))

    async def steps():
        async with gateway(tmp_path, plan) as g:
            got = await g.call(
                "GET", "/v1/models/small", headers=[("cookie", "secret"), ("authorization", "Bearer mine")]
            )
            assert got.is_complete
            received = upstream.requests[-1]
            assert received.path == "/v1/models/small"
            assert "cookie" not in received.headers
            assert "mine" not in str(received.headers)
            (record,) = g.records()
            assert record["reason"] == "passthrough"
            assert (await g.call("GET", "/v1/../admin")).status in {400, 404}

    run(steps)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (status(401, body=b"bad key sk-123"), 502),
        (b"", 502),
        (status(404, body=b"no"), 404),
        (status(302, b"location: http://10.0.0.1/"), 302),
    ],
    ids=["401", "closed", "404", "redirect"],
)
def test_what_the_upstream_answers_is_passed_back_but_never_a_word_on_our_credentials(
    tmp_path, upstream, answer, status
):
    async def answers(peer):
        await peer.request()
        await peer.send(answer)

    async def steps():
        async with ScriptedServer(answers) as server:
            plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=server.base_url))
            async with gateway(tmp_path, plan) as g:
                got = await g.call("POST", "/v1/embeddings", {"input": "x"})
                assert got.status == status
                assert b"sk-123" not in got.body
                assert len(g.records()) == 1

    run(steps)


def test_an_error_is_passed_back_without_our_key(tmp_path, upstream, monkeypatch):
    async def answers(peer):
        await peer.request()
        await peer.send(status(400, body=b"sk-mine is no good"))

    async def steps():
        async with ScriptedServer(answers) as server:
            endpoint = EndpointPlan(base_url=server.base_url, api_key_env="OTHER_KEY")
            plan = plan_for(tmp_path, upstream, passthrough=endpoint)
            async with gateway(tmp_path, plan, env={"OTHER_KEY": "sk-mine"}) as g:
                got = await g.call("POST", "/v1/embeddings", {"input": "x"})
        assert (got.status, got.body, got.headers["content-length"]) == (400, b"*** is no good", "14")

    run(steps)


def test_a_key_that_is_held_to_tiers_gets_no_way_around_them(tmp_path, upstream):
    held = msgspec.structs.replace(OTHER_KEY, tiers=("cheap",))
    plan = plan_for(tmp_path, upstream, keys=(KEY, held), passthrough=EndpointPlan(base_url=upstream.base_url))

    async def steps():
        async with gateway(tmp_path, plan) as g:
            for path in ("/v1/chat/completions/", "/v1/completions"):
                got = await g.call("POST", path, {"model": "large"}, [("authorization", f"Bearer {OTHER_SECRET}")])
                assert (got.status, got.json["error"]["code"]) == (403, "tier_not_allowed")
            assert upstream.requests == []
            await g.call("POST", "/v1/completions", {"model": "x"}, [("authorization", f"Bearer {SECRET}")])
            assert len(upstream.requests) == 1

    run(steps)


@pytest.mark.parametrize("framing", [b"content-length: 6", b"transfer-encoding: chunked"])
def test_the_record_is_there_before_the_answer_s_end(tmp_path, upstream, framing):
    pieces = (b"abc", b"def") if b"length" in framing else (b"3\r\nabc\r\n", b"3\r\ndef\r\n", b"0\r\n\r\n")

    async def answers(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + pieces[0])
        for piece in pieces[1:]:
            await asyncio.sleep(0.02)
            await peer.send(piece)

    async def steps():
        async with ScriptedServer(answers) as server:
            plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=server.base_url))
            async with gateway(tmp_path, plan) as g:
                seen = []
                write = g.app.decisions.finish
                g.app.decisions.finish = lambda record: (seen.append(bytes(got_body)), write(record))
                got_body = bytearray()

                async def send(message):
                    got_body.extend(message.get("body", b""))

                scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": [], "client": None}
                exchange = SimpleNamespace(
                    disconnected=False, on_disconnect=None, refusal=None, whole_body=lambda: None
                )

                async def receive():
                    return {"type": "http.request", "body": b"{}"}

                await g.app({**scope, "extensions": {"undertow": exchange}}, receive, send)
                assert bytes(got_body) == b"abcdef"
                assert seen == [b"abc" if b"length" in framing else b"abcdef"]

    run(steps)


def test_paths_go_on_as_they_were_sent(tmp_path, upstream):
    plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=upstream.base_url))

    async def steps():
        async with gateway(tmp_path, plan) as g:
            for sent in ("/v1/files/a%20b", "/v1/files/x%3Flimit=1", "/v1/files/a%2Fb"):
                await g.call("GET", unquote(sent), raw_path=sent.encode())
                assert upstream.requests[-1].path == sent
            assert (await g.call("GET", "/v1/files", raw_path=b"/%761/files")).status == 400
            assert (await g.call("DELETE", "/v1/undertow/decisions/abc")).status == 405
            assert (await g.call("GET", "/v1/undertow/keys")).status == 404
            assert len(upstream.requests) == 3

    run(steps)


def test_a_caller_that_leaves_ends_the_upstreams_work_and_is_no_success(tmp_path, upstream):
    async def answers(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        left.set()
        await asyncio.sleep(0.2)
        await peer.send(b"0\r\n\r\n")

    left = asyncio.Event()

    async def steps():
        async with ScriptedServer(answers) as server:
            plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=server.base_url))
            async with gateway(tmp_path, plan) as g:
                callers = []

                def arrives(exchange):
                    callers.append(exchange)
                    yield {"type": "http.request", "body": b"{}"}

                call = asyncio.create_task(g.call("POST", "/v1/embeddings", arrives=arrives))
                await left.wait()
                await asyncio.sleep(0.02)
                callers[0].disconnected = True
                callers[0].on_disconnect()
                await asyncio.wait_for(call, 5)
                (record,) = g.records()
                assert (record["status"], record["error"]) == ("abandoned", "client_closed")

    run(steps)
