import asyncio
import hashlib
import hmac

import msgspec
import pytest

from alert_servers import OK, answer, hook
from undertow.adapters.alerts.http import Caller
from undertow.adapters.alerts.webhook import REPLAY_WINDOW_S, WebhookChannel, is_signed, signature, webhook_body
from undertow.records.alert import Message

MESSAGE = Message(id="e1:1", kind="alarm", severity="critical", at="2026-03-01T00:00:00Z", title="Löss", facts=(("a", "b"),), episode="e1")  # fmt: skip


def test_a_receiver_can_verify_it_with_hmac_alone():
    with hook(OK) as receiver:
        channel = WebhookChannel(Caller(allow_internal=True), receiver.url, "s3cret", lambda: 1000.7)
        assert asyncio.run(channel.send(MESSAGE)).outcome == "delivered"
    _, headers, body = receiver.requests[0]
    time_part, digest = headers["x-undertow-signature"].split(",")
    assert time_part == "t=1000"
    assert digest == "v1=" + hmac.new(b"s3cret", b"1000." + body, hashlib.sha256).hexdigest()
    assert headers["x-undertow-message-id"] == "e1:1"
    document = msgspec.json.decode(body)
    assert (document["schema"], document["title"], document["facts"]) == (
        "undertow.alert/1",
        "Löss",
        [{"name": "a", "value": "b"}],
    )


def test_each_try_is_signed_anew_and_keeps_its_id():
    times = iter((1000.0, 2000.0))
    with hook(answer(500), OK) as receiver:
        channel = WebhookChannel(Caller(allow_internal=True), receiver.url, "s", lambda: next(times))
        assert asyncio.run(channel.send(MESSAGE)).outcome == "retry"
        assert asyncio.run(channel.send(MESSAGE)).outcome == "delivered"
        assert asyncio.run(channel.hold((MESSAGE,))) is None
    (_, first, _), (_, second, _) = receiver.requests
    assert first["x-undertow-signature"] != second["x-undertow-signature"]
    assert first["x-undertow-message-id"] == second["x-undertow-message-id"]


def test_without_a_key_there_is_no_signature():
    with hook(OK) as receiver:
        asyncio.run(WebhookChannel(Caller(allow_internal=True), receiver.url).send(MESSAGE))
    assert "x-undertow-signature" not in receiver.requests[0][1]


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.replace("t=1000", "t=1001"),
        lambda header: header[:-1] + ("0" if header[-1] != "0" else "1"),
        lambda header: header.upper(),
        lambda header: header + ",v1=00",
        lambda _: "v1=00,t=1000",
        lambda _: "t=-1000,v1=00",
        lambda _: "t=٣,v1=00",
        lambda _: "",
    ],
)
def test_a_changed_signature_is_none(change):
    body = webhook_body(MESSAGE)
    assert is_signed(body, signature(body, "k", 1000), "k", 1000)
    assert not is_signed(body, change(signature(body, "k", 1000)), "k", 1000)


def test_a_message_that_was_kept_is_refused_later_and_one_from_the_future_too():
    body = webhook_body(MESSAGE)
    header = signature(body, "k", 1000)
    assert is_signed(body, header, "k", 1000 + REPLAY_WINDOW_S)
    assert not is_signed(body, header, "k", 1001 + REPLAY_WINDOW_S)
    assert not is_signed(body, header, "k", 999 - REPLAY_WINDOW_S)
    assert not is_signed(body + b" ", header, "k", 1000)
    assert not is_signed(body, header, "other", 1000)
