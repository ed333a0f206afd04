import asyncio
import json

import msgspec
import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from undertow.records.serving import LimitsPlan
from unit.gateway.asgi_calls import KEY, OTHER_KEY, OTHER_SECRET, SECRET, gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_keys_open_and_nothing_else_does(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(KEY,))) as g:
            assert (await g.chat()).status == 401
            assert (await g.chat(key="ut_abcdefgh_guess")).status == 401
            assert (await g.chat(key=SECRET)).status == 200
            assert (await g.call("POST", "/v1/messages", {}, [("x-api-key", "nonsense")])).status == 401
            for path in ("/v1/models", "/v1/undertow/decisions/" + "0" * 32, "/v1/other"):
                assert (await g.call("GET", path)).status == 401
            assert (await g.call("POST", "/v1/feedback", {"decision_id": "d", "value": 1})).status == 401
            assert (await g.call("GET", "/healthz")).status == 200
            assert [r["error"] for r in g.records() if r["status"] == "refused"] == ["invalid_api_key"] * 4
            assert all(SECRET not in json.dumps(r) for r in g.records())

    run(steps)


def test_a_key_s_rate_and_budget_hold(tmp_path, upstream):
    slow = msgspec.structs.replace(KEY, requests_per_minute=2)
    poor = msgspec.structs.replace(OTHER_KEY, budget_usd_day=1e-9)

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(slow, poor))) as g:
            assert [(await g.chat(key=SECRET)).status for _ in range(3)] == [200, 200, 429]
            limited = await g.chat(key=SECRET)
            assert limited.json["error"]["code"] == "rate_limit_exceeded"
            assert int(limited.headers["retry-after"]) >= 1
            assert [(await g.chat(key=OTHER_SECRET)).status for _ in range(2)] == [200, 429]
            spent = await g.chat(key=OTHER_SECRET)
            assert spent.json["error"]["code"] == "insufficient_quota"
            assert spent.headers["x-should-retry"] == "false"

    run(steps)


def test_without_keys_no_page_in_a_browser_may_ask(tmp_path, upstream):
    body = {"model": "cheap", "messages": [{"role": "user", "content": "hi"}]}

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            for site in ("cross-site", "same-site", "same-origin"):  # the last: a name that was made to point here
                got = await g.call("POST", "/v1/chat/completions", body, [("sec-fetch-site", site)])
                assert (got.status, got.json["error"]["code"]) == (403, "page_refused")
            assert upstream.requests == []
            assert [record["error"] for record in g.records()] == ["page_refused"] * 3
            assert (await g.call("GET", "/v1/models", headers=[("sec-fetch-site", "none")])).status == 200
        (tmp_path / "keyed").mkdir()
        async with gateway(tmp_path / "keyed", plan_for(tmp_path / "keyed", upstream, keys=(KEY,))) as g:
            headers = [("sec-fetch-site", "cross-site"), ("authorization", f"Bearer {SECRET}")]
            assert (await g.call("POST", "/v1/chat/completions", body, headers)).status == 200

    run(steps)


def test_bodies_have_a_bound_and_are_not_taken_compressed(tmp_path, upstream):
    small = LimitsPlan(max_body_bytes=100)

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, limits=small)) as g:
            assert (await g.call("POST", "/v1/chat/completions", b" " * 101)).status == 413
            pieces = [{"type": "http.request", "body": b" " * 60, "more_body": True}] * 3
            got = await g.call("POST", "/v1/chat/completions", arrives=lambda _: pieces)
            assert (got.status, got.headers["connection"]) == (413, "close")
            assert (await g.call("POST", "/v1/chat/completions", b"", [("content-encoding", "gzip")])).status == 415
            assert [record["error"] for record in g.records()] == ["body_too_large"] * 2 + ["unsupported_encoding"]

    run(steps)


def test_a_caller_that_leaves_within_its_body_leaves_a_record(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            pieces = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
            got = await g.call("POST", "/v1/chat/completions", arrives=lambda _: pieces)
            assert got.status == 0
            (record,) = g.records()
            assert (record["status"], record["error"]) == ("abandoned", "client_closed")

    run(steps)


def test_a_body_that_comes_too_slowly_is_refused_as_the_server_says(tmp_path, upstream):
    def arrives(exchange):
        exchange.refusal = (408, "body_timeout")
        return [{"type": "http.disconnect"}]

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            got = await g.call("POST", "/v1/chat/completions", arrives=arrives)
            assert (got.status, got.json["error"]["code"]) == (408, "body_timeout")

    run(steps)


def test_more_requests_than_may_be_answered_at_a_time_are_told_to_come_back(tmp_path, upstream):
    upstream.answer("small", Reply(delay_s=0.3))

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, limits=LimitsPlan(max_in_flight=2))) as g:
            got = await asyncio.gather(*(g.chat() for _ in range(3)))
            assert sorted(answer.status for answer in got) == [200, 200, 503]
            assert len(g.records()) == 3

    run(steps)
