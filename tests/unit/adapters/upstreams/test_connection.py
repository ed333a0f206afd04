import asyncio

import pytest

from scripted_http import JSON_200, Wire, status
from undertow.adapters.upstreams.connection import JOIN_BYTES, MAX_IDLE_S, MAX_INTERIM_ANSWERS, MAX_SILENT_BYTES
from undertow.adapters.upstreams.exchange import MAX_UNREAD_BYTES, Exchange
from undertow.ports.upstream import UpstreamFailedError

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def outcome(*parts, loses=False, error=None, **fields):
    """Body, or kind of failure, of an answer of these bytes; and whether the connection is used again."""

    async def main():
        wire = Wire()
        exchange = wire.ask(**fields)
        wire.receive(*parts)
        if loses:
            wire.lose(error)
        assert exchange.has_ended
        assert wire.ended == [exchange]
        try:
            await exchange.head()
            body = await exchange.read()
        except UpstreamFailedError as failure:
            body = failure.kind
        return body, bool(wire.idle) and wire.connection.is_open

    return asyncio.run(main())


def test_a_request_leaves_in_one_write_unless_its_body_is_long():
    async def main():
        wire = Wire()
        wire.ask()
        assert wire.transport.written == [b"HEADBODY"]
        wire.receive(JSON_200)
        long = b"x" * (JOIN_BYTES + 1)
        exchange = Exchange(wire.connection, max_body_bytes=10, on_end=wire.ended.append)
        wire.connection.start(exchange, b"HEAD", long, first_byte_s=1, total_s=1)
        assert wire.transport.written[1:] == [b"HEAD", long]
        exchange.abort()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "body", "is_kept"),
    [
        (JSON_200, b"{}", True),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (CHUNKED + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc", True),
        (CHUNKED + b"2\r\nab\r\n0\r\nx-trailer: 1\r\n\r\n", b"ab", True),
        (OK + b"connection: close\r\ncontent-length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 204 No\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + JSON_200, b"{}", True),
        (b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" * MAX_INTERIM_ANSWERS + JSON_200, b"{}", True),
        (JSON_200 + b"HTTP/1.1 2", b"{}", False),
        (JSON_200 + JSON_200, b"{}", False),
        (JSON_200 + b"junk", b"{}", False),
        (OK + b"content-encoding: identity\r\ncontent-length: 1\r\n\r\na", b"a", True),
    ],
)
def test_a_framed_answer_is_complete_without_a_close(answer, body, is_kept):
    assert outcome(answer) == (body, is_kept)


def test_a_body_without_frame_lasts_until_the_peer_closes():
    assert outcome(OK + b"\r\nab", b"c", loses=True) == (b"abc", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 20",
        OK + b"content-length: 3\r\n",
        OK + b"content-length: 3\r\n\r\nab",
        CHUNKED,
        CHUNKED + b"2\r\na",
        CHUNKED + b"2\r\nab\r\n",
        CHUNKED + b"2\r\nab\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_an_answer_that_ends_before_its_end_is_cut(answer, error):
    assert outcome(answer, loses=True, error=error) == ("cut", False)


def test_a_body_without_frame_that_ends_in_a_reset_is_cut():
    assert outcome(OK + b"\r\nab", loses=True, error=ConnectionResetError()) == ("cut", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>no</html>",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 000 Zero\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 999 High\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM_ANSWERS + 1) + JSON_200,
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        OK + b"content-length: +3\r\n\r\nabc",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\n\r\nabc",
        OK + b"content-encoding: gzip\r\ncontent-length: 1\r\n\r\na",
        OK + b"a: 1\x002\r\n\r\n",
        OK + b"a: 1\n b: 2\r\n\r\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffffff\r\n",
    ],
)
def test_what_is_no_clean_http_is_garbage(answer):
    assert outcome(answer) == ("garbage", False)


@pytest.mark.parametrize("size", [1_000, 1_000_000], ids=["many reads", "one read"])
@pytest.mark.parametrize(
    "start",
    [OK + b"a: ", OK, CHUNKED + b"1;", CHUNKED + b"1\r\na\r\n0\r\nx: "],
    ids=["header", "headers", "chunk extension", "trailer"],
)
def test_an_answer_cannot_go_on_forever_without_a_body(start, size):
    filler = b"b: 1\r\n" if start == OK else b"x"
    flood = start + filler * (3 * MAX_SILENT_BYTES // len(filler))
    assert outcome(*[flood[at : at + size] for at in range(0, len(flood), size)]) == ("garbage", False)


@pytest.mark.parametrize(
    "answer",
    [OK + b"content-length: 11\r\n\r\n", CHUNKED + b"b\r\nabcdefghijk\r\n", OK + b"\r\nabcdefghijk"],
    ids=["stated", "chunked", "until close"],
)
def test_a_body_beyond_the_bound_is_too_large(answer):
    assert outcome(answer, max_body_bytes=10) == ("too_large", False)


def test_the_answer_to_a_head_request_ends_with_its_head():
    assert outcome(OK + b"content-length: 99\r\n\r\n", is_head_request=True, max_body_bytes=10) == (b"", False)


def test_a_passthrough_takes_a_content_encoding():
    answer = OK + b"content-encoding: gzip\r\ncontent-length: 1\r\n\r\na"
    assert outcome(answer, is_passthrough=True) == (b"a", True)


def test_bytes_that_nobody_asked_for_close_an_idle_connection():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(JSON_200)
        assert await exchange.read() == b"{}"
        wire.receive(b"HTTP/1.1 200 OK\r\n")
        assert not wire.connection.is_open
        assert wire.transport.is_closed

    asyncio.run(main())


def test_a_reused_connection_starts_afresh():
    async def main():
        wire = Wire()
        first = wire.ask(max_body_bytes=10)
        wire.receive(OK + b"x: 1\r\ncontent-length: 8\r\n\r\n12345678")
        second = wire.ask(max_body_bytes=10)
        wire.receive(status(404, b"y: 2", body=b"abcdefgh"))
        assert (await first.read(), first.headers[b"x"]) == (b"12345678", b"1")
        assert (await second.read(), second.status, b"x" in second.headers) == (b"abcdefgh", 404, False)
        assert wire.idle == [wire.connection] * 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("serves_first", "partial", "is_stale"), [(True, b"", True), (True, b"HTTP", False), (False, b"", False)]
)
def test_only_a_reused_connection_without_a_byte_of_answer_is_stale(serves_first, partial, is_stale):
    async def main():
        wire = Wire()
        if serves_first:
            wire.ask()
            wire.receive(JSON_200)
        exchange = wire.ask()
        if partial:
            wire.receive(partial)
        wire.lose(ConnectionResetError())
        assert exchange.failure == "cut"
        assert exchange.is_stale is is_stale

    asyncio.run(main())


def test_a_slow_reader_pauses_the_connection_and_reading_resumes_it():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(OK + b"content-length: 999999\r\n\r\n" + b"x" * MAX_UNREAD_BYTES)
        assert not wire.transport.is_paused
        wire.receive(b"y")
        assert wire.transport.is_paused
        assert len(await anext(exchange)) == MAX_UNREAD_BYTES + 1
        assert not wire.transport.is_paused
        wire.connection.fail("aborted")

    asyncio.run(main())


def test_deadlines_of_head_and_end():
    async def main():
        wire = Wire()
        exchange = wire.ask(first_byte_s=0.02, total_s=5)
        with pytest.raises(UpstreamFailedError, match="timeout"):
            await exchange.head()
        assert not wire.connection.is_open

        wire = Wire()
        exchange = wire.ask(first_byte_s=5, total_s=0.03)
        wire.receive(OK + b"\r\nab")
        await exchange.head()
        assert await anext(exchange) == b"ab"
        with pytest.raises(UpstreamFailedError, match="timeout"):
            await anext(exchange)

    asyncio.run(main())


def test_the_timer_of_an_answered_request_does_not_end_the_next_one():
    async def main():
        wire = Wire()
        wire.ask(first_byte_s=0.02)
        wire.receive(JSON_200)
        exchange = wire.ask(first_byte_s=5)
        await asyncio.sleep(0.04)
        assert not exchange.has_ended
        wire.receive(JSON_200)
        # A deadline that is nearer than the armed one moves the timer forward.
        exchange = wire.ask(first_byte_s=0.02)
        with pytest.raises(UpstreamFailedError, match="timeout"):
            await exchange.head()

    asyncio.run(main())


def test_an_old_or_long_idle_connection_takes_no_request():
    async def main():
        wire = Wire()
        now_s = asyncio.get_running_loop().time()
        assert wire.connection.is_fresh(now_s)
        assert not wire.connection.is_fresh(now_s + MAX_IDLE_S + 1)
        wire.connection.idle_since_s = now_s + 10_000
        assert not wire.connection.is_fresh(now_s + 10_000)

    asyncio.run(main())
