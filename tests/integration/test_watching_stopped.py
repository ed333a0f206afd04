"""When the keeper cannot live, people are told all the same: by nobody that the keeper is needed for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from alert_servers import OK, answer, hook
from conftest import PROJECT
from gateway_stub.gateway_process import Gateway
from gateway_stub.plans import plan
from undertow.records.serving import AlertsPlan, StorePlan, encode_plan

KEEPER = "undertow.keeper.main"


def kill_keepers(gateway, until):
    """Kill -9 whatever keeper there is, until something is so."""
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < 60, "nobody was told"
        for pid in gateway.children(KEEPER):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


@pytest.fixture
def started(tmp_path):
    processes = []

    def start(url, gone_s=3.0):
        alerts = AlertsPlan(webhook_url=url, allow_internal=True)
        made = msgspec.structs.replace(
            plan("v1"), store=StorePlan(path=str(tmp_path / "store")), alerts=alerts, monitor_minutes=30.0
        )
        (tmp_path / "plan.json").write_bytes(encode_plan(made))
        script = PROJECT / "tests" / "gateway_stub" / "watched_keeper.py"
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), str(tmp_path / "plan.json"), str(gone_s)],
            env={**os.environ, "PYTHONPATH": str(PROJECT / "tests")},
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        return Gateway(Path(tmp_path), process)

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_a_keeper_that_is_killed_again_and_again_is_told_of_once(started):
    with hook(OK) as receiver:
        gateway = started(receiver.url)
        kill_keepers(gateway, lambda: receiver.requests)
        again = time.monotonic() + 4
        kill_keepers(gateway, lambda: time.monotonic() > again)
    assert [document["kind"] for document in receiver.documents] == ["watching_stopped"]
    assert receiver.documents[0]["severity"] == "critical"
    assert "the keeper does not run" in receiver.documents[0]["title"]


def test_a_receiver_that_is_down_at_first_is_told_in_the_end_while_the_keeper_is_dead(started, tmp_path):
    with hook(answer(500), OK) as receiver:
        gateway = started(receiver.url)
        kill_keepers(gateway, lambda: len(receiver.requests) == 2)
    assert len({document["id"] for document in receiver.documents}) == 1


def test_a_keeper_that_lives_is_no_reason_to_tell_anybody(started):
    with hook(OK) as receiver:
        gateway = started(receiver.url, gone_s=15.0)
        time.sleep(20)
        assert gateway.children(KEEPER)
        assert receiver.requests == []
