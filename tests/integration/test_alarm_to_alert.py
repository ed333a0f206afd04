"""From a loss in the log to a person's message, through a running `undertow serve`: alarm, places, action, alert, release, and nothing told twice."""

import http.client
import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from alert_servers import OK, hook
from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import UNDERTOW, gateway

WEEKS = 14
KEEPER = "undertow.keeper.main"


def settings(upstream, receiver):
    return f"""
[tiers.cheap]
model = "small"
base_url = "{upstream.base_url}"
[tiers.capable]
model = "large"
base_url = "{upstream.base_url}"
[policy]
kind = "cascade"
threshold = 0.0
[holdout]
share = 0.0
[review]
per_day = 0
[shadow]
share = 0.0
[monitors]
every_minutes = 0.05
[guard]
route_back = "automatic"
roll_back = "off"
failure_usd = 12.0
[alerts]
webhook_url = "{receiver.url}"
allow_internal = true
[gateway]
workers = 1
"""


@pytest.fixture
def folder(tmp_path):
    """A gateway's folder whose store holds the support incident, ended yesterday. A request saves 1.68 USD there."""
    start = datetime.now(UTC).date() - timedelta(weeks=WEEKS)
    subprocess.run(
        [
            UNDERTOW, "simulate", "support", "--out", "undertow-data", "--start", str(start), "--pre-weeks", "4", "--weeks", str(WEEKS - 4),
            "--queries-per-day", "3000", "--quiet",
        ],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    return tmp_path


def ask(port, intent):
    """A request of an intent; the tier and the reason that its record has."""
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "When?"}],
        "logprobs": True,
        "metadata": {"intent": intent},
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        connection.request("GET", f"/v1/undertow/decisions/{answer.headers['x-undertow-decision-id']}")
        record = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return record["tier"], record["reason"]


def until(is_so, within_s, what):
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def undertow(folder, *arguments):
    done = subprocess.run([UNDERTOW, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_loss_is_noticed_answered_told_and_undone(folder):
    with FakeUpstream() as upstream, hook(OK) as receiver:
        with gateway(folder, settings(upstream, receiver)) as running:
            assert ask(running.port, "billing")[0] == "cheap"
            receiver.wait_for(1, within_s=90.0)
            (alarm,) = [document for document in receiver.documents if document["kind"] == "alarm"]
            text = json.dumps(alarm)
            assert "intent=billing" in text
            assert "requests go to the capable tier" in text
            until(lambda: ask(running.port, "billing") == ("capable", "routed_back"), 10, "billing was not routed back")
            assert ask(running.port, "account")[0] == "cheap", "what is worth its savings stays"

            listed = undertow(folder, "guard", "list")
            assert "route_back" in listed
            assert "costs more than it saves" in listed
            (entry,) = json.loads(undertow(folder, "guard", "list", "--json"))["trail"]
            (keeper,) = running.children(KEEPER)
            os.kill(keeper, signal.SIGKILL)
            undertow(folder, "guard", "release", entry["id"], "--why", "mended")
            until(lambda: ask(running.port, "billing")[0] == "cheap", 10, "the release took no effect")
            until(lambda: running.children(KEEPER) not in ([], [keeper]), 20, "the keeper did not come back")
            time.sleep(12)  # several looks of the new keeper
            assert ask(running.port, "billing")[0] == "cheap", (
                "what a person released is not taken again for the same episode"
            )
        alarms = [document for document in receiver.documents if document["kind"] == "alarm"]
        assert len(alarms) == 1, "nothing is told twice"
