"""Raw sockets against the real server with a tiny application: what a caller may send, and what becomes of it."""

import contextlib
import json
import time

import pytest

from gateway_fakes.raw import RawConnection, exchange, get, post, request_bytes
from gateway_stub.served import served

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def running():
    with served(max_header_bytes=4096, max_headers=20, max_body_bytes=1_000_000) as server:
        yield server


def refused_by(server, *pieces):
    """Send, and return the answer and the records that came of it."""
    before = len(server.app.refused)
    answer = exchange(server.port, *pieces)
    server.wait_until(lambda: len(server.app.refused) > before)
    return answer, server.app.refused[before:]


MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "one bare line feed": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "space before a header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no ASCII in the target": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET / HTTP/1.7\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
FRAMING = {
    "both lengths": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, other order": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "overflowing length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "chunked, then another": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}
OTHERS = {
    "unknown coding": (501, "unsupported_coding", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "no such coding": (501, "unsupported_coding", HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "HTTP/2.0": (505, "unsupported_version", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, "unsupported_version", b"GET /\r\n\r\n"),
    "no host": (400, "bad_host", b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, "bad_host", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "CONNECT": (405, "connect_refused", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "websocket": (400, "upgrade_refused", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    "long target": (414, "url_too_long", b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "large head": (431, "headers_too_large", HEAD + b"X: " + b"a" * 5000 + b"\r\n\r\n"),
    "endless head": (431, "headers_too_large", HEAD + b"X: " + b"a" * 5000),
    "many headers": (431, "too_many_headers", HEAD + b"X: a\r\n" * 30 + b"\r\n"),
    "large body": (413, "body_too_large", HEAD + b"Content-Length: 1000001\r\n\r\n"),
    "large body, asking first": (413, "body_too_large", HEAD + b"Content-Length: 1000001\r\nExpect: 100-continue\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "why", "request_"),
    [(400, "malformed_request", request) for request in MALFORMED.values()]
    + [(400, "framing_conflict", request) for request in FRAMING.values()]
    + list(OTHERS.values()),
    ids=[*MALFORMED, *FRAMING, *OTHERS],
)
def test_what_is_no_request_is_refused_in_openais_shape_with_one_record_and_closed(running, status, why, request_):
    seen = len(running.app.seen)
    with RawConnection(running.port) as connection:
        before = len(running.app.refused)
        connection.send(request_)
        answer = connection.read_answer()
        assert connection.read_all() == b""
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert answer.json["error"]["code"] == why
    assert answer.json["error"].keys() == {"message", "type", "param", "code"}
    assert running.app.refused[before:] == [(status, why)]
    assert answer.headers["x-undertow-decision-id"] == f"refused-{before + 1}"
    assert len(running.app.seen) == seen


@pytest.mark.parametrize(
    "body",
    [b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
     b"5\r\nhelloXX0\r\n\r\n", b"-1\r\n\r\n"],
    ids=["line feed in an extension", "bare line feeds", "hexadecimal prefix", "space", "too long", "negative"],
)  # fmt: skip
def test_a_broken_chunk_is_told_to_the_application_which_then_has_the_record(running, body):
    before, refusals = len(running.app.refused), len(running.app.bodies_refused)
    answer = exchange(running.port, CHUNKED, body, pause_s=0.02)
    assert answer.status == 400
    assert running.app.bodies_refused[refusals:] == [(400, "malformed_request")]
    assert len(running.app.refused) == before


@pytest.mark.parametrize("tail", [b"0\r\nX: ", b"0;x="], ids=["trailer", "chunk extension"])
def test_what_follows_a_body_is_bounded_as_a_head_is(running, tail):
    with RawConnection(running.port) as connection:
        before = len(running.app.bodies_refused)
        connection.send(CHUNKED + b"1\r\na\r\n" + tail)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.send(b"a" * 4096)
                time.sleep(0.001)
        running.wait_until(lambda: len(running.app.bodies_refused) > before, 2)
    assert running.app.bodies_refused[before:] == [(431, "headers_too_large")]


def test_bodies_arrive_whole_however_they_are_cut(running):
    chunks = b"5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nAuthorization: smuggled\r\n\r\n"
    pieces = [chunks[at : at + 1] for at in range(len(chunks))]
    for request in ([CHUNKED, chunks], [CHUNKED, *pieces], [request_bytes("/echo", b"hello world")]):
        answer = exchange(running.port, *request, pause_s=0.001)
        assert (answer.status, answer.body) == (200, b"hello world")
    assert all(name != b"authorization" for headers in running.app.headers for name, _ in headers)


def test_a_body_larger_than_any_buffer_passes(running):
    body = b"x" * 900_000
    assert post(running.port, "/echo", body).body == body


def test_the_caller_that_asks_first_is_told_to_go_on(running):
    with RawConnection(running.port) as connection:
        connection.send(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_answer().status == 100
        connection.send(b"hello")
        assert connection.read_answer().body == b"hello"


def test_a_refusal_reaches_a_caller_that_is_still_sending(running):
    answer, records = refused_by(
        running, HEAD + b"Content-Length: 30000000\r\n\r\n", *[b"x" * 1_000_000 for _ in range(30)]
    )
    assert (answer.status, records) == (413, [(413, "body_too_large")])
    assert answer.is_whole


@pytest.mark.parametrize("size", [65_536, 65_537, 150_000, 900_000])
def test_a_connection_is_read_on_after_a_large_body(running, size):
    with RawConnection(running.port, timeout_s=5.0) as connection:
        for _ in range(3):
            connection.send(request_bytes("/echo", b"x" * size))
            answer = connection.read_answer()
            assert (answer.status, len(answer.body)) == (200, size)


def test_a_caller_that_goes_after_a_large_body_is_noticed(running):
    running.app.gone.clear()
    with RawConnection(running.port) as connection:
        before = running.app.seen.count("/wait")
        connection.send(request_bytes("/wait", b"x" * 150_000))
        running.wait_until(lambda: running.app.seen.count("/wait") > before)
        time.sleep(0.1)
    running.wait_until(lambda: running.app.gone == ["/wait"])


def test_an_answer_before_the_body_reaches_a_caller_that_is_still_sending(running):
    request = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    answer = exchange(running.port, request, *[b"x" * 100_000 for _ in range(9)])
    assert (answer.body, answer.headers["connection"]) == (b"/early", "close")


def test_connections_are_used_again_and_pipelined_answers_come_in_order(running):
    with RawConnection(running.port) as connection:
        for body in (b"a", b"b"):
            connection.send(request_bytes("/echo", body))
            assert connection.read_answer().body == body
        connection.send(b"".join(request_bytes("/echo", b"%d" % index) for index in range(5)))
        assert [connection.read_answer().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_too_many_pipelined_requests_are_refused_after_those_before_them(running):
    with RawConnection(running.port) as connection:
        connection.send(b"".join(request_bytes("/echo", b"%d" % index) for index in range(40)))
        answers = [connection.read_answer() for _ in range(10)]
        assert connection.read_all() == b""
    assert [answer.body for answer in answers[:9]] == [b"%d" % index for index in range(9)]
    assert answers[9].json["error"]["code"] == "too_many_pipelined"


def test_garbage_after_a_request_is_answered_after_its_answer(running):
    with RawConnection(running.port) as connection:
        connection.send(request_bytes("/echo", b"first"), b"GARBAGE\r\n\r\n")
        assert connection.read_answer().body == b"first"
        assert connection.read_answer().status == 400
        assert connection.read_all() == b""


def test_what_comes_after_a_closing_request_is_ignored(running):
    before = len(running.app.seen)
    with RawConnection(running.port) as connection:
        connection.send(request_bytes("/echo", b"last", headers={"connection": "close"}) + request_bytes("/echo", b"x"))
        answer = connection.read_answer()
        assert (answer.body, answer.headers["connection"]) == (b"last", "close")
        assert connection.read_all() == b""
    assert len(running.app.seen) == before + 1


def test_an_offer_of_http2_is_ignored_as_http_allows(running):
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQ"}
    with RawConnection(running.port) as connection:
        connection.send(request_bytes("/a", method="GET", headers=offer) + request_bytes("/echo", b"second"))
        assert [connection.read_answer().body for _ in range(2)] == [b"/a", b"second"]
    with RawConnection(running.port) as connection:
        request = request_bytes("/echo", b"hello", headers=offer)
        connection.send(request[:-5], request[-5:-2], request[-2:], request_bytes("/echo"), pause_s=0.01)
        answer = connection.read_answer()
        assert (answer.body, answer.headers["connection"]) == (b"hello", "close")
        assert connection.read_all() == b""
    chunked = CHUNKED[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert exchange(running.port, chunked).body == b"hello"


def test_an_old_client_is_answered_without_chunks_and_closed(running):
    for path, body in (("/stream", b"one two three"), ("/echo", b"/echo")):
        answer = exchange(running.port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert (answer.body, answer.headers["x-version"]) == (body, "1.0")
        assert "transfer-encoding" not in answer.headers


def test_streams_are_chunked_and_heads_have_no_body(running):
    answer = get(running.port, "/stream")
    assert (answer.headers["transfer-encoding"], answer.body) == ("chunked", b"one two three")
    with RawConnection(running.port) as connection:
        connection.send(b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        head = connection.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert connection.read_answer().body == b"/after"


def test_targets_are_read(running):
    for target in (b"/a%20b?c=d", b"http://elsewhere/a%20b?c=d"):
        assert exchange(running.port, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").body == b"/a b"


def test_a_failing_application_shows_nothing_of_itself(running, caplog):
    assert get(running.port, "/fail").json["error"]["code"] == "internal_error"
    assert get(running.port, "/inject").status == 500
    assert get(running.port, "/short").status == 500
    answer = get(running.port, "/fail-late")
    assert (answer.status, answer.is_whole) == (200, False)
    assert "ValueError at served.py" in caplog.text
    assert "SECRET" not in caplog.text


def test_the_application_is_told_once_that_its_caller_has_gone():
    with served() as server:
        for goes in (RawConnection.reset, RawConnection.finish):
            with RawConnection(server.port) as connection:
                connection.send(request_bytes("/wait"))
                server.wait_until(lambda: len(server.app.seen) > len(server.app.gone))
                goes(connection)
                server.wait_until(lambda: len(server.app.seen) == len(server.app.gone))
        server.release()
        assert server.app.refused == []


def test_requests_cut_by_their_caller_leave_a_record():
    with served() as server:
        with RawConnection(server.port) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHos")
            server.wait_until(lambda: any(one.phase for one in server.server.connections))
            connection.reset()
        server.wait_until(lambda: server.app.refused == [(499, "caller_left")])
        with RawConnection(server.port) as connection:
            connection.send(request_bytes("/wait") + request_bytes("/queued"))
            server.wait_until(lambda: server.app.seen == ["/wait"])
        server.wait_until(lambda: server.app.refused == [(499, "caller_left")] * 2)
        server.release()
        assert "/queued" not in server.app.seen


def test_slow_heads_and_slow_bodies_are_cut_off():
    with served(header_timeout_s=0.2, body_timeout_s=0.3) as server:
        drip = [b"X: y\r\n"] * 50
        began = time.monotonic()
        answer = exchange(server.port, HEAD, *drip, pause_s=0.01)
        assert (answer.status, server.app.refused) == (408, [(408, "header_timeout")])
        answer = exchange(server.port, HEAD + b"Content-Length: 500\r\n\r\n", *[b"x"] * 60, pause_s=0.01)
        assert (answer.status, server.app.bodies_refused) == (408, [(408, "body_timeout")])
        assert len(server.app.refused) == 1
        assert time.monotonic() - began < 8


def test_silent_and_idle_connections_are_closed_without_a_record():
    with served(header_timeout_s=0.1, idle_timeout_s=0.1) as server:
        with RawConnection(server.port) as connection:
            assert connection.read_all() == b""
        with RawConnection(server.port) as connection:
            connection.send(request_bytes("/echo", b"once"))
            assert connection.read_answer().body == b"once"
            connection.send(b"\r\n\r\n")
            assert connection.read_all() == b""
        assert server.app.refused == []


def test_one_connection_too_many_is_refused_when_it_asks():
    with served(max_connections=2) as server:
        held = [RawConnection(server.port) for _ in range(2)]
        for connection in held:
            connection.send(request_bytes("/echo", b"x"))
            assert connection.read_answer().status == 200
        with RawConnection(server.port) as third:
            server.wait_until(lambda: len(server.server.connections) == 3)
            assert server.app.refused == []
            third.send(request_bytes("/echo", b"x"))
            answer = third.read_answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert server.app.refused == [(503, "too_many_connections")]
        more = [RawConnection(server.port) for _ in range(4)]
        assert more[-1].read_all() == b""
        for connection in held + more:
            connection.__exit__()


def test_a_caller_that_does_not_read_holds_back_the_application():
    with served() as server:
        with RawConnection(server.port) as connection:
            connection.send(request_bytes("/huge"))
            server.wait_until(lambda: server.app.sent_bytes > 0)
            time.sleep(0.3)
            held_back_at = server.app.sent_bytes
            assert held_back_at < 16_000_000
            read_bytes = 0
            while read_bytes < 64_000_000:
                read_bytes += len(connection.read_some())
        assert server.app.gone == []


def test_a_caller_that_stops_reading_for_good_is_cut_off(monkeypatch):
    monkeypatch.setattr("undertow.gateway.connection.STALL_S", 0.1)
    with served() as server, RawConnection(server.port) as connection:
        connection.send(request_bytes("/huge"))
        server.wait_until(lambda: server.app.gone == ["/huge"])


def test_errors_are_json_that_any_client_reads(running):
    body = exchange(running.port, b"GET / HTTP/1.1\r\n\r\n").body
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
