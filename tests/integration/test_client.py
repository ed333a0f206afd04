"""The in-process client as a whole: its records are the gateway's, survive a kill, and are read by the audit."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import undertow
from gateway_fakes.raw import post
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, running_gateway, settings_for
from undertow.adapters.store.recovery import recover

ASK = [{"role": "user", "content": "When was my invoice sent?"}]
REQUESTS = {
    "cheap": {"model": "auto", "messages": ASK},
    "stream": {"model": "auto", "messages": ASK, "stream": True},
    "labels": {"model": "auto", "messages": ASK, "metadata": {"intent": "billing", "session_id": "s1"}, "user": "u1"},
    "tier": {"model": "large", "messages": ASK},
    "unsure": {"model": "auto", "messages": [{"role": "user", "content": "hard"}]},
    "unknown model": {"model": "nope", "messages": ASK},
    "bad": {"model": "auto", "messages": "hello"},
}
OWN = {"decision_id", "event_time", "latency_ms", "ttft_ms", "calls"}


def comparable(record):
    """A record without its ids and times."""
    calls = [{name: value for name, value in call.items() if name != "latency_ms"} for call in record.get("calls", ())]
    return {name: value for name, value in record.items() if name not in OWN} | {"calls": calls}


def records(store):
    """All decision records in a store's segments."""
    paths = sorted((store / "decisions").rglob("*.jsonl*"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def coverage(store):
    return undertow.run_audit(undertow.AuditRequest((str(store),))).coverage


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def config(tmp_path, upstream):
    path = tmp_path / "undertow.toml"
    path.write_text(settings_for(upstream.base_url))
    return path


def send(client, body):
    try:
        answer = client.chat.completions.create(**body)
        if body.get("stream"):
            list(answer)
    except undertow.AnswerError:
        pass


def test_the_same_requests_leave_the_same_records_as_through_the_gateway(tmp_path, upstream, config):
    def prepare(name):
        if name == "unsure":
            upstream.script(Reply(confidence=0.1))

    with running_gateway(tmp_path, config.read_text()) as gateway:
        theirs = {}
        for name, body in REQUESTS.items():
            prepare(name)
            with gateway.new_records() as fresh:
                post(gateway.port, "/v1/chat/completions", body)
            theirs[name] = comparable(fresh[0])
    ours = {}
    store = tmp_path / "ours"
    with undertow.Client(config, sink=store, env=ENV) as client:
        for name, body in REQUESTS.items():
            prepare(name)
            before = len(records(store))
            send(client, body)
            [fresh] = records(store)[before:]
            ours[name] = comparable(fresh)
    assert ours == theirs
    assert [ours[name]["status"] for name in REQUESTS] == ["ok"] * 5 + ["refused"] * 2
    assert ours["unsure"]["escalated"]


def test_after_a_flush_the_audit_reads_every_decision_while_the_client_lives(tmp_path, config):
    with undertow.Client(config, sink=tmp_path / "store", env=ENV) as client:
        for body in REQUESTS.values():
            send(client, body)
        answer = client.chat.completions.create(model="auto", messages=ASK)
        client.feedback(answer.undertow.decision_id, value=1)
        client.flush()
        seen = coverage(tmp_path / "store")
    assert (seen.decisions, seen.joined, seen.rejected) == (len(REQUESTS) + 1, 1, 0)


def test_several_clients_in_one_process_share_a_store(tmp_path, config):
    clients = [undertow.Client(config, sink=tmp_path / "store", env=ENV) for _ in range(3)]
    for client in clients:
        send(client, REQUESTS["cheap"])
    assert recover(tmp_path / "store", now()).segments == 0, "what lives is left alone"
    assert clients[0].feedback("d1", value=1, signal_id="s1")
    assert not clients[1].feedback("d1", value=1, signal_id="s1"), "a signal is known to all"
    for client in clients:
        send(client, REQUESTS["cheap"])
        client.close()
    assert coverage(tmp_path / "store").decisions == 6
    assert not list((tmp_path / "store").rglob("*.open"))


KILLED = """
import sys, threading, undertow
client = undertow.Client(sys.argv[1], sink=sys.argv[2])
ask = dict(model="auto", messages=[{"role": "user", "content": "hi"}])
client.chat.completions.create(**ask)
print("answered", flush=True)
client.chat.completions.create(**ask)
"""


def test_what_a_killed_process_had_begun_is_recovered(tmp_path, upstream, config):
    store = tmp_path / "store"
    upstream.script(Reply(), Reply(delay_s=60))
    before = len(upstream.requests)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(config), str(store)], stdout=subprocess.PIPE, env={**os.environ, **ENV}
    )
    try:
        assert process.stdout.readline() == b"answered\n"
        upstream.wait_until(lambda upstream: len(upstream.requests) == before + 2, 10)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    assert [record["status"] for record in records(store)] == ["ok"]
    assert recover(store, now()).orphans == 1
    assert sorted((r["status"], r["reason"]) for r in records(store)) == [
        ("error", "process_died"),
        ("ok", "confident"),
    ]
    assert coverage(store).decisions == 2


def now():
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
