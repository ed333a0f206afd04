import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import date

import pytest

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import SAMPLED
from undertow.bootstrap.keeper import build_keeper, watching_plan
from undertow.config import Settings
from undertow.keeper.main import _jobs, id_key_of, main
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.runtime_files import HEARTBEAT, LOOKUP_SOCKET, TURNS_SOCKET
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, StorePlan, TierPlan, encode_plan
from undertow.records.turn import Turn, encode_messages

NAME = "0195a3f2c4b0" + "0" * 20
TIME = "2025-03-17T12:00:00.000Z"


def plan(store):
    tiers = tuple(
        TierPlan(name=name, model=name, endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),))
        for name in ("cheap", "capable")
    )
    policy = PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable"))
    return encode_plan(ServingPlan(tiers=tiers, policies=(policy,), store=StorePlan(path=str(store))))


@pytest.fixture
def keeper(tmp_path):
    (tmp_path / "plan.json").write_bytes(plan(tmp_path / "store"))
    (tmp_path / "run").mkdir()
    started = []

    def start():
        command = [sys.executable, "-m", "undertow.keeper.main", "--plan-file", "plan.json", "--runtime-dir", "run"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_for(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def heartbeat(tmp_path):
    path = tmp_path / "run" / HEARTBEAT
    return json.loads(path.read_bytes()) if path.exists() else {"counts": {}}


def test_it_recovers_converts_listens_beats_and_ends_when_told(tmp_path, keeper):
    log = StoreDecisionLog(StorePlan(path=str(tmp_path / "store")), "w0")
    log.finish(DecisionRecord(decision_id=NAME, event_time=TIME, tier="cheap"))
    log.begin(Intent(decision_id="orphan", event_time=TIME))
    log.close()
    process = keeper()
    counts = wait_for(lambda: (c := heartbeat(tmp_path)["counts"]).get("orphans") and c)
    assert counts["orphans"] == 1
    (datagram,) = encode_messages(
        [Turn(decision_id="d", conversation_id="c", event_time=time.time(), text="cancel my order")]
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, str(tmp_path / "run" / TURNS_SOCKET))
    wait_for(lambda: heartbeat(tmp_path)["counts"].get("turns"))
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(10)
        asking.connect(str(tmp_path / "run" / LOOKUP_SOCKET))
        wait_for(lambda: list((tmp_path / "store").glob("decisions/date=*/*.parquet")))
        asking.sendall(NAME.encode() + b"\n")
        assert json.loads(asking.recv(10_000))["tier"] == "cheap"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in told.splitlines()]
    assert (events[0], events[-1]) == ("keeper_started", "keeper_stopped")
    assert "dead_writer_recovered" in events
    assert [path.name for path in (tmp_path / "run").iterdir()] == [HEARTBEAT]


def test_it_may_be_killed_and_started_again(tmp_path, keeper):
    first = keeper()
    wait_for((tmp_path / "run" / LOOKUP_SOCKET).exists)
    first.kill()
    first.communicate()
    second = keeper()
    wait_for(lambda: heartbeat(tmp_path).get("pid") == second.pid)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=30)
    assert second.returncode == 0


def test_it_does_not_outlive_a_supervisor_that_was_killed(tmp_path, keeper):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'undertow.keeper.main', *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "--plan-file", "plan.json", "--runtime-dir", "run"]
    supervisor = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    path = tmp_path / "run" / LOOKUP_SOCKET
    wait_for(path.exists)
    supervisor.kill()
    _, told = supervisor.communicate(timeout=30)  # the keeper holds the other end until it ends
    assert not path.exists()
    assert [json.loads(line)["event"] for line in told.splitlines()][-2:] == ["supervisor_died", "keeper_stopped"]


def test_it_removes_texts_that_have_been_kept_for_long_enough(tmp_path, keeper):
    folder = tmp_path / "store" / SAMPLED
    folder.mkdir(parents=True)
    old = folder / "20260301T120000000Z-w0-0123456789ab-000001.jsonl"
    old.write_bytes(b"{}\n")
    os.utime(old, (0.0, 0.0))
    keeper()
    wait_for(lambda: not old.exists())


def test_a_plan_that_is_none_is_refused_in_one_event(tmp_path, capsys):
    path = tmp_path / "plan.json"
    path.write_text("{}")
    import logging

    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    try:
        assert main(["--plan-file", str(path), "--runtime-dir", str(tmp_path)]) == 1
    finally:
        root.handlers[:], logging.raiseExceptions = before[0], before[2]
        root.setLevel(before[1])
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["error"]) == ("keeper_cannot_start", "ConfigError")
    assert "compile it again" in line["error_message"]


KEPT = ["recovery", "compaction", "length_ratios", "retention"]


def watching_jobs(tmp_path, **given):
    """Names of the jobs of a store alone, in order."""
    settings = Settings.model_validate({"tiers": {"cheap": {}, "capable": {}}, **given})
    plan = watching_plan(tmp_path, settings, tmp_path, date(2026, 3, 1))
    return [job.name for job in _jobs(plan, build_keeper(plan, {}), None, None)]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, ["reviews", "alerts", "watching"]),
        ({"monitors": {"every_minutes": 0}}, ["reviews", "alerts"]),
        ({"judge": {"model": "j", "base_url": "http://127.0.0.1:1/v1"}}, ["reviews", "judging", "alerts", "watching"]),
        (
            {"sources": {"crm": {"kind": "files", "path": "t.csv", "outcome": "ticket"}}, "outcomes": {"ticket": {"usd": 1.0}}},
            ["reviews", "outcomes", "alerts", "watching"],
        ),
        ({"tuning": {"enabled": True}}, ["reviews", "alerts", "watching"]),
    ],
)  # fmt: skip
def test_the_jobs_of_a_store_alone_follow_from_its_settings(tmp_path, given, more):
    assert watching_jobs(tmp_path, **given) == KEPT + more


def test_without_the_id_key_that_is_named_no_job_writes_ids(tmp_path, caplog, monkeypatch):
    given = {
        "store": {"id_key_env": "THE_KEY"},
        "sources": {"crm": {"kind": "files", "path": "t.csv", "outcome": "ticket"}},
        "outcomes": {"ticket": {"usd": 1.0}},
    }
    monkeypatch.delenv("THE_KEY", raising=False)
    assert watching_jobs(tmp_path, **given) == [*KEPT, "alerts", "watching"]
    assert caplog.messages == ["id_key_not_set"]
    caplog.clear()
    monkeypatch.setenv("THE_KEY", "secret")
    assert watching_jobs(tmp_path, **given) == [*KEPT, "reviews", "outcomes", "alerts", "watching"]
    assert caplog.messages == []


def test_an_empty_id_key_is_none():
    key, lacking = id_key_of(StorePlan(id_key_env="THE_KEY"), {"THE_KEY": ""})
    assert key is None
    assert "THE_KEY" in lacking
