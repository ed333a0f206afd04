"""What is malformed, huge, slow or cut off, from callers and from upstreams: an error in OpenAI's shape or a correct fall-back, one
record each, and neither a traceback nor a prompt nor a key in any answer or log line.
"""

import contextlib
import json
import socket
import time

import pytest

from gateway_fakes.raw import RawConnection, exchange, request_bytes
from gateway_fakes.reply import Reply, reply_for
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import UPSTREAM_KEY, running_gateway, settings_for
from undertow.config.keys import new_key

CHAT = "/v1/chat/completions"
PROMPT = "prompt-canary-4711"
ASK = {"messages": [{"role": "user", "content": f"Where is {PROMPT}?"}]}
TEXT = "The invoice was sent on Monday."
LIMITS = """
[gateway]
max_body_mb = 1.0
max_header_bytes = 8192
max_headers = 40
header_timeout_s = 1.0
body_timeout_s = 1.5
[keys.team]
id = "{id}"
sha256 = "{sha256}"
"""
DEADLINES = "connect_timeout_s = 1.0\nfirst_byte_timeout_s = 1.0\ntotal_timeout_s = 3.0\nmax_answer_mb = 1.0"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    key = new_key()
    further = LIMITS.format(id=key.key_id, sha256=key.sha256)
    with FakeUpstream() as upstream:
        settings = settings_for(upstream.base_url, further, upstream=DEADLINES)
        with running_gateway(tmp_path_factory.mktemp("gateway"), settings, key=key.key) as gateway:
            yield upstream, gateway


@pytest.fixture
def upstream(served):
    upstream = served[0]
    upstream.requests.clear()
    upstream._answers.clear()
    upstream._scripted.clear()
    return upstream


@pytest.fixture
def gateway(served):
    gateway = served[1]
    seen = len(gateway.log_lines)
    yield gateway
    for line in gateway.log_lines[seen:]:
        assert isinstance(json.loads(line), dict), line
        for secret in (PROMPT, gateway.key, gateway.key.split("_", 2)[2], UPSTREAM_KEY, "Traceback"):
            assert secret not in line


def chat(gateway, body, *, path=CHAT, **headers):
    """The bytes of a request with the key."""
    named = {"authorization": f"Bearer {gateway.key}"} | {name.replace("_", "-"): it for name, it in headers.items()}
    return request_bytes(path, body, headers=named)


def refused(answer, status, code=None):
    """That an answer is an error in OpenAI's shape, which quotes nothing."""
    assert answer.status == status, answer
    assert answer.is_whole
    assert answer.headers["content-type"] == "application/json"
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    if code is not None:
        assert error["code"] == code
    text = (answer.head + answer.body).decode("latin-1")
    for never in (PROMPT, UPSTREAM_KEY, "Traceback", ".py", "ut_"):
        assert never not in text


def messages_of(content):
    return {"model": "auto", "messages": [{"role": "user", "content": content}]}


