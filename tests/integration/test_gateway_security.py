"""Attacks on the real gateway: choosing its upstream, breaking its headers, smuggling requests, forging its logs, reading its keys,
and taking what is everybody's.
"""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from conftest import require
from gateway_fakes.raw import RawConnection, exchange, get, post, request_bytes
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import UNDERTOW
from integration.gateway_process import ENV, UPSTREAM_KEY, running_gateway, settings_for
from undertow.config.keys import new_key

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "first"}]}
FURTHER = """
[tiers.odd]
model = "gro\\u00df\\r\\nx-evil: 1\\u2028"
rank = 2
base_url = "{url}"
api_key_env = "UPSTREAM_KEY"
[passthrough]
base_url = "{other}/chat"
api_key_env = "UPSTREAM_KEY"
[gateway]
header_timeout_s = 1.0
body_timeout_s = 1.5
max_connections = 60
[telemetry]
log_level = "debug"
[keys.team]
id = "{first.key_id}"
sha256 = "{first.sha256}"
labels = {{ team = "search" }}
[keys.others]
id = "{second.key_id}"
sha256 = "{second.sha256}"
tiers = ["cheap"]
"""


@pytest.fixture(scope="module")
def keys():
    return new_key(), new_key()


@pytest.fixture(scope="module")
def served(tmp_path_factory, keys):
    with FakeUpstream() as upstream, FakeUpstream() as other, FakeUpstream() as elsewhere:
        further = FURTHER.format(url=upstream.base_url, other=other.base_url, first=keys[0], second=keys[1])
        settings = settings_for(
            upstream.base_url,
            further,
            upstream="total_timeout_s = 6.0\nfirst_byte_timeout_s = 2.0\nmax_answer_mb = 400.0",
        )
        with running_gateway(tmp_path_factory.mktemp("gateway"), settings, key=keys[0].key) as gateway:
            yield upstream, other, elsewhere, gateway


@pytest.fixture
def upstream(served):
    for fake in served[:3]:
        fake.requests.clear()
        fake._answers.clear()
        fake._scripted.clear()
    return served[0]


@pytest.fixture
def other(served, upstream):
    return served[1]


@pytest.fixture
def elsewhere(served, upstream):
    return served[2]


@pytest.fixture
def gateway(served):
    return served[3]


def ask(gateway, body, path=CHAT, method="POST", **headers):
    """The bytes of a request with the key."""
    named = {"authorization": f"Bearer {gateway.key}"} | {name.replace("_", "-"): it for name, it in headers.items()}
    return request_bytes(path, body, method=method, headers=named)


# --- the upstream's address is the operator's alone


def test_no_field_of_the_body_changes_where_a_request_goes(gateway, upstream, elsewhere):
    url = elsewhere.base_url
    names = ("base_url", "api_base", "url", "endpoint", "host", "proxy", "upstream", "api_key", "custom_llm_provider")
    fields = dict.fromkeys(names, url) | {
        "extra_headers": {"host": url},
        "metadata": {"base_url": url, "api_base": url},
    }
    image = {"type": "image_url", "image_url": {"url": f"{url}/secret.png"}}
    bodies = [
        {"model": "capable", **ASK, **fields},
        {"model": "capable", "messages": [{"role": "user", "content": [{"type": "text", "text": "first"}, image]}]},
        *({"model": model, **ASK} for model in (url, f"openai/{url}", f"capable?base_url={url}", f"capable@{url}")),
    ]
    for body in bodies:
        exchange(gateway.port, ask(gateway, body))
    assert len(upstream.requests) == 2
    assert elsewhere.connections == 0
    for received in upstream.requests:
        assert (received.path, received.headers["host"]) == (CHAT, f"127.0.0.1:{upstream.port}")
        assert received.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


REDIRECTORS = [
    "x-base-url", "x-api-base", "x-upstream", "x-upstream-url", "x-undertow-base-url", "x-undertow-upstream", "forwarded",
    "x-forwarded-host", "x-forwarded-server", "x-host", "x-original-url", "x-rewrite-url", "x-litellm-api-base",
    "x-portkey-custom-host", "helicone-target-url", "x-target-url", "proxy", "x-http-host-override", "api-base",
]  # fmt: skip


