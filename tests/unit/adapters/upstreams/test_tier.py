import asyncio
from dataclasses import dataclass, field

import pytest

from scripted_http import (
    JSON_200,
    LOOPS,
    ScriptedServer,
    answers,
    endpoint_plan,
    limits,
    refused_port,
    run,
    status,
    tier_plan,
)
from undertow.adapters.upstreams.tier import MAX_ERROR_BODY_BYTES, Surroundings, TierUpstream
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest
from undertow.records.serving import EndpointPlan

ASK = UpstreamRequest(kind="openai", path="/chat/completions", body=b"{}")


@dataclass
class Around:
    """A clock that only sleeping moves."""

    now_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    draw: float = 0.5

    def surroundings(self):
        async def sleep(seconds):
            self.waits_s.append(seconds)
            self.now_s += seconds

        return Surroundings(now=lambda: self.now_s, wall=lambda: 1_000.0, draw=lambda: self.draw, sleep=sleep)


def dead():
    return EndpointPlan(base_url=f"http://127.0.0.1:{refused_port()}/v1")


def upstream_of(*plans, around=None, env=None, **fields):
    return TierUpstream(tier_plan(*plans), limits(**fields), env or {}, (around or Around()).surroundings())


async def failure_of(upstream, request=ASK):
    with pytest.raises(UpstreamFailedError) as caught:
        await upstream.ask(request)
    return caught.value


def once(*payloads):
    """Connections that answer with these, one request each."""
    return [answers(payload, closes=True) for payload in payloads]


@pytest.mark.parametrize("loop_name", LOOPS)
def test_an_answer(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server))
            answer = await upstream.ask(ASK)
            assert (await answer.read(), answer.tries, answer.is_event_stream) == (b"{}", 1, False)
            await upstream.aclose()

    run(loop_name, main())


def test_a_tier_serves_loop_after_loop():
    upstream = None

    async def main():
        nonlocal upstream
        async with ScriptedServer(JSON_200) as server:
            upstream = upstream or upstream_of(endpoint_plan(server))
            upstream.endpoints[0].pool._port = server.port
            assert await (await upstream.ask(ASK)).read() == b"{}"
            await upstream.aclose()

    for _ in range(3):
        asyncio.run(main())


def test_a_wire_format_that_no_endpoint_speaks():
    async def main():
        upstream = upstream_of(EndpointPlan(base_url="http://a/v1", kind="anthropic"))
        assert upstream.speaks("anthropic")
        assert not upstream.speaks("openai")
        failure = await failure_of(upstream)
        assert (failure.kind, failure.tries) == ("no_endpoint", 0)

    asyncio.run(main())


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 529])
def test_a_failure_that_may_pass_is_tried_again_with_growing_waits(code):
    async def main():
        around = Around()
        async with ScriptedServer(*once(status(code), status(code)), JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), around=around, breaker_failures=10)
            answer = await upstream.ask(ASK)
            assert (await answer.read(), answer.tries) == (b"{}", 3)
            assert around.waits_s == [0.125, 0.25]
            await upstream.aclose()

    asyncio.run(main())


def test_the_last_failure_carries_what_the_upstream_said():
    async def main():
        async with ScriptedServer(status(429, b"X-Limit: 7", body=b'{"error":{}}')) as server:
            failure = await failure_of(upstream_of(endpoint_plan(server), max_retries=1))
            assert (failure.kind, failure.status, failure.body, failure.tries) == ("status", 429, b'{"error":{}}', 2)
            assert failure.headers[b"x-limit"] == b"7"
            assert len(server.heads) == 2

    asyncio.run(main())


@pytest.mark.parametrize("code", [301, 302, 307, 400, 401, 404, 422, 501, 505])
def test_other_statuses_and_redirects_are_final(code):
    async def main():
        async with ScriptedServer(status(code, b"location: http://127.0.0.1:1/")) as server:
            failure = await failure_of(upstream_of(endpoint_plan(server)))
            assert (failure.kind, failure.status, failure.tries) == ("status", code, 1)
            assert len(server.heads) == 1

    asyncio.run(main())