AUTO = {"model": "auto", **ASK}
QUOTED = json.dumps(PROMPT).encode()
BODIES = {
    "nothing": (b"", 400, "invalid_json"),
    "no JSON": (b"model=auto&prompt=" + PROMPT.encode(), 400, "invalid_json"),
    "cut off": (json.dumps(AUTO).encode()[:-9], 400, "invalid_json"),
    "two documents": (json.dumps(AUTO).encode() * 2, 400, "invalid_json"),
    "an array": (b"[" + json.dumps(AUTO).encode() + b"]", 400, "invalid_json"),
    "a string": (QUOTED, 400, "invalid_json"),
    "invalid UTF-8": (b'{"model":"auto","messages":[{"role":"user","content":"\xff\xfe"}]}', 400, "invalid_json"),
    "invalid UTF-8 in a field that nobody reads": (b'{"x":"\xc3\x28",' + json.dumps(AUTO).encode()[1:], 400, "invalid_json"),
    "a NUL": (json.dumps(AUTO).encode() + b"\0", 400, "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "invalid_json"),
    "NaN": (b'{"model":"auto","temperature":NaN,' + json.dumps(ASK).encode()[1:], 400, "invalid_json"),
    "deep arrays": (b'{"model":"auto","messages":' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400, "nesting_too_deep"),
    "deep objects": (b'{"model":"auto","x":' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}", 400, "nesting_too_deep"),
    "deep and cut off": (b"[" * 100_000, 400, None),
    "no model": (ASK, 400, "missing_required_parameter"),
    "model of a wrong type": ({"model": 7, **ASK}, 400, "invalid_type"),
    "an empty model": ({"model": "", **ASK}, 400, None),
    "an unknown model": ({"model": "gpt-nope", **ASK}, 404, "model_not_found"),
    "a huge model": ({"model": PROMPT * 20_000, **ASK}, 404, "model_not_found"),
    "no messages": ({"model": "auto"}, 400, None),
    "messages of a wrong type": ({"model": "auto", "messages": PROMPT}, 400, None),
    "empty messages": ({"model": "auto", "messages": []}, 400, "empty_array"),
    "a message of a wrong type": ({"model": "auto", "messages": [PROMPT]}, 400, None),
    "content of a wrong type": (messages_of(7), 400, None),
    "stream of a wrong type": ({**AUTO, "stream": "yes"}, 400, "invalid_type"),
    "metadata of a wrong type": ({**AUTO, "metadata": [PROMPT]}, 400, "invalid_type"),
    "metadata with an object": ({**AUTO, "metadata": {"a": {"b": PROMPT}}}, 400, "invalid_type"),
    "too much metadata": ({**AUTO, "metadata": {f"k{i}": "v" for i in range(17)}}, 400, None),
    "a label that is too long": ({**AUTO, "metadata": {"intent": PROMPT * 100}}, 400, None),
    "user of a wrong type": ({**AUTO, "user": {"id": PROMPT}}, 400, "invalid_type"),
    "a limit of a wrong type": ({**AUTO, "max_tokens": PROMPT}, 400, "invalid_type"),
    "a limit below zero": ({**AUTO, "max_tokens": -1}, 400, "invalid_value"),
    "tools of a wrong type": ({**AUTO, "tools": PROMPT}, 400, None),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_meant(gateway, upstream, name):
    body, status, code = BODIES[name]
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, body))
    refused(answer, status, code)
    record = records[0]
    assert (record["status"], record["reason"]) == ("refused", "refused")
    assert record["error"] == answer.json["error"]["code"]
    assert record["decision_id"] == answer.headers["x-undertow-decision-id"]
    assert PROMPT not in json.dumps(record)
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
@pytest.mark.parametrize(
    "body", [b"{", b"[" * 9_000, b'{"model":"auto","messages":7,"input":7}', b'{"model":"nobody"}']
)
def test_a_body_that_cannot_be_meant_in_the_other_formats(gateway, upstream, path, body):
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, body, path=path))
    assert 400 <= answer.status < 500
    assert {"message", "type"} <= set(answer.json["error"])
    assert records[0]["status"] == "refused"


@pytest.mark.parametrize(
    "odd",
    [
        b'{"model":"auto","messages":[{"role":"user","content":"cut \\ud83d"}]}',
        b'{"model":"nobody","model":"auto","messages":[{"role":"user","content":"twice"}]}',
        b'\r\n\t {"messages":[{"role":"user","content":null},{"role":"user","content":[{"type":"text","text":"x"}]}],"model":"auto"}\n',
        b'{"model":"auto","seed":123456789012345678901234567890,"messages":[{"role":"user","content":"a number"}]}',
    ],
)
def test_odd_is_not_wrong(gateway, upstream, odd):
    with gateway.new_records() as records:
        assert exchange(gateway.port, chat(gateway, odd)).status == 200
    assert records[0]["status"] == "ok"
    assert upstream.requests[0].body.count(b'"model"') == 1


def test_signals_that_cannot_be_meant(gateway, upstream):
    with gateway.new_records(0):
        for body, status in ((b"{", 400), (b"[" * 60_000, 400), (b"[]", 400), ([7, None, {"value": "x"}], 422)):
            refused_or_told = exchange(gateway.port, chat(gateway, body, path="/v1/feedback"))
            assert refused_or_told.status == status
            assert "error" in refused_or_told.json


# --- size, keys and framing


@pytest.mark.parametrize("framing", ["length", "chunks", "length beforehand"])
def test_a_body_that_is_too_large(gateway, upstream, framing):
    body = json.dumps(messages_of(PROMPT * 100_000)).encode()
    if framing == "chunks":
        head = chat(gateway, b"", transfer_encoding="chunked").replace(b"content-length: 0\r\n", b"")
        pieces = [head, *(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(40)), b"0\r\n\r\n"]
    elif framing == "length":
        pieces = [chat(gateway, body)]
    else:
        pieces = [chat(gateway, b"", content_length="1" + "0" * 12)]
    with gateway.new_records() as records:
        answer = exchange(gateway.port, *pieces)
    refused(answer, 413)
    assert (records[0]["status"], records[0]["error"]) == ("refused", "body_too_large")