def test_no_header_changes_where_a_request_goes(gateway, upstream, elsewhere):
    for value in (elsewhere.base_url, f"127.0.0.1:{elsewhere.port}"):
        headers = dict.fromkeys(REDIRECTORS, value) | {"host": f"127.0.0.1:{elsewhere.port}"}
        assert exchange(gateway.port, ask(gateway, {"model": "capable", **ASK}, **headers)).status == 200
    assert elsewhere.connections == 0
    for received in upstream.requests:
        assert received.headers["host"] == f"127.0.0.1:{upstream.port}"
        assert not set(REDIRECTORS) & received.headers.keys()
        assert gateway.key not in str(received.headers)


def test_no_target_changes_where_a_request_goes(gateway, upstream, elsewhere):
    body = {"model": "capable", **ASK}
    for target in (
        f"{elsewhere.base_url}/chat/completions",
        f"{CHAT}?base_url={elsewhere.base_url}",
        f"{CHAT}?host=evil",
    ):
        exchange(gateway.port, ask(gateway, body, path=target))
    assert elsewhere.connections == 0
    assert {received.path for received in upstream.requests} == {CHAT}


def test_a_redirect_of_an_upstream_is_not_followed(gateway, upstream, elsewhere):
    upstream.answer(
        "large", Reply(status=307, body=b"", headers={"location": f"{elsewhere.base_url}/chat/completions"})
    )
    assert exchange(gateway.port, ask(gateway, {"model": "capable", **ASK})).status == 502
    assert elsewhere.connections == 0


PATHS = [
    "/v1/../admin", "/v1/files/../../admin", "/v1/%2e%2e/admin", "/v1/%2E./admin", "/v1/..%2fadmin", "/v1/%252e%252e/admin",
    "/v1/%25252e%25252e/admin", "/v1/..\\admin", "/v1/%5c..%5cadmin", "/v1//127.0.0.1:{port}/x", "/v1/@127.0.0.1:{port}/x",
    "/v1/http://127.0.0.1:{port}/x", "http://127.0.0.1:{port}/v1/models/x", "/v1/x%0d%0ahost:%20evil", "/v1/x%00", "/v1/./x",
    "/v1/x?url=http://127.0.0.1:{port}/", "/v1/%2f%2f127.0.0.1:{port}/x", "/v1/x%23/../y", "/v1/x%3f/../../admin",
    "/v1/caf%c3%a9", "/v1/x%20HTTP/1.1", "/v1/models/..;/admin",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_passed_on_stays_below_its_upstream(gateway, other, elsewhere, path):
    target = path.replace("{port}", str(elsewhere.port))
    for method in ("GET", "POST"):
        answer = exchange(gateway.port, ask(gateway, b"" if method == "GET" else {"a": 1}, path=target, method=method))
        assert 200 <= answer.status < 500, answer
    assert elsewhere.connections == 0
    for received in other.requests:
        assert received.path.startswith("/v1/chat/")
        assert not {"..", "."} & set(received.path.partition("?")[0].split("/"))
        assert received.headers["host"] == f"127.0.0.1:{other.port}"
        assert received.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


def test_what_is_passed_on_bears_our_credentials_and_none_of_the_callers(gateway, other):
    headers = {
        "x-api-key": gateway.key,
        "api-key": gateway.key,
        "cookie": "session=1",
        "connection": "x-kept, keep-alive",
    }
    exchange(gateway.port, ask(gateway, {"input": "x"}, path="/v1/embeddings", **headers, **{"x-kept": "dropped"}))
    (received,) = other.requests
    assert gateway.key not in str(received.header_lines)
    assert not {"cookie", "x-kept", "x-api-key", "api-key"} & received.headers.keys()


# --- headers


CRLF = "billing\r\nx-evil: 1\r\n\r\nHTTP/1.1 200 OK"


def test_line_breaks_in_labels_names_and_models_break_no_header(gateway, upstream):
    bodies = [
        {"model": "capable", **ASK, "metadata": {"intent": CRLF, "a\r\nx-evil": "1"}, "user": CRLF},
        {"model": f"capable{CRLF}", **ASK},
        {"model": "odd", **ASK},
    ]
    for body in bodies:
        answer = exchange(gateway.port, ask(gateway, body))
        assert "x-evil" not in answer.headers
        assert answer.is_whole
    assert answer.headers["x-undertow-model"] == "gro%C3%9F%0D%0Ax-evil: 1%E2%80%A8"
    for received in upstream.requests:
        assert "x-evil" not in received.headers
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "head",
    [
        b"x-request-id: a\nx-ratelimit-evil: 1\r\n",
        b"x-request-id: a\rx-ratelimit-evil: 1\r\n",
        b"x-request-id: a\r\n x-ratelimit-evil: 1\r\n",
        b"x-request-id: a\0b\r\n",
        b"x-request-id : a\r\n",
        b"x-request-id: \xff\x1b[31m\r\n",
        b"set-cookie: a=b\r\nserver: evil\r\nlocation: /x\r\nconnection: x\r\ncontent-encoding: br\r\n",
    ],
)
def test_headers_of_an_upstream_break_no_answer(gateway, upstream, head):
    whole = b'{"id":"x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"a"}}]}'
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(whole)
    upstream.answer("large", Reply(raw=b"HTTP/1.1 200 OK\r\n" + framing + head + b"\r\n" + whole))
    answer = exchange(gateway.port, ask(gateway, {"model": "capable", **ASK}))
    assert answer.status in {200, 502}
    assert answer.is_whole
    assert b"\0" not in answer.head
    assert b"\x1b" not in answer.head
    assert not {"set-cookie", "server", "location", "content-encoding"} & answer.headers.keys()
    names = [line.partition(b":")[0] for line in answer.head.split(b"\r\n")[1:-2]]
    assert all(name == name.strip() and b"\n" not in name for name in names)


