import asyncio
from types import SimpleNamespace

from undertow.gateway.asgi_reply import AsgiReply, passed_on
from undertow.ports.reply import ServedBy


def run(steps):
    sent = []

    async def send(message):
        sent.append(message)

    connection = SimpleNamespace(disconnected=False, on_disconnect=None)
    asyncio.run(steps(AsgiReply(send, connection)))
    return sent


def test_a_whole_answer_has_its_length_and_says_who_served_it():
    async def steps(reply):
        await reply.start(
            200, {b"x-request-id": b"up-1"}, ServedBy("d", "cheap", "small", "auto", 0.875), is_stream=False
        )
        await reply.end(b"{}")

    head, body = run(steps)
    headers = dict(head["headers"])
    assert headers[b"content-length"] == b"2"
    assert headers[b"x-request-id"] == b"up-1"
    assert headers[b"x-undertow-decision-id"] == b"d"
    assert headers[b"x-undertow-tier"] == b"cheap"
    assert headers[b"x-undertow-confidence"] == b"0.875"
    assert body == {"type": "http.response.body", "body": b"{}"}


def test_a_stream_s_head_goes_at_once_and_is_not_to_be_buffered():
    async def steps(reply):
        await reply.start(200, {}, ServedBy("d", "cheap", "small"), is_stream=True)
        await reply.send(b"data: 1\n\n")
        await reply.end(b"data: [DONE]\n\n")

    head, first, last = run(steps)
    assert (b"content-type", b"text/event-stream; charset=utf-8") in head["headers"]
    assert (b"x-accel-buffering", b"no") in head["headers"]
    assert first["more_body"]
    assert "more_body" not in last


def test_an_error_says_who_served_nothing_and_that_a_retry_is_of_no_use():
    async def steps(reply):
        await reply.start(502, {}, ServedBy("d"), is_stream=False)
        await reply.end(b"{}")

    headers = dict(run(steps)[0]["headers"])
    assert b"x-undertow-tier" not in headers
    assert headers[b"x-should-retry"] == b"false"


def test_of_the_upstream_s_headers_only_those_for_callers_are_passed_on():
    upstream = {
        b"x-ratelimit-remaining-tokens": b"1",
        b"retry-after": b"2",
        b"set-cookie": b"s",
        b"server": b"x",
        b"content-length": b"9",
    }
    assert passed_on(upstream) == [(b"x-ratelimit-remaining-tokens", b"1"), (b"retry-after", b"2")]


def test_names_in_any_script_make_no_broken_header():
    async def steps(reply):
        await reply.start(200, {}, ServedBy("d", "günstig\r\nx: y", "小"), is_stream=True)

    headers = dict(run(steps)[0]["headers"])
    assert b"\r" not in headers[b"x-undertow-tier"]
    assert headers[b"x-undertow-model"] == b"%E5%B0%8F"


def test_clients_are_told_not_to_retry_what_the_gateway_has_retried_already():
    async def ask(reply, status):
        await reply.start(status, {}, ServedBy("d", None), is_stream=False)
        await reply.end(b"{}")

    for status, expected in (
        (408, b"false"),
        (409, b"false"),
        (429, b"false"),
        (503, b"false"),
        (400, None),
        (200, None),
    ):
        head, _ = run(lambda reply, status=status: ask(reply, status))
        assert dict(head["headers"]).get(b"x-should-retry") == expected, status