def test_a_length_that_is_no_number(gateway, upstream):
    for length in ("nine", "-1", "1" + "0" * 40, "0x10", "1,1", "+4"):
        with gateway.new_records() as records:
            answer = exchange(gateway.port, chat(gateway, b"", content_length=length))
        assert answer.status in {400, 413}, length
        refused(answer, answer.status)
        assert records[0]["status"] == "refused"


@pytest.mark.parametrize(
    "credentials", [None, "Bearer", "Bearer ut_", "Bearer ut_abcdefgh_x", "Basic dXQ6dXQ=", "Bearer \u00e9"]
)
def test_a_missing_or_wrong_key(gateway, upstream, credentials):
    request = request_bytes(CHAT, AUTO, headers={"authorization": credentials} if credentials is not None else {})
    with gateway.new_records() as records:
        answer = exchange(gateway.port, request)
    refused(answer, 401, "invalid_api_key")
    assert (records[0]["status"], records[0]["error"]) == ("refused", "invalid_api_key")
    assert "key_name" not in records[0]
    assert upstream.requests == []


def test_a_key_with_one_character_changed(gateway, upstream):
    changed = gateway.key[:-1] + ("A" if gateway.key[-1] != "A" else "B")
    with gateway.new_records() as records:
        answer = exchange(gateway.port, request_bytes(CHAT, AUTO, headers={"authorization": f"Bearer {changed}"}))
    refused(answer, 401)
    assert gateway.key[:11] not in json.dumps(records[0])


HEADS = {
    "length and chunks": ([("transfer-encoding", "chunked")], 400),
    "two lengths": ([("content-length", "5")], 400),
    "an unknown coding": ([("transfer-encoding", "gzip, chunked")], None),
    "a compressed body": ([("content-encoding", "gzip")], 415),
    "forty headers too many": ([(f"x-{i}", "y") for i in range(80)], 431),
    "a header that is too long": ([("x-long", "y" * 20_000)], 431),
    "a line break in a header": ([("x-bad", "a\nx-evil: b")], 400),
    "a NUL in a header": ([("x-bad", "a\0b")], 400),
    "a label with a bad name": ([("x-undertow-segment-in tent", "x")], 400),
    "a label that hides a line break": ([("x-undertow-segment-intent", "a%0d%0aevil")], 400),
    "a label without text": ([("x-undertow-segment-intent", "")], 400),
    "a conversation that is too long": ([("x-undertow-conversation-id", PROMPT * 40)], 400),
    "two hosts": ([("host", "elsewhere")], 400),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_cannot_be_meant(gateway, upstream, name):
    lines, status = HEADS[name]
    request = chat(gateway, AUTO)
    further = "".join(f"{header}: {value}\r\n" for header, value in lines).encode("latin-1")
    with gateway.new_records() as records:
        answer = exchange(gateway.port, request.replace(b"\r\n\r\n", b"\r\n" + further + b"\r\n", 1))
    assert answer.status == (status or answer.status)
    refused(answer, answer.status)
    assert 400 <= answer.status <= 501
    assert records[0]["status"] == "refused"
    assert records[0]["decision_id"] == answer.headers["x-undertow-decision-id"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /v1/chat/completions HTTP/3.7\r\n\r\n",
        b"POST /v1/chat/completions\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n",
    ],
    ids=["TLS", "half a line", "version", "no version", "HTTP/2", "long target", "CONNECT"],
)
def test_what_is_no_request(gateway, upstream, bytes_):
    with gateway.new_records() as records:
        answer = exchange(gateway.port, bytes_)
    assert 400 <= answer.status <= 505
    refused(answer, answer.status)
    assert records[0]["status"] == "refused"


def test_a_target_that_is_too_long(gateway, upstream):
    with gateway.new_records():
        refused(exchange(gateway.port, chat(gateway, AUTO, path="/v1/" + "a" * 5_000)), 414)


# --- slow callers and those who leave


def test_a_head_that_comes_too_slowly(gateway, upstream):
    with gateway.new_records() as records, RawConnection(gateway.port) as connection:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
        answer = slowly(connection, b"x-a: b\r\n")
    refused(answer, 408, "header_timeout")
    assert (records[0]["status"], records[0]["error"]) == ("refused", "header_timeout")