# --- smuggling: what one caller sends is one request, whoever counts its length how


SMUGGLED = json.dumps({"model": "capable", "messages": [{"role": "user", "content": "smuggled"}]}).encode()


def smuggled(gateway):
    """A whole second request, that must not be taken for one."""
    return ask(gateway, SMUGGLED)


def framed(gateway, *headers, body, path=CHAT, version=b"1.1"):
    """A request whose framing headers are given as raw lines."""
    lines = b"".join(line + b"\r\n" for line in headers)
    credentials = b"authorization: Bearer " + gateway.key.encode() + b"\r\n"
    return b"POST " + path.encode() + b" HTTP/" + version + b"\r\nhost: x\r\n" + credentials + lines + b"\r\n" + body


def variants(gateway):
    """Requests with a second one inside, by name."""
    second = smuggled(gateway)
    first = json.dumps({"model": "capable", **ASK}).encode()
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(first), first)
    hidden = b"%x\r\n%b\r\n0\r\n\r\n" % (len(second), second)
    length = b"content-length: %d" % len(chunked + second)
    odd_codings = {
        "xchunked": b"transfer-encoding: xchunked", "space before colon": b"transfer-encoding : chunked",
        "vertical tab": b"transfer-encoding:\x0bchunked", "twice": b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "identity last": b"transfer-encoding: chunked, identity", "quoted": b'transfer-encoding: "chunked"',
        "NUL": b"transfer-encoding: chunked\x00", "folded": b"transfer-encoding:\r\n chunked", "line feed": b"x: x\ntransfer-encoding: chunked",
        "carriage return": b"x: x\rtransfer-encoding: chunked", "leading blank": b" transfer-encoding: chunked",
        "underscore": b"transfer_encoding: chunked", "two": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "semicolon": b"transfer-encoding: chunked;q=1", "upper": b"TRANSFER-ENCODING: CHUNKED", "tab": b"transfer-encoding:\tchunked",
        "trailing comma": b"transfer-encoding: chunked,", "cow": b"transfer-encoding: cow",
    }  # fmt: skip
    for name, coding in odd_codings.items():
        yield f"CL.TE {name}", framed(gateway, length, coding, body=chunked + second)
        if name != "underscore":  # which is no coding to anybody: these are two requests
            yield f"TE.CL {name}", framed(gateway, coding, b"content-length: 4", body=hidden)
    for name, lines in {
        "two lengths": (b"content-length: %d" % len(first), b"content-length: %d" % len(first + second)),
        "list": (b"content-length: %d, %d" % (len(first), len(first + second)),),
        "plus": (b"content-length: +%d" % len(first + second),),
        "hex": (b"content-length: 0x%x" % len(first + second),),
        "blank inside": (b"content-length: %d 0" % len(first),),
        "short, then leftovers": (b"content-length: 3",),
    }.items():
        yield f"CL.CL {name}", framed(gateway, *lines, body=first + b"\r\n" * (name != "short, then leftovers"))
    for name, body in {
        "size with sign": b"+%x\r\n%b\r\n0\r\n\r\n" % (len(first), first) + second,
        "size in 0x": b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(first), first) + second,
        "size too large": b"ffffffffffffffff%x\r\n%b\r\n0\r\n\r\n" % (len(first), first) + second,
        "line feeds alone": b"%x\n%b\n0\n\n" % (len(first), first) + second,
        "no line end after the chunk": b"%x\r\n%bXX0\r\n\r\n" % (len(first), first) + second,
        "line feed in an extension": b"%x;a\n%b\r\n0\r\n\r\n" % (len(first), first) + second,
        "negative": b"-1\r\n" + second,
    }.items():
        yield f"chunk {name}", framed(gateway, b"transfer-encoding: chunked", body=body)
    yield "1.0 with chunks", framed(gateway, b"transfer-encoding: chunked", body=hidden, version=b"1.0")
    yield (
        "in a trailer",
        framed(
            gateway,
            b"transfer-encoding: chunked",
            body=chunked[:-2] + b"content-length: 9\r\nhost: y\r\nx: " + second[:40] + b"\r\n\r\n",
        ),
    )
    yield "body of a GET", b"GET /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(second) + second
    yield "body of an upgrade", framed(
        gateway, b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AA", b"content-length: %d" % len(second),
        body=second,
    )  # fmt: skip
    yield (
        "body of a websocket",
        framed(gateway, b"connection: upgrade", b"upgrade: websocket", b"content-length: 0", body=second),
    )


