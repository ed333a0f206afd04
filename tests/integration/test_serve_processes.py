"""`undertow serve` under way: reloads, new versions, deaths and its end, while callers never stop asking."""

import collections
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import UNDERTOW, Callers, gateway

WORKER, KEEPER = "undertow.gateway.worker", "undertow.keeper.main"
ASK = {"model": "auto", "messages": [{"role": "user", "content": "When was my invoice sent?"}]}
BODY = json.dumps(ASK).encode()
STREAMED = json.dumps(ASK | {"stream": True}, separators=(",", ":")).encode()


def settings(upstream, threshold=0.7):
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
[gateway]
workers = 2
drain_timeout_s = 10
"""


@pytest.fixture
def upstream():
    with FakeUpstream() as running:
        yield running


def test_no_request_is_dropped_by_reloads_new_versions_and_the_end(upstream, tmp_path):
    with gateway(tmp_path, settings(upstream)) as running:
        first = running.wait_for(r"policy auto: .*version (\w+)")[1]
        with Callers(running.port, BODY) as whole, Callers(running.port, STREAMED, threads=2) as streamed:
            whole.wait_for_more(50)
            old = running.children(WORKER)
            running.configure(settings(upstream, threshold=0.2))
            running.signal(signal.SIGHUP)
            second = running.wait_for(r"new workers serve \(policy auto (\w+)\)")[1]
            assert second != first
            whole.wait_for_more(100)
            streamed.wait_for_more(30)
            assert set(running.children(WORKER)).isdisjoint(old), (
                "busy connections have moved, the old workers are gone"
            )

            running.configure(settings(upstream, threshold=7))
            running.signal(signal.SIGHUP)
            assert "threshold" in running.wait_for("reload refused, the old settings stay: (.*)")[1]
            whole.wait_for_more(20)

            running.configure(settings(upstream, threshold=0.3))
            mark = len(running.said)
            pid = running.process.pid
            running.signal(signal.SIGUSR2)
            third = running.wait_for(r"new workers serve \(policy auto (\w+)\)", after=mark)[1]
            assert third not in {first, second}
            assert running.process.poll() is None
            assert running.process.pid == pid
            whole.wait_for_more(100)
            streamed.wait_for_more(30)
            running.signal(signal.SIGHUP)
            mark = len(running.said)
            running.wait_for("new workers serve", after=mark)
            whole.wait_for_more(50)
        assert whole.failures == streamed.failures == []
        assert running.stop() == 0
        records = running.recorded()
    assert collections.Counter(record["decision_id"] for record in records) == collections.Counter(
        whole.ids + streamed.ids
    )
    assert {record["policy_version"] for record in records} == {first, second, third}


def test_a_dead_worker_costs_its_own_requests_alone_and_each_has_a_record(upstream, tmp_path):
    upstream.answer("small", Reply(delay_s=0.05))
    with gateway(tmp_path, settings(upstream)) as running:
        with Callers(running.port, BODY, threads=6) as callers:
            callers.wait_for_more(30)
            victim = running.children(WORKER)[0]
            os.kill(victim, signal.SIGKILL)
            running.wait_for("worker . died .killed by SIGKILL")
            callers.wait_for_more(100)
            assert len(callers.failures) <= 6
            assert len(running.children(WORKER)) == 2
            keeper = running.children(KEEPER)[0]
            os.kill(keeper, signal.SIGKILL)
            running.wait_for("the keeper died")
            callers.wait_for_more(100)
            running.wait_for('"keeper_started".*"pid":' + str(_new_child(running, KEEPER, keeper)))
            callers.wait_for_more(10)
            failures = len(callers.failures)
            time.sleep(2.5)  # the keeper looks for orphans every two seconds
        assert len(callers.failures) == failures <= 6
        assert running.stop() == 0
        records = running.recorded()
    ids = collections.Counter(record["decision_id"] for record in records)
    assert set(ids.values()) == {1}
    died = {record["decision_id"] for record in records if record["reason"] == "process_died"}
    assert set(ids) == set(callers.ids) | died
    assert len(died) <= failures


def _new_child(running, module, old):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        new = [pid for pid in running.children(module) if pid != old]
        if new:
            return new[0]
        time.sleep(0.02)
    raise AssertionError("no new one was started")


def test_stopping_finishes_what_is_under_way_and_takes_nothing_new(upstream, tmp_path):
    upstream.answer("small", Reply(text="a b c d e f g h", gap_s=0.1))
    with gateway(tmp_path, settings(upstream)) as running:
        with Callers(running.port, STREAMED, threads=2) as callers:
            upstream.wait_until(lambda upstream: len(upstream.requests) == 2)
            running.signal(signal.SIGTERM)
            callers.is_over.set()
        assert running.process.wait(10) == 0
        assert (len(callers.ids), callers.failures) == (2, [])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port)).close()


def test_two_interrupts_end_it_at_once(tmp_path):
    # Of its own: a late request of another test must not be taken for the one that is waited for.
    with FakeUpstream() as upstream, gateway(tmp_path, settings(upstream)) as running:
        upstream.answer("small", Reply(delay_s=30))
        workers = running.children(WORKER)
        with Callers(running.port, BODY, threads=1) as callers:
            upstream.wait_until(lambda upstream: len(upstream.requests) == 1)
            running.signal(signal.SIGINT)
            time.sleep(0.3)
            assert running.process.poll() is None
            running.signal(signal.SIGINT)
            # A shell shows both as 130; which of them it is depends on how far the first one has come.
            assert running.process.wait(5) in {130, -signal.SIGINT}
            callers.is_over.set()
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_killed_supervisor_leaves_no_worker_behind(upstream, tmp_path):
    with gateway(tmp_path, settings(upstream)) as running:
        workers, keepers = running.children(WORKER), running.children(KEEPER)
        running.process.kill()
        running.process.wait(5)
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in [*workers, *keepers]):
            assert time.monotonic() < until, "orphans live on"
            time.sleep(0.02)


def test_a_new_version_that_cannot_start_is_refused(upstream, tmp_path):
    with gateway(tmp_path, settings(upstream)) as running:
        workers = running.children(WORKER)
        (tmp_path / "undertow.toml").write_text("[policy]\nkind = 'nonsense'\n", encoding="utf-8")
        running.signal(signal.SIGUSR2)
        running.wait_for("the new version is refused, this one goes on: ")
        assert running.children(WORKER) == workers


def refused(folder, *arguments, env=None):
    done = subprocess.run(
        [UNDERTOW, "serve", *arguments],
        cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_cannot_be_served_is_refused_in_one_line(upstream, tmp_path):
    text = settings(upstream)
    (tmp_path / "undertow.toml").write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "in use" in refused(tmp_path, "--port", str(port))
    assert "anybody could spend your money" in refused(tmp_path, "--host", "::")
    keyed = text.replace('model = "large"\n', 'model = "large"\napi_key_env = "UNDERTOW_TEST_ABSENT_KEY"\n')
    (tmp_path / "undertow.toml").write_text(keyed, encoding="utf-8")
    assert "UNDERTOW_TEST_ABSENT_KEY is not set" in refused(tmp_path)
    (tmp_path / "undertow.toml").write_text("[tiers]\n", encoding="utf-8")
    refused(tmp_path)


def test_nothing_that_is_printed_or_on_a_command_line_holds_a_secret(upstream, tmp_path):
    text = settings(upstream).replace('model = "large"\n', 'model = "large"\napi_key_env = "UNDERTOW_TEST_KEY"\n')
    with gateway(tmp_path, text, env={"UNDERTOW_TEST_KEY": "sk-very-secret"}) as running:
        seen = "".join(running.said)
        for pid in running.children("undertow"):
            seen += Path(f"/proc/{pid}/cmdline").read_text()
        assert running.stop() == 0
    assert "sk-very-secret" not in seen + "".join(running.said)


def test_help_loads_neither_server_nor_settings():
    program = (
        "import sys; from undertow.cli.main import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'pydantic', 'uvloop', 'httptools', 'duckdb'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--allow-public-without-keys" in done.stdout