def test_a_body_that_comes_too_slowly(gateway, upstream):
    with gateway.new_records() as records, RawConnection(gateway.port) as connection:
        connection.send(chat(gateway, b"", content_length="1000"))
        answer = slowly(connection, b" ")
    refused(answer, 408, "body_timeout")
    assert (records[0]["status"], records[0]["error"]) == ("refused", "body_timeout")


def slowly(connection, piece):
    """Send a piece every fifth of a second until something comes back."""
    connection._socket.settimeout(0.2)
    for _ in range(40):
        with contextlib.suppress(TimeoutError):
            answer = connection.read_some()
            connection._socket.settimeout(10)
            connection._unread = answer
            return connection.read_answer()
        with contextlib.suppress(OSError):
            connection.send(piece)
    raise AssertionError("nothing came back")


def test_a_connection_that_says_nothing_is_no_decision(gateway, upstream):
    with gateway.new_records(0):
        RawConnection(gateway.port)._socket.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("place", ["in the head", "after the head", "in the body"])
def test_a_caller_that_leaves_before_its_request_is_complete(gateway, upstream, place, how):
    request = chat(gateway, AUTO)
    head = request.index(b"\r\n\r\n") + 4
    end = {"in the head": 30, "after the head": head, "in the body": head + 20}[place]
    with gateway.new_records() as records:
        connection = RawConnection(gateway.port)
        connection.send(request[:end])
        time.sleep(0.05)
        connection.reset() if how == "reset" else connection._socket.close()
    assert records[0]["status"] == "abandoned"
    assert records[0]["error"] in {"client_closed", "caller_left"}
    assert upstream.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_that_leaves_while_the_upstream_thinks(gateway, upstream, stream):
    upstream.answer("large", Reply(delay_s=0.4))
    with gateway.new_records() as records:
        connection = RawConnection(gateway.port)
        connection.send(chat(gateway, {"model": "capable", "stream": stream, **ASK}))
        upstream.wait_until(lambda it: len(it.requests) == 1)
        connection.reset()
    record = records[0]
    assert (record["status"], record["error"]) == ("abandoned", "client_closed")
    if not stream:
        # What was asked for is paid for, and the log says how much.
        assert record["cost_usd"] == pytest.approx((12 * 10 + 6 * 20) / 1e6)
    assert record["calls"]


def test_a_caller_that_leaves_in_a_stream_ends_the_upstreams_work(gateway, upstream):
    upstream.answer("large", Reply(endless="drip"))
    aborted = upstream.aborted
    with gateway.new_records() as records, RawConnection(gateway.port) as connection:
        connection.send(chat(gateway, {"model": "capable", "stream": True, **ASK}))
        connection.read_until(b"more more")
        connection.reset()
        upstream.wait_until(lambda it: it.aborted > aborted)
    record = records[0]
    assert (record["status"], record["tier"], record["error"]) == ("abandoned", "capable", "client_closed")
    assert record["delivered_chars"] > 0
    assert record["cost_usd"] > 0


def test_a_caller_that_stops_sending_is_taken_for_gone(gateway, upstream):
    upstream.answer("large", Reply(delay_s=0.3))
    with gateway.new_records() as records, RawConnection(gateway.port) as connection:
        connection.send(chat(gateway, {"model": "capable", **ASK}))
        upstream.wait_until(lambda it: len(it.requests) == 1)
        connection._socket.shutdown(socket.SHUT_RDWR)
    assert records[0]["status"] == "abandoned"


# --- upstreams that send garbage

GARBAGE = {
    "html": 502, "html-503": 503, "truncated-json": 502, "not-an-answer": 502, "json-array": 502, "empty-body": 502,
    "error-200": 502, "redirect": 502, "no-content": 502, "close": 502, "reset": 502, "bad-http": 502, "half-head": 502,
    "huge-head": 502, "hang": 504, "fail-500": 500, "fail-429": 429, "fail-401": 502, "bad-utf8": 502,
}  # fmt: skip
GARBAGE_WHOLE = {"short-body": 502, "sse-for-json": 502, "endless-body": 502}
GARBAGE_STREAMED = {
    "json-for-stream": 502, "garbage-sse": 502, "cut-before-event": 502, "endless-event": 502, "wrong-type": 502,
}  # fmt: skip
CASES = [
    *((name, stream, status) for name, status in GARBAGE.items() for stream in (False, True)),
    *((name, False, status) for name, status in GARBAGE_WHOLE.items()),
    *((name, True, status) for name, status in GARBAGE_STREAMED.items()),
]