def names_of_variants():
    class _Named:
        key = "ut_abcdefgh_x"

    return [name for name, _ in variants(_Named)]


@pytest.mark.parametrize("name", names_of_variants())
def test_nobody_smuggles_a_request_inside_another(gateway, upstream, other, name):
    request = dict(variants(gateway))[name]
    with RawConnection(gateway.port, timeout_s=3.0) as connection, contextlib.suppress(TimeoutError, ConnectionError):
        connection.send(request)
        connection.finish()
        connection.read_all()
    asked = [received.json["messages"][0]["content"] for received in upstream.requests]
    assert asked in ([], ["first"]), name
    assert other.requests == []


@pytest.mark.parametrize("name", ["chunks", "length"])
def test_what_is_passed_on_is_framed_anew(gateway, other, name):
    inner = smuggled(gateway)
    body = b"%x;ext=1\r\n%b\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(inner), inner) if name == "chunks" else inner
    line = b"transfer-encoding: chunked" if name == "chunks" else b"content-length: %d" % len(inner)
    extra = (b"connection: content-length, x-y", b"te: trailers", b"trailer: x-trailer", b"x-y: 1")
    exchange(gateway.port, framed(gateway, line, *extra, body=body, path="/v1/embeddings"))
    (received,) = other.requests
    names = [header.lower() for header, _ in received.header_lines]
    assert received.body == inner
    assert names.count("content-length") == 1
    assert not {"transfer-encoding", "te", "trailer", "x-y", "x-trailer"} & set(names)


def test_requests_sent_together_are_answered_in_their_order_each_once(gateway, upstream):
    bodies = [{"model": "capable", "messages": [{"role": "user", "content": f"number {i}"}]} for i in range(3)]
    with gateway.new_records(3), RawConnection(gateway.port) as connection:
        connection.send(b"".join(ask(gateway, body) for body in bodies))
        assert [connection.read_answer().status for _ in bodies] == [200] * 3
    assert [received.json["messages"][0]["content"] for received in upstream.requests] == [
        f"number {i}" for i in range(3)
    ]


# --- logs


FORGED = 'x"}\n{"level":"error","event":"forged"}\r\n\x1b[31mred\x1b[0m\u2028\u202eevil\x00\x7f'


