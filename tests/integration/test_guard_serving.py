"""What the guard writes, as a running `undertow serve` applies it under load: no request is dropped, and nothing undoes it by accident."""

import contextlib
import http.client
import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import Callers, gateway
from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.guard.controls import controls_files, guard_folder
from undertow.records.guard import Controls, GuardMemory, Pin, PolicyControls, Restriction

WORKER = "undertow.gateway.worker"
ASK = {"model": "auto", "messages": [{"role": "user", "content": "When was my invoice sent?"}], "logprobs": True}
BODY = json.dumps(ASK | {"metadata": {"intent": "billing"}}).encode()
AT = "2026-03-01T00:00:00.000Z"


def settings(upstream, threshold=0.0, workers=2):
    return f"""
[tiers.cheap]
model = "small"
base_url = "{upstream.base_url}"
[tiers.capable]
model = "large"
base_url = "{upstream.base_url}"
[policy]
kind = "cascade"
threshold = {threshold}
[holdout]
share = 0.0
[review]
per_day = 0
[shadow]
share = 0.0
[gateway]
workers = {workers}
drain_timeout_s = 10
"""


@pytest.fixture
def upstream():
    with FakeUpstream() as running:
        yield running


class Guard:
    """Writes what the keeper would."""

    def __init__(self, folder):
        self.store = folder / "undertow-data"
        self.book = StoreGuardBook(self.store)

    def put(self, *restrictions, pin=None):
        with self.book.locked() as is_mine:
            assert is_mine
            held = self.book.controls()
            given = PolicyControls(restrictions=restrictions, pin=pin)
            version = 1 + (held.version if held else 0)
            self.book.write(Controls(version=version, at=AT, policies={"auto": given}), GuardMemory(at=AT), [])


def records(running):
    """Records of the segments that are open, in order of time."""
    found = []
    for path in sorted((running.folder / "undertow-data" / "decisions" / "open").glob("*.jsonl*")):
        with contextlib.suppress(FileNotFoundError):  # sealed or converted just now
            found += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return sorted(found, key=lambda record: record["event_time"])


def seen(running, wanted, timeout_s=15.0):
    """Wait until the latest records are all as wanted."""
    until = time.monotonic() + timeout_s
    while True:
        latest = records(running)[-20:]
        if len(latest) == 20 and all(wanted(record) for record in latest):
            return latest[-1]
        assert time.monotonic() < until, [(r["tier"], r["reason"], r["policy_version"]) for r in latest[-5:]]
        time.sleep(0.1)


def metric(running, name):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)}


def is_cheap(record):
    return record["tier"] == "cheap"


def is_kept(record):
    return record["tier"] == "capable" and record["reason"] == "routed_back" and record["eligible"]


def test_a_restriction_takes_effect_under_load_and_outlives_restarts_and_a_lost_store(upstream, tmp_path):
    guard = Guard(tmp_path)
    billing = Restriction(segment="intent=billing", exposure=0.0, source="a1")
    with gateway(tmp_path, settings(upstream)) as running, Callers(running.port, BODY) as callers:
        seen(running, is_cheap)
        guard.put(billing)
        began = time.monotonic()
        seen(running, is_kept)
        assert time.monotonic() - began < 8
        assert metric(running, "undertow_exposure")['undertow_exposure{policy="auto",segment="intent=billing"}'] == 0
        shutil.rmtree(guard.store / "state")
        time.sleep(3)
        seen(running, is_kept)
        running.signal(signal.SIGHUP)
        running.wait_for("new workers serve")
        callers.wait_for_more(50)
        seen(running, is_kept)
        assert callers.failures == []
        callers.is_over.set()
        assert running.stop() == 0
    shutil.rmtree(guard.store)
    with gateway(tmp_path, settings(upstream)) as running, Callers(running.port, BODY) as callers:
        seen(running, is_kept)
        assert {record["reason"] for record in records(running)} == {"routed_back"}, "from the first request on"
        guard.put()
        seen(running, is_cheap)
        assert callers.failures == []