@pytest.mark.parametrize(("answer", "kind"), [(b"<html>", "garbage"), (b"HTTP/1.1 200 OK\r\n", "cut")])
def test_a_broken_answer_is_final(answer, kind):
    async def main():
        async with ScriptedServer(answers(answer, closes=True)) as server:
            failure = await failure_of(upstream_of(endpoint_plan(server), dead()))
            assert (failure.kind, failure.tries) == (kind, 1)

    asyncio.run(main())


def test_a_connection_that_is_refused_is_tried_again():
    async def main():
        around = Around()
        failure = await failure_of(upstream_of(dead(), around=around))
        assert (failure.kind, failure.tries) == ("connect", 3)
        assert len(around.waits_s) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("header", "waits_s"),
    [
        (b"retry-after: 3", [3.125]),
        (b"retry-after-ms: 500", [0.625]),
        (b"retry-after: Thu, 01 Jan 1970 00:16:42 GMT", [2.125]),
        (b"retry-after: 21", []),
    ],
)
def test_the_wait_that_the_upstream_asks_for_is_kept_or_given_up(header, waits_s):
    async def main():
        around = Around()
        async with ScriptedServer(*once(status(429, header)), JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), around=around, total_timeout_s=60)
            if waits_s:
                assert await (await upstream.ask(ASK)).read() == b"{}"
            else:
                assert (await failure_of(upstream)).status == 429
            assert around.waits_s == waits_s
            await upstream.aclose()

    asyncio.run(main())


def test_no_retry_begins_after_the_total_deadline():
    async def main():
        around = Around()
        async with ScriptedServer(status(503, b"retry-after: 6")) as server:
            failure = await failure_of(upstream_of(endpoint_plan(server), around=around, total_timeout_s=5))
            assert (failure.tries, around.waits_s) == (1, [])

    asyncio.run(main())


def test_retries_stay_within_the_budget():
    async def main():
        async with ScriptedServer(status(429)) as server:
            upstream = upstream_of(endpoint_plan(server), retry_budget=0.1, max_retries=2, around=Around(draw=0.0))
            for _ in range(100):
                await failure_of(upstream)
            assert len(server.heads) == 100 + 10 + 10
            await upstream.aclose()

    asyncio.run(main())


def test_another_endpoint_is_asked_at_once_and_first_the_next_time():
    async def main():
        around = Around()
        async with ScriptedServer(JSON_200) as server:
            upstream = upstream_of(dead(), endpoint_plan(server), around=around)
            answer = await upstream.ask(ASK)
            assert (await answer.read(), answer.tries, around.waits_s) == (b"{}", 2, [])
            answer = await upstream.ask(ASK)
            assert (await answer.read(), answer.tries) == (b"{}", 1)
            await upstream.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("has_other", "tries"), [(False, 1), (True, 2)])
def test_a_late_head_is_asked_for_again_only_elsewhere(has_other, tries):
    async def main():
        async def silent(peer):
            await peer.request()
            await peer.reader.read()

        async with ScriptedServer(silent) as slow, ScriptedServer(JSON_200) as quick:
            plans = [endpoint_plan(slow), *([endpoint_plan(quick)] if has_other else [])]
            upstream = upstream_of(*plans, first_byte_timeout_s=0.05)
            if has_other:
                answer = await upstream.ask(ASK)
                assert (await answer.read(), answer.tries) == (b"{}", tries)
            else:
                failure = await failure_of(upstream)
                assert (failure.kind, failure.tries) == ("timeout", tries)
            assert len(slow.heads) == 1
            await upstream.aclose()

    asyncio.run(main())