def test_nothing_from_outside_forges_a_line_of_the_log(gateway, upstream):
    seen = len(gateway.log_lines)
    percent = "x%22%7d%0a%7b%22event%22:%22forged%22%7d%1b%5b31m"
    bodies = [
        {"model": f"capable{FORGED}", **ASK},
        {
            "model": "capable",
            **ASK,
            "metadata": {"intent": FORGED, FORGED[:60]: "v", "conversation_id": FORGED},
            "user": FORGED,
        },
    ]
    with gateway.new_records(4) as records:  # looking a decision up is none
        for body in bodies:
            exchange(gateway.port, ask(gateway, body))
        exchange(gateway.port, ask(gateway, bodies[1], **{"x-undertow-segment-intent": percent}))
        exchange(gateway.port, ask(gateway, b"", path=f"/v1/{percent}", method="GET"))
        exchange(gateway.port, ask(gateway, {"model": "capable", **ASK}, path=f"/v1/undertow/decisions/{percent}"))
    get(gateway.port, f"/v1/undertow/decisions/{percent}", authorization=f"Bearer {gateway.key}")
    assert post(
        gateway.port, "/v1/feedback", {"user_id": FORGED, "name": FORGED, "value": 1, "source": FORGED},
        authorization=f"Bearer {gateway.key}",
    ).status == 202  # fmt: skip
    assert next(record for record in records if record.get("user_id"))["segment"]["intent"] == FORGED
    for path in gateway.store.rglob("*.jsonl*"):
        content = path.read_bytes()
        assert not {*content} & {*range(10), *range(11, 32)}, "a control character in a segment"
        for line in content.split(b"\n")[:-1]:
            assert isinstance(json.loads(line), dict)
    for line in gateway.log_lines[seen:]:
        assert "forged" not in json.loads(line)["event"]
        assert "\x1b" not in line
    _, metrics = gateway.get("/metrics")
    assert b"forged" not in metrics


# --- what must stay secret


def test_the_upstreams_key_is_nowhere(gateway, upstream, other, keys):
    told = {"error": {"message": f"Incorrect API key: {UPSTREAM_KEY}", "type": "x", "param": None, "code": None}}
    body = json.dumps(told).encode()
    seen = b""
    for status in (400, 401, 403, 404, 422, 429, 500, 503):
        upstream.answer("large", Reply(status=status, body=body))
        for stream in (False, True):
            answer = exchange(gateway.port, ask(gateway, {"model": "capable", "stream": stream, **ASK}))
            assert answer.status >= 400
            seen += answer.head + answer.body
    upstream.answer("large", Reply(body=b"data: " + body + b"\n\n", answers_as="sse"))
    answer = exchange(gateway.port, ask(gateway, {"model": "capable", "stream": True, **ASK}))
    seen += answer.head + answer.body
    ids = [record["decision_id"] for record in gateway.records().values()][-20:]
    seen += b"".join(gateway.get(f"/v1/undertow/decisions/{decision_id}")[1] for decision_id in ids)
    for path in ("/metrics", "/v1/models", "/healthz", "/readyz"):
        seen += gateway.get(path)[1]
    seen += "\n".join(gateway.inner.said).encode()
    seen += b"".join(path.read_bytes() for path in gateway.store.rglob("*") if path.is_file())
    for secret in (UPSTREAM_KEY, keys[0].key, keys[1].key, keys[0].key.split("_", 2)[2]):
        assert secret.encode() not in seen


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_an_error_that_is_passed_through_does_not_repeat_the_upstreams_key(gateway, other, status):
    other.script(Reply(status=status, body=f"key {UPSTREAM_KEY} is wrong".encode()))
    with gateway.new_records() as records:
        answer = exchange(gateway.port, ask(gateway, {"prompt": "x"}, path="/v1/completions"))
    assert len(other.requests) == 1
    assert answer.is_whole
    assert answer.status == (502 if status in {401, 403} else status)
    assert UPSTREAM_KEY.encode() not in answer.body
    assert records[0]["endpoint"] == "/v1/completions"


def test_decisions_are_shown_to_the_key_that_made_them(gateway, upstream, keys):
    answer = exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK}))
    path = f"/v1/undertow/decisions/{answer.headers['x-undertow-decision-id']}"
    assert gateway.get(path)[0] == 200
    assert gateway.get(path, authorization=f"Bearer {keys[1].key}")[0] == 404
    assert gateway.get(path, authorization="Bearer none")[0] == 401
    for odd in (
        "/v1/undertow/decisions/",
        f"{path}/",
        f"{path}x",
        "/v1/undertow/decisions/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    ):
        status, body = gateway.get(odd)
        assert status == 404
        assert json.loads(body)["error"]["message"]


def test_a_key_is_held_to_its_tiers_and_labels(gateway, upstream, keys):
    for model in ("capable", "large", "odd"):
        refused = exchange(gateway.port, ask(gateway, {"model": model, **ASK}, authorization=f"Bearer {keys[1].key}"))
        assert (refused.status, refused.json["error"]["code"]) == (403, "tier_not_allowed")
    assert upstream.requests == []
    with gateway.new_records() as records:
        exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK, "metadata": {"team": "forged"}}))
    assert records[0]["segment"] == {"team": "search"}


