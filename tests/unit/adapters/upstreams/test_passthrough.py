import asyncio

import pytest

from scripted_http import JSON_200, ScriptedServer, answers, endpoint_plan, limits, refused_port, status
from undertow.adapters.upstreams.passthrough import METHODS, PassthroughUpstream
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.serving import EndpointPlan


def passthrough(server, env=None, **fields):
    plan = endpoint_plan(server, api_key_env="KEY")
    return PassthroughUpstream(plan, limits(**fields), {"KEY": "sk-secret"} if env is None else env)


def forward(*answers_, method="GET", path="/models", headers=(), body=b""):
    """The answer's status, headers and body, and the head that the server got."""

    async def main():
        async with ScriptedServer(*answers_) as server:
            upstream = passthrough(server)
            assert "sk-secret" not in repr(upstream)
            answer = await upstream.forward(method, path, headers, body)
            read = b"".join([piece async for piece in answer.chunks()])
            await upstream.aclose()
            return answer.status, answer.headers, read, server.heads[0]

    return asyncio.run(main())


@pytest.mark.parametrize("code", [200, 201, 302, 404, 429, 500])
def test_any_status_is_passed_on_as_it_is(code):
    got, headers, body, _ = forward(status(code, b"location: http://elsewhere/", body=b"text"))
    assert (got, headers[b"location"], body) == (code, b"http://elsewhere/", b"text")


def test_the_request_goes_out_with_the_gateways_key_and_without_the_callers():
    headers = [
        (b"Authorization", b"Bearer ut_caller"),
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Content-Type", b"text/plain"),
        (b"Host", b"elsewhere"),
    ]
    _, _, _, head = forward(JSON_200, method="POST", path="/files?limit=1", headers=headers, body=b"text")
    assert head.startswith(b"POST /v1/files?limit=1 HTTP/1.1\r\n")
    assert b"authorization: Bearer sk-secret\r\n" in head
    assert b"content-type: text/plain\r\ncontent-length: 4\r\n" in head
    for absent in (b"ut_caller", b"x-hop", b"elsewhere", b"close"):
        assert absent not in head


def test_an_encoded_answer_is_passed_on_encoded():
    _, headers, body, _ = forward(status(200, b"content-encoding: gzip", body=b"\x1f\x8b"))
    assert (headers[b"content-encoding"], body) == (b"gzip", b"\x1f\x8b")


def test_a_head_request_ends_with_its_head():
    got, headers, body, _ = forward(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", method="HEAD")
    assert (got, headers[b"content-length"], body) == (200, b"99", b"")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("CONNECT", "/models", ()),
        ("GET /x HTTP/1.1\r\n", "/models", ()),
        ("get", "/models", ()),
        ("GET", "http://169.254.169.254/latest", ()),
        ("GET", "//elsewhere/x", ()),
        ("GET", "/../admin", ()),
        ("GET", "/%2e%2e/admin", ()),
        ("GET", "/models HTTP/1.1\r\nx: y", ()),
        ("GET", "/models", [(b"x", b"1\r\ny: 2")]),
    ],
)
def test_what_could_reach_elsewhere_is_refused_before_anything_is_sent(method, path, headers):
    upstream = PassthroughUpstream(EndpointPlan(base_url="http://127.0.0.1:1/v1"), limits(), {})
    with pytest.raises(ValueError):
        asyncio.run(upstream.forward(method, path, headers))


def test_methods():
    assert {"TRACE", "CONNECT"}.isdisjoint(METHODS)


def test_a_broken_answer_is_a_failure_and_opens_the_breaker():
    async def main():
        async with ScriptedServer(answers(b"nonsense")) as server:
            upstream = passthrough(server, breaker_failures=1)
            for kind in ("garbage", "breaker_open"):
                with pytest.raises(UpstreamFailedError) as caught:
                    await upstream.forward("GET", "/models")
                assert caught.value.kind == kind

    asyncio.run(main())


def test_the_breaker_closes_when_a_probe_goes_well():
    now_s = 0.0

    async def main():
        nonlocal now_s
        plan = EndpointPlan(base_url=f"http://127.0.0.1:{refused_port()}/v1")
        upstream = PassthroughUpstream(plan, limits(breaker_failures=1), {}, now=lambda: now_s)
        with pytest.raises(UpstreamFailedError, match="connect"):
            await upstream.forward("GET", "/models")
        now_s = 11.0
        async with ScriptedServer(b"HTTP/1.1 200 OK\r\n\r\nendless") as server:
            upstream._endpoint.pool._port = server.port
            probe = await upstream.forward("GET", "/models")
            second = await upstream.forward("GET", "/models")
            assert not probe.has_ended
            probe.abort()
            second.abort()
            await upstream.aclose()

    asyncio.run(main())