def test_controls_that_cannot_be_read_at_the_start_leave_the_capable_tier_alone(upstream, tmp_path):
    guard = Guard(tmp_path)
    guard.put()
    for path in controls_files(guard.store):
        path.write_bytes(b"{")
    with gateway(tmp_path, settings(upstream)) as running, Callers(running.port, BODY) as callers:
        seen(running, lambda record: record["reason"] == "controls_unreadable" and record["tier"] == "capable")
        assert metric(running, "undertow_controls_unreadable") == {"undertow_controls_unreadable": 1}
        shutil.rmtree(guard.store / "state")
        shutil.rmtree(guard_folder(guard.store))
        guard.put()
        seen(running, is_cheap)
        until = time.monotonic() + 5
        while metric(running, "undertow_controls_unreadable") != {"undertow_controls_unreadable": 0}:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert callers.failures == []


def test_a_pin_rolls_a_policy_back_and_its_release_rolls_it_forth_without_a_dropped_request(upstream, tmp_path):
    guard = Guard(tmp_path)
    with gateway(tmp_path, settings(upstream, threshold=0.0)) as running:
        with Callers(running.port, BODY) as callers:
            good = seen(running, is_cheap)["policy_version"]
            running.configure(settings(upstream, threshold=0.01).replace('"small"', '"smaller"'))
            running.signal(signal.SIGHUP)
            running.wait_for("new workers serve")
            bad = seen(running, lambda record: record["policy_version"] != good)["policy_version"]
            until = time.monotonic() + 5
            while len(guard.book.versions()) < 2:
                assert time.monotonic() < until
                time.sleep(0.05)
            assert [one.version for one in guard.book.versions()] == [good, bad]

            mark = len(running.said)
            running.configure("this is no TOML: a roll-back reads no settings")
            guard.put(pin=Pin(bad=bad, good=good, source="a1"))
            assert running.wait_for(r"new workers serve \(policy auto (\w+)\)", after=mark)[1] == good
            seen(running, lambda record: record["policy_version"] == good and record["tier"] == "cheap")
            # By its time: a worker that drains may write a record of the other version after it.
            newest = max(
                (one for one in records(running) if one["policy_version"] == good), key=lambda one: one["event_time"]
            )
            assert any(call["model"] == "small" for call in newest["calls"])
            assert metric(running, "undertow_pins_unserved") == {"undertow_pins_unserved": 0}

            mark = len(running.said)
            guard.put()
            assert running.wait_for(r"new workers serve \(policy auto (\w+)\)", after=mark)[1] == bad
            seen(running, lambda record: record["policy_version"] == bad and record["tier"] == "cheap")
            assert callers.failures == []
        assert running.stop() == 0
        served = {record["reason"] for record in records(running) if record["policy_version"] == bad}
        assert served <= {"confident", "routed_back", "not_exposed"}


def test_a_restart_serves_what_was_rolled_back_to_and_one_that_is_lost_is_answered_by_the_capable_tier(
    upstream, tmp_path
):
    guard = Guard(tmp_path)
    versions = []
    for threshold in (0.0, 0.01):
        with gateway(tmp_path, settings(upstream, threshold, workers=1)) as running:
            versions.append(running.wait_for(r"policy auto: .*version (\w+)")[1])
    good, bad = versions
    guard.put(pin=Pin(bad=bad, good=good, source="a1"))
    with gateway(tmp_path, settings(upstream, 0.01, workers=1)) as running, Callers(running.port, BODY) as callers:
        running.wait_for(f"policy auto was rolled back to version {good}")
        seen(running, lambda record: record["policy_version"] == good and record["tier"] == "cheap")
        assert callers.failures == []
    (guard_folder(guard.store) / "policies" / f"{good}.json").unlink()
    with gateway(tmp_path, settings(upstream, 0.01, workers=1)) as running, Callers(running.port, BODY) as callers:
        running.wait_for("policy auto was rolled back, and the capable tier answers for it: ")
        seen(running, lambda record: is_kept(record) and record["policy_version"] == bad)
        assert metric(running, "undertow_pins_unserved") == {"undertow_pins_unserved": 1}
        assert callers.failures == []
    assert Path(guard.store).is_dir()