def test_where_keys_are_set_everything_but_health_needs_one(gateway, upstream):
    for path in ("/v1/models", "/v1/undertow/decisions/0", "/v1/files"):
        assert get(gateway.port, path).status == 401
    for path in (CHAT, "/v1/messages", "/v1/responses", "/v1/feedback", "/v1/outcomes", "/v1/embeddings"):
        assert post(gateway.port, path, {"model": "auto", **ASK}).status == 401
    assert get(gateway.port, "/healthz").status == 200


def test_metrics_for_others_than_this_machine_need_a_key(tmp_path, monkeypatch):
    import asyncio

    from undertow.bootstrap.plan import load_plan
    from undertow.gateway.app import build_app
    from undertow.gateway.runtime import Runtime

    monkeypatch.chdir(tmp_path)
    key = new_key()
    (tmp_path / "undertow.toml").write_text(
        settings_for("http://127.0.0.1:9/v1", f'[keys.team]\nid = "{key.key_id}"\nsha256 = "{key.sha256}"'),
        encoding="utf-8",
    )
    plan = load_plan(tmp_path / "undertow.toml", ENV)
    app = build_app(plan, ENV, Runtime(str(tmp_path), ""))

    async def status(peer, headers):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": headers, "client": (peer, 1)}
        await app({**scope, "extensions": {"undertow": None}}, None, send)
        return sent[0]["status"]

    async def ask_all():
        await app.startup()
        told = [
            await status("127.0.0.1", []),
            await status("203.0.113.9", []),
            await status("203.0.113.9", [(b"authorization", b"Bearer wrong")]),
            await status("203.0.113.9", [(b"x-forwarded-for", b"127.0.0.1")]),
            await status("203.0.113.9", [(b"authorization", f"Bearer {key.key}".encode())]),
        ]
        await app.shutdown()
        return told

    assert asyncio.run(ask_all()) == [200, 401, 401, 401, 200]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 (it is refused)
def test_a_public_address_without_keys_is_refused(tmp_path, host):
    (tmp_path / "undertow.toml").write_text(settings_for("http://127.0.0.1:9/v1"), encoding="utf-8")
    done = subprocess.run(
        [UNDERTOW, "serve", "--host", host, "--port", "0"],
        cwd=tmp_path, env={**os.environ, **ENV}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "undertow key new" in done.stderr
    assert "Traceback" not in done.stderr
    assert UPSTREAM_KEY not in done.stderr


# --- taking what is everybody's


def memory_mb(gateway):
    """Resident memory of the worker."""
    (worker,) = gateway.inner.children("undertow.gateway.worker")
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def test_a_caller_that_does_not_read_an_endless_stream_costs_no_memory(gateway, upstream):
    require(Path("/proc/self/status").exists(), "memory is read from /proc")
    upstream.answer("large", Reply(endless="flood"))
    exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK}))
    before = memory_mb(gateway)
    with gateway.new_records(3), contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(RawConnection(gateway.port))
            connection.send(ask(gateway, {"model": "capable", "stream": True, **ASK}))
        time.sleep(1.5)
        assert exchange(gateway.port, ask(gateway, b"", path="/healthz", method="GET")).status == 200
        assert memory_mb(gateway) - before < 20


def test_slow_callers_do_not_stop_others(gateway, upstream):
    with gateway.new_records(41) as records, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(RawConnection(gateway.port)) for _ in range(40)]
        for number, connection in enumerate(slow):
            half = ask(gateway, {"model": "capable", **ASK})
            connection.send(half[: 60 if number % 2 else half.index(b"\r\n\r\n") + 14])
        assert exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK})).status == 200
        assert [connection.read_answer().status for connection in slow] == [408] * 40
    kinds = [record.get("error") for record in records]
    assert (kinds.count("header_timeout"), kinds.count("body_timeout"), kinds.count(None)) == (20, 20, 1)


def test_more_connections_than_there_may_be_are_told_so_and_free_again_in_time(gateway, upstream):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(RawConnection(gateway.port)) for _ in range(60)]
        for connection in slow:
            connection.send(b"POST ")
        time.sleep(0.2)
        with gateway.new_records() as records:
            answer = exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK}))
        assert (answer.status, answer.json["error"]["code"]) == (503, "too_many_connections")
        assert records[0]["status"] == "refused"
        assert {connection.read_answer().status for connection in slow} == {408}
    until = time.monotonic() + 10
    while exchange(gateway.port, ask(gateway, {"model": "cheap", **ASK})).status != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
