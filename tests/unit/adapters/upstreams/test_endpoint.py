import asyncio

import pytest

from scripted_http import JSON_200, LOOPS, ScriptedServer, answers, endpoint_plan, limits, refused_port, run, status
from undertow.adapters.upstreams.addresses import BadEndpointError
from undertow.adapters.upstreams.endpoint import Endpoint, PoolBusyError
from undertow.errors import ConfigError
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest
from undertow.records.serving import EndpointPlan

KEY = "sk-very-secret"


def request(path="/chat/completions", body=b'{"a":1}', headers=(), kind="openai"):
    return UpstreamRequest(kind=kind, path=path, body=body, headers=headers)


def endpoint(base_url="http://127.0.0.1:1/v1", *, kind="openai", key=KEY, **fields):
    plan = EndpointPlan(base_url=base_url, kind=kind, api_key_env="KEY" if key else None)
    return Endpoint(plan, limits(**fields), env={"KEY": key} if key else {}, now=lambda: 0.0)


async def send(upstream, body=b"{}", **fields):
    return await upstream.send(upstream.json_head(request(body=body)), body, total_s=5.0, **fields)


def lines(head):
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


def test_the_head_of_a_json_request():
    head = lines(
        endpoint().json_head(request(headers=[(b"Traceparent", b"00-1"), (b"authorization", b"Bearer ut_caller")]))
    )
    assert head[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert sorted(head[1:]) == [
        b"accept-encoding: identity",
        b"accept: application/json",
        b"authorization: Bearer sk-very-secret",
        b"content-length: 7",
        b"content-type: application/json",
        b"host: 127.0.0.1:1",
        b"traceparent: 00-1",
        b"user-agent: undertow",
    ]


def test_an_anthropic_head_has_a_version_unless_the_request_brings_one():
    upstream = endpoint(kind="anthropic")
    assert b"anthropic-version: 2023-06-01" in lines(upstream.json_head(request("/messages")))
    assert b"x-api-key: sk-very-secret" in lines(upstream.json_head(request("/messages")))
    own = lines(upstream.json_head(request("/messages", headers=[(b"Anthropic-Version", b"2099-01-01")])))
    assert [line for line in own if line.startswith(b"anthropic-version")] == [b"anthropic-version: 2099-01-01"]


@pytest.mark.parametrize("path", ["//x", "/a\r\nx: y", "/../x", "http://x/"])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(ValueError):
        endpoint().json_head(request(path))


def test_many_paths_do_not_fill_the_memory():
    upstream = endpoint()
    for number in range(1_000):
        upstream.json_head(request(f"/{number}"))
    assert len(upstream._fixed) < 100


def test_any_request_keeps_its_content_type_and_states_no_length_it_does_not_need():
    upstream = endpoint()
    head = lines(
        upstream.any_head("POST", "/files?a=1", [(b"Content-Type", b"multipart/form-data; boundary=x")], b"abc")
    )
    assert head[0] == b"POST /v1/files?a=1 HTTP/1.1"
    assert b"content-type: multipart/form-data; boundary=x" in head
    assert b"content-length: 3" in head
    assert b"content-length" not in upstream.any_head("GET", "/models", [], b"")
    assert b"content-length: 0\r\n" in upstream.any_head("POST", "/models", [], b"")


def test_a_key_that_is_missing_or_unusable_is_refused_at_start_and_not_shown():
    plan = EndpointPlan(base_url="http://a/v1", api_key_env="KEY")
    for env in ({}, {"KEY": ""}, {"KEY": KEY + "\n"}):
        with pytest.raises(ConfigError, match="KEY") as caught:
            Endpoint(plan, limits(), env=env, now=lambda: 0.0)
        assert isinstance(caught.value, BadEndpointError)
        assert KEY not in repr(caught.value)


def test_the_key_stands_in_no_representation():
    upstream = endpoint()
    assert KEY not in repr(upstream)
    assert upstream.without_key(b"bad key sk-very-secret!") == b"bad key ***!"
    assert endpoint(key=None).without_key(b"text") == b"text"


@pytest.mark.parametrize("loop_name", LOOPS)
def test_requests_share_a_connection(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            upstream = endpoint(server.base_url)
            for _ in range(3):
                assert await (await send(upstream)).read() == b"{}"
            assert server.connections == 1
            assert server.bodies == [b"{}"] * 3
            await upstream.pool.aclose()

    run(loop_name, main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_long_body_arrives(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            upstream, body = endpoint(server.base_url), bytes(range(256)) * 20_000
            await (await send(upstream, body)).read()
            assert server.bodies == [body]
            await upstream.pool.aclose()

    run(loop_name, main())


def closes_on_second(how):
    async def script(peer):
        await peer.request()
        await peer.send(JSON_200)
        await peer.reader.read(1)
        getattr(peer, how)()

    return script


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_that_meets_a_closed_idle_connection_goes_out_again(how, loop_name):
    async def main():
        async with ScriptedServer(closes_on_second(how), JSON_200) as server:
            upstream = endpoint(server.base_url, breaker_failures=1)
            await (await send(upstream)).read()
            answer = await send(upstream, b'{"again":1}')
            assert (await answer.read(), answer.tries) == (b"{}", 1)
            assert server.connections == 2
            assert server.bodies[-1] == b'{"again":1}'
            assert upstream.breaker.state == "closed"
            await upstream.pool.aclose()

    run(loop_name, main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_request_that_a_new_connection_loses_does_not_go_out_again(loop_name):
    async def main():
        async def slams(peer):
            await peer.request()
            peer.reset()

        async with ScriptedServer(slams) as server:
            upstream = endpoint(server.base_url)
            with pytest.raises(UpstreamFailedError, match="cut"):
                await send(upstream)
            assert server.connections == 1

    run(loop_name, main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_request_is_not_sent_a_third_time(loop_name):
    async def main():
        async def slams(peer):
            await peer.request()
            peer.close()

        async with ScriptedServer(closes_on_second("close"), slams) as server:
            upstream = endpoint(server.base_url)
            await (await send(upstream)).read()
            with pytest.raises(UpstreamFailedError, match="cut"):
                await send(upstream)
            assert server.connections == 2

    run(loop_name, main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_fast_sender_and_a_slow_reader_stay_bounded(loop_name):
    sent_bytes = 0

    async def main():
        async def floods(peer):
            nonlocal sent_bytes
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(400):
                await peer.send(b"x" * 100_000)
                sent_bytes += 100_000
            peer.close()

        async with ScriptedServer(floods) as server:
            upstream = endpoint(server.base_url)
            answer = await send(upstream)
            before = -1
            while sent_bytes > before:
                before = sent_bytes
                await asyncio.sleep(0.05)
            assert sent_bytes < 30_000_000  # the rest is in the sockets' buffers
            assert answer.unread_bytes < 1_000_000
            received = 0
            async for piece in answer.chunks():
                received += len(piece)
                assert len(piece) < 1_000_000
            assert received == 40_000_000

    run(loop_name, main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_an_answer_before_the_request_was_read_is_delivered_and_the_connection_dropped(loop_name):
    async def main():
        async def impatient(peer):
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.send(status(413, body=b"no"))
            await asyncio.sleep(1)

        async with ScriptedServer(impatient, JSON_200) as server:
            upstream = endpoint(server.base_url)
            answer = await send(upstream, b"x" * 10_000_000)
            assert (answer.status, await answer.read()) == (413, b"no")
            assert await (await send(upstream)).read() == b"{}"
            assert server.connections == 2
            await upstream.pool.aclose()

    run(loop_name, main())


def test_no_connection_free_is_told_apart_from_no_endpoint():
    async def main():
        async with ScriptedServer(answers(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
            upstream = endpoint(server.base_url, connections_per_upstream=1, connect_timeout_s=0.05, breaker_failures=1)
            running = await send(upstream)
            with pytest.raises(PoolBusyError):
                await send(upstream)
            assert upstream.breaker.state == "closed"
            running.abort()
            await upstream.pool.aclose()

        upstream = endpoint(f"http://127.0.0.1:{refused_port()}/v1", breaker_failures=1)
        with pytest.raises(UpstreamFailedError, match="connect"):
            await send(upstream)
        assert upstream.breaker.state == "open"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "closes", "state"),
    [
        (status(503), False, "open"),
        (b"<html>", False, "open"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", True, "open"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\na", False, "open"),
        (status(429), False, "closed"),
        (status(404), False, "closed"),
        (JSON_200, False, "closed"),
    ],
)
def test_what_the_breaker_counts(answer, closes, state):
    async def main():
        async with ScriptedServer(answers(answer, closes=closes)) as server:
            upstream = endpoint(endpoint_plan(server).base_url, breaker_failures=1)
            try:
                await (await send(upstream)).read()
            except UpstreamFailedError as failure:
                assert failure.kind in {"cut", "garbage"}  # noqa: PT017
            assert upstream.breaker.state == state
            await upstream.pool.aclose()

    asyncio.run(main())
