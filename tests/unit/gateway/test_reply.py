from undertow.gateway.reply import HttpReply, passed_on
from undertow.ports.reply import ServedBy


class Exchange:
    disconnected = is_congested = False
    on_disconnect = None

    def __init__(self):
        self.status, self.headers, self.bodies = 0, [], []

    def start(self, status, headers):
        assert not self.status
        self.status, self.headers = status, headers

    def send_body(self, body, *, more):
        self.bodies.append((body, more))


def run(steps):
    exchange = Exchange()
    steps(HttpReply(exchange))
    return exchange


def test_a_whole_answer_says_who_served_it():
    def steps(reply):
        reply.start(200, {b"x-request-id": b"up-1"}, ServedBy("d", "cheap", "small", "auto", 0.875), is_stream=False)
        reply.end(b"{}")

    exchange = run(steps)
    headers = dict(exchange.headers)
    assert headers[b"x-request-id"] == b"up-1"
    assert headers[b"x-undertow-decision-id"] == b"d"
    assert headers[b"x-undertow-tier"] == b"cheap"
    assert headers[b"x-undertow-confidence"] == b"0.875"
    assert exchange.bodies == [(b"{}", False)]


def test_a_stream_s_head_goes_at_once_and_is_not_to_be_buffered():
    def steps(reply):
        reply.start(200, {}, ServedBy("d", "cheap", "small"), is_stream=True)
        reply.send(b"data: 1\n\n")
        reply.end(b"data: [DONE]\n\n")

    exchange = run(steps)
    assert (b"content-type", b"text/event-stream; charset=utf-8") in exchange.headers
    assert (b"x-accel-buffering", b"no") in exchange.headers
    assert [more for _, more in exchange.bodies] == [True, False]


def test_an_error_says_who_served_nothing_and_that_a_retry_is_of_no_use():
    def steps(reply):
        reply.start(502, {}, ServedBy("d"), is_stream=False)
        reply.end(b"{}")

    headers = dict(run(steps).headers)
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
    def steps(reply):
        reply.start(200, {}, ServedBy("d", "günstig\r\nx: y", "小"), is_stream=True)

    headers = dict(run(steps).headers)
    assert b"\r" not in headers[b"x-undertow-tier"]
    assert headers[b"x-undertow-model"] == b"%E5%B0%8F"


def test_clients_are_told_not_to_retry_what_the_gateway_has_retried_already():
    def ask(reply, status):
        reply.start(status, {}, ServedBy("d", None), is_stream=False)
        reply.end(b"{}")

    for status, expected in (
        (408, b"false"),
        (409, b"false"),
        (429, b"false"),
        (503, b"false"),
        (400, None),
        (200, None),
    ):
        exchange = run(lambda reply, status=status: ask(reply, status))
        assert dict(exchange.headers).get(b"x-should-retry") == expected, status
