"""Calls to hostile addresses: real servers on loopback that hang, drip, flood, lie and lead elsewhere."""

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime

import pytest

from alert_servers import OK, answer, drip, hang, hook, huge, huge_head, mail_host
from gateway_fakes.certificates import make_certificates
from undertow.adapters.alerts.http import Caller, resolve, retry_after_s


def call(url, body=b"{}", *, allow_internal=True, total_s=1.0, **given):
    caller = Caller(allow_internal=allow_internal, total_s=total_s, **given)
    return asyncio.run(caller.call(url, body)), caller


def test_a_body_is_posted_and_without_one_it_is_a_get():
    with hook(OK) as receiver:
        sent, _ = call(receiver.url, b'{"a":1}')
        assert sent.outcome == "delivered"
        assert call(f"{receiver.url}/?x=1", None)[0].outcome == "delivered"
    (first, headers, body), (second, _, _) = receiver.requests
    assert (first, body, headers["content-type"]) == ("POST /hook", b'{"a":1}', "application/json")
    assert second == "GET /hook/?x=1"


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (answer(204), "delivered", "status 204"),
        (answer(500, body=b"secret words"), "retry", "status 500"),
        (answer(503, "retry-after: 7"), "retry", "status 503"),
        (answer(429), "retry", "status 429"),
        (answer(408), "retry", "status 408"),
        (answer(400), "refused", "status 400"),
        (answer(404), "refused", "status 404"),
        (b"SSH-2.0-OpenSSH\r\n", "retry", "answered something that is no HTTP"),
        (b"", "retry", "closed the connection without an answer"),
        (b"HTTP/1.1 200", "retry", "closed the connection without an answer"),
    ],
)
def test_what_an_answer_means(given, outcome, said):
    with hook(given) as receiver:
        sent, _ = call(receiver.url)
    assert (sent.outcome, sent.said) == (outcome, said)


def test_a_wish_to_wait_is_passed_on():
    with hook(answer(429, "retry-after: 7")) as receiver:
        assert call(receiver.url)[0].retry_after_s == 7.0


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"-5", None),
        (b"1e9", None),
        (b"\xff", None),
        (b"9" * 50, None),
        (b"0", 0.0),
        (b"Mon, 01 Jan 2026 00:00:00 +" + b"9" * 20, None),
        (b"Mon, 01 Jan 2026 " + b"9" * 20 + b":00:00 GMT", None),
    ],
)
def test_wishes_that_are_none_are_not_understood(value, found):
    assert retry_after_s(value, datetime(2026, 3, 1, tzinfo=UTC)) == found


@pytest.mark.parametrize("step", [hang, drip], ids=["hangs", "drips"])
def test_a_receiver_that_takes_for_ever_is_left_in_time(step):
    began = time.monotonic()
    with hook(step) as receiver:
        sent, _ = call(receiver.url, total_s=0.4)
        assert time.monotonic() - began < 2.0
    assert (sent.outcome, "no answer" in sent.said) == ("retry", True)


def test_no_body_is_read_so_that_none_is_too_large():
    began = time.monotonic()
    with hook(huge) as receiver:
        assert call(receiver.url)[0].outcome == "delivered"
    assert time.monotonic() - began < 5.0


def test_a_head_without_end_is_no_answer():
    with hook(huge_head) as receiver:
        sent, _ = call(receiver.url, total_s=5.0)
    assert (sent.outcome, sent.said) == ("retry", "answered something that is no HTTP")


def test_a_redirect_is_refused_counted_and_not_followed():
    with hook(OK) as inner, hook(answer(302, f"location: {inner.url}")) as outer:
        sent, caller = call(outer.url)
        assert (sent.outcome, caller.refused) == ("refused", 1)
        assert inner.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.1", "169.254.169.254", "2130706433", "0x7f.1", "127.1"])  # fmt: skip