@pytest.mark.parametrize(("name", "stream", "status"), CASES)
def test_garbage_of_the_only_tier_becomes_an_error(gateway, upstream, name, stream, status):
    upstream.answer("large", reply_for(name))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "capable", "stream": stream, **ASK}))
    refused(answer, status)
    record = records[0]
    assert record["status"] == "error"
    assert record["error"] == record["calls"][0]["status"]
    assert "tier" not in record
    assert len(record["calls"]) == 1


@pytest.mark.parametrize(("name", "stream", "status"), CASES)
def test_garbage_of_the_cheap_tier_is_replaced(gateway, upstream, name, stream, status):
    upstream.answer("small", reply_for(name))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "auto", "stream": stream, **ASK}))
    assert answer.status == 200
    assert said(answer, stream) == TEXT
    record = records[0]
    assert (record["tier"], record["status"], record["reason"]) == ("capable", "fallback", "upstream_error")
    assert [call["status"] == "ok" for call in record["calls"]] == [False, True]


def said(answer, stream):
    """The text of an answer."""
    if not stream:
        return answer.json["choices"][0]["message"]["content"]
    assert answer.events[-1] == b"data: [DONE]"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in answer.events[:-1]]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


CUTS = ["cut-after-4", "cut-inside-4", "reset-after-4", "short-after-4", "error-after-4", "hang-after-4", "endless"]


@pytest.mark.parametrize("name", CUTS)
def test_a_stream_that_is_cut_ends_in_an_error_and_never_looks_whole(gateway, upstream, name):
    upstream.answer("large", reply_for(name))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "capable", "stream": True, **ASK}))
    assert answer.is_whole
    assert b"[DONE]" not in answer.body
    if answer.status == 200:
        assert "error" in json.loads(answer.events[-1].removeprefix(b"data: "))
        assert records[0]["delivered_chars"] > 0
    else:  # all of it came in one piece with its end: nothing had been sent yet
        refused(answer, answer.status)
    assert records[0]["status"] == "error"
    assert len(answer.body) < 4_000_000


@pytest.mark.parametrize("name", CUTS)
def test_a_cheap_stream_that_is_cut_is_replaced_as_a_whole(gateway, upstream, name):
    upstream.answer("small", reply_for(name))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "auto", "stream": True, **ASK}))
    assert said(answer, stream=True) == TEXT
    assert (records[0]["tier"], records[0]["status"]) == ("capable", "fallback")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["empty", "null-content"])
def test_an_empty_answer_bears_a_mark(gateway, upstream, name, stream):
    upstream.answer("large", reply_for(name))
    with gateway.new_records() as records:
        assert exchange(gateway.port, chat(gateway, {"model": "capable", "stream": stream, **ASK})).status == 200
    assert (records[0]["status"], records[0]["error"]) == ("error", "empty_answer")
    upstream.answer("large", Reply())
    upstream.answer("small", reply_for(name))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "auto", "stream": stream, **ASK}))
    assert said(answer, stream) == TEXT
    assert (records[0]["tier"], records[0]["reason"]) == ("capable", "empty_answer")


def test_an_upstream_that_is_not_there(gateway, upstream):
    upstream.refuse()
    try:
        upstream.close_idle()
        with gateway.new_records() as records:
            refused(exchange(gateway.port, chat(gateway, {"model": "capable", **ASK})), 502, "upstream_unreachable")
    finally:
        upstream.listen()
    assert (records[0]["status"], records[0]["error"]) == ("error", "connect")


def test_an_error_that_repeats_our_key_is_passed_on_without_it(gateway, upstream):
    told = json.dumps({"error": {"message": f"bad key {UPSTREAM_KEY}", "type": "x", "param": None, "code": None}})
    upstream.answer("large", Reply(status=400, body=told.encode()))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, chat(gateway, {"model": "capable", **ASK}))
    refused(answer, 400)
    assert UPSTREAM_KEY not in json.dumps(records)


def test_after_all_this_the_gateway_serves_as_before(gateway, upstream):
    with gateway.new_records() as records:
        assert exchange(gateway.port, chat(gateway, AUTO)).status == 200
    assert records[0]["status"] == "ok"
    assert gateway.get("/healthz")[0] == 200