def test_an_open_breaker_fails_at_once_and_a_probe_closes_it():
    async def main():
        around = Around()
        async with ScriptedServer(*once(status(500), status(500)), JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), around=around, max_retries=0, breaker_failures=2)
            assert [(await failure_of(upstream)).kind for _ in range(4)] == [
                "status",
                "status",
                "breaker_open",
                "breaker_open",
            ]
            assert len(server.heads) == 2
            around.now_s = 11.0
            assert await (await upstream.ask(ASK)).read() == b"{}"
            assert upstream.endpoints[0].breaker.state == "closed"
            await upstream.aclose()

    asyncio.run(main())


def test_a_breaker_that_opens_between_tries_leaves_the_failure_as_it_was():
    async def main():
        failure = await failure_of(upstream_of(dead(), breaker_failures=1))
        assert (failure.kind, failure.tries) == ("connect", 1)

    asyncio.run(main())


def test_a_long_answer_closes_the_breaker_with_its_head():
    async def main():
        around = Around()
        stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"
        async with ScriptedServer(*once(status(500)), stream) as server:
            upstream = upstream_of(endpoint_plan(server), around=around, max_retries=0, breaker_failures=1)
            await failure_of(upstream)
            around.now_s = 11.0
            first = await upstream.ask(ASK)
            second = await upstream.ask(ASK)
            assert first.is_event_stream
            assert not first.has_ended
            first.abort()
            second.abort()
            await upstream.aclose()

    asyncio.run(main())


def test_a_caller_that_leaves_frees_the_probe():
    async def main():
        around = Around()

        async def silent(peer):
            await peer.request()
            await peer.reader.read()

        async with ScriptedServer(*once(status(500)), silent, JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), around=around, max_retries=0, breaker_failures=1)
            await failure_of(upstream)
            around.now_s = 11.0
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(upstream.ask(ASK), 0.05)
            assert await (await upstream.ask(ASK)).read() == b"{}"
            await upstream.aclose()

    asyncio.run(main())


def test_an_endless_error_body_is_bounded():
    async def main():
        async def endless(peer):
            await peer.request()
            await peer.send(b"HTTP/1.1 400 Bad\r\n\r\n")
            while True:
                await peer.send(b"x" * 10_000)

        async with ScriptedServer(endless) as server:
            failure = await failure_of(upstream_of(endpoint_plan(server)))
            assert (failure.status, len(failure.body)) == (400, MAX_ERROR_BODY_BYTES)

    asyncio.run(main())


def test_an_error_that_repeats_the_key_is_blotted_out():
    async def main():
        answer = status(401, b"x-seen: Bearer sk-secret", body=b"bad key sk-secret")
        async with ScriptedServer(answer) as server:
            upstream = upstream_of(endpoint_plan(server, api_key_env="KEY"), env={"KEY": "sk-secret"})
            failure = await failure_of(upstream)
            assert b"authorization: Bearer sk-secret\r\n" in server.heads[0]
            assert failure.body == b"bad key ***"
            assert "sk-secret" not in f"{failure!r} {failure.headers} {upstream!r}"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/x\r\ny: z", ()), ("//elsewhere/", ()), ("/x", [(b"traceparent", b"0\r\nx: y")]), ("/x", [(b"a b", b"c")])],
)
def test_a_request_that_cannot_be_sent_reaches_nobody(path, headers):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), breaker_failures=1)
            failure = await failure_of(upstream, UpstreamRequest(kind="openai", path=path, body=b"{}", headers=headers))
            assert (failure.kind, failure.tries, server.connections) == ("garbage", 0, 0)
            assert upstream.endpoints[0].breaker.state == "closed"

    asyncio.run(main())


@pytest.mark.parametrize("loop_name", LOOPS)
def test_many_callers_at_once(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            upstream = upstream_of(endpoint_plan(server), connections_per_upstream=5)

            async def call():
                for _ in range(20):
                    assert await (await upstream.ask(ASK)).read() == b"{}"

            await asyncio.gather(*(call() for _ in range(20)))
            assert server.connections == 5
            assert len(server.heads) == 400
            await upstream.aclose()

    run(loop_name, main())