def test_internal_addresses_are_refused_and_counted_however_they_are_written(host):
    with hook(OK) as receiver:
        sent, caller = call(f"http://{host}:{receiver.port}/", allow_internal=False)
        assert sent.outcome == "retry"
        assert receiver.requests == []
    if "internal" in sent.said:
        assert caller.refused == 1
    else:
        assert "cannot be connected to" in sent.said  # the system's resolver does not take it for an address


def test_a_name_is_looked_up_once_so_it_cannot_lead_elsewhere_after_it_was_looked_at():
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.0.2.1"]

    with hook(OK) as receiver:
        caller = Caller(allow_internal=False, resolve=rebinding, total_s=0.5)
        assert asyncio.run(caller.call(f"http://hooks.example:{receiver.port}/", b"{}")).outcome == "retry"
        assert asyncio.run(caller.call(f"http://hooks.example:{receiver.port}/", b"{}")).outcome == "retry"
        assert receiver.requests == []
    assert asked == ["hooks.example", "hooks.example"]


def test_where_one_address_of_a_name_is_internal_the_others_are_used():
    async def mixed(host, port):
        return ["10.0.0.1", "127.0.0.1"]

    with hook(OK) as receiver:
        caller = Caller(allow_internal=False, resolve=mixed, total_s=0.5)
        asyncio.run(caller.call(f"http://x.example:{receiver.port}/", b"{}"))
        assert caller.refused == 1
        assert receiver.requests == []


def test_an_address_that_does_not_answer_is_not_the_last():
    async def two(host, port):
        return ["::1", "127.0.0.1"]

    with hook(OK) as receiver:
        assert call(f"http://x.example:{receiver.port}/", resolve=two, total_s=5.0)[0].outcome == "delivered"
        assert receiver.requests[0][1]["host"] == f"x.example:{receiver.port}"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "http://user:pw@x/",
        "http://x/#a",
        "http://x/a b",
        "http://x/\r\nhost: y",
        "x",
        "",
        "http://x:99999/",
        "http://x/../y",
    ],
)
def test_what_is_no_address_is_refused_unseen(url):
    sent, _ = call(url)
    assert (sent.outcome, sent.said) == ("refused", "the address or a header is none that can be called")


def test_a_header_cannot_be_broken_out_of():
    caller = Caller(allow_internal=True)
    assert asyncio.run(caller.call("http://127.0.0.1:1/", b"", {"x-a": "b\r\nx-c: d"})).outcome == "refused"


def test_nothing_that_is_said_holds_the_address_or_what_was_answered():
    for url in ("http://127.0.0.1:1/SECRET", "http://SECRET.invalid/SECRET", "ftp://SECRET/"):
        assert "SECRET" not in call(url)[0].said.upper()


def test_tls_is_verified_for_authority_and_name(tmp_path):
    made = make_certificates(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other", "elsewhere.example")
    trusting = ssl.create_default_context(cafile=str(made.authority))
    with hook(OK, tls=made.server_context()) as receiver:
        url = f"https://localhost:{receiver.port}/"
        assert call(url, context=trusting, total_s=5.0)[0].outcome == "delivered"
        assert call(url, total_s=5.0)[0].said == "its TLS certificate is not trusted or for another name"
    with hook(OK, tls=other.server_context()) as receiver:
        trusting = ssl.create_default_context(cafile=str(other.authority))
        sent, _ = call(f"https://localhost:{receiver.port}/", context=trusting, total_s=5.0)
        assert sent.said == "its TLS certificate is not trusted or for another name"
    with mail_host() as host:  # it speaks first, and no TLS
        assert call(f"https://localhost:{host.port}/", total_s=5.0)[0].said == "TLS failed"


def test_the_systems_resolver_is_asked():
    assert set(asyncio.run(resolve("localhost", 80))) <= {"127.0.0.1", "::1"}
    with pytest.raises(socket.gaierror):
        asyncio.run(resolve("nothing.invalid", 80))
