"""A supervisor of stub workers. tests/integration/test_serve_processes.py has the real ones, under load."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gateway_fakes.raw import get
from gateway_stub.gateway_process import Gateway, listen
from undertow.gateway.runtime import read_supervision

TESTS = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path):
    """A function that starts a supervisor with these settings."""
    begun = []

    def start_one(version):
        (tmp_path / "version").write_text(version)
        (tmp_path / "day").write_text("2026-01-31")
        process = subprocess.Popen(
            [sys.executable, TESTS / "gateway_stub" / "supervise.py", tmp_path],
            env={**os.environ, "PYTHONPATH": str(TESTS)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running = Gateway(tmp_path, process)
        thread = threading.Thread(target=listen, args=(running,))
        thread.start()
        begun.append((process, thread))
        return running

    yield start_one
    for process, thread in begun:
        process.terminate()
        process.wait(10)
        thread.join(20)
        process.stderr.close()


def ready(running):
    running.port = int(running.wait_for(r"ready on (\d+)")[1])
    return running


def version_served(running):
    return get(running.port, "/version").body.decode()


def serves(running, version):
    """An old worker may take one last connection before it hears that it is to go."""
    until(lambda: version_served(running) == version)


def until(holds, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def supervision(running):
    return read_supervision(str(running.folder / "runtime"))


def test_first_workers_that_cannot_start_end_it(start):
    running = start("cannot-start")
    assert running.process.wait(20) == 1
    running.wait_for(r"cannot serve: a new worker did not start \(exit status 4\)")
    assert not (running.folder / "runtime").exists()


def test_settings_that_cannot_be_served_leave_the_old_ones_serving(start):
    running = ready(start("v1"))
    for version, why in (("cannot-start", "a new worker did not start"), ("broken", "it is broken")):
        (running.folder / "version").write_text(version)
        running.signal(signal.SIGHUP)
        running.wait_for(f"reload refused, the old settings stay: {why}")
    assert version_served(running) == "v1"
    (running.folder / "version").write_text("v2")
    running.signal(signal.SIGHUP)
    running.wait_for(r"2 new workers serve \(policy auto v2\)")
    serves(running, "v2")
    until(lambda: len(running.children("stub_worker")) == 2)
    until(lambda: supervision(running).workers == 2)
    assert (supervision(running).reloads_refused, supervision(running).keeper_up) == (2, True)
    assert running.stop() == 0
    assert not (running.folder / "runtime").exists()


def test_a_new_day_changes_workers_only_if_it_changes_what_they_serve(start):
    running = ready(start("v1"))
    workers = running.children("stub_worker")
    (running.folder / "day").write_text("2026-02-01")
    running.signal(signal.SIGCHLD)  # it looks at the date whenever it wakes
    time.sleep(0.3)
    assert running.children("stub_worker") == workers
    (running.folder / "version").write_text("v2")
    (running.folder / "day").write_text("2026-02-02")
    running.signal(signal.SIGCHLD)
    running.wait_for("new workers serve")
    serves(running, "v2")


def test_a_worker_that_keeps_dying_is_started_later_and_later(start):
    running = ready(start("v1"))
    for _ in range(4):
        victim = running.children("stub_worker")[-1]
        os.kill(victim, signal.SIGKILL)
        until(lambda victim=victim: victim not in running.children("stub_worker"))
        until(lambda: len(running.children("stub_worker")) == 2)
    said = [line for line in running.said if "died" in line]
    assert said[0].endswith("another starts")
    assert said[3].endswith("another starts in 1.6 s")
    until(lambda: supervision(running).worker_deaths == 4)


def test_a_new_version_takes_over_children_socket_and_counts(start):
    running = ready(start("v1"))
    os.kill(running.children("stub_worker")[0], signal.SIGKILL)
    until(lambda: supervision(running).worker_deaths == 1)
    keeper = running.children("time.sleep(60)")
    (running.folder / "version").write_text("v2")
    running.signal(signal.SIGUSR2)
    running.wait_for(r"2 new workers serve \(policy auto v2\)")
    serves(running, "v2")
    assert supervision(running).worker_deaths == 1
    until(lambda: running.children("time.sleep(60)") and running.children("time.sleep(60)") != keeper)
    until(lambda: len(running.children("stub_worker")) == 2)
    assert running.stop() == 0


def test_the_dashboard_may_die_and_goes_with_the_plan_and_the_gateway(start):
    running = ready(start("v1"))
    until(lambda: running.children("time.sleep(61)"))
    first = running.children("time.sleep(61)")
    os.kill(first[0], signal.SIGKILL)
    running.wait_for(r"the dashboard died \(killed by SIGKILL\)")
    until(lambda: running.children("time.sleep(61)") not in ([], first))
    second = running.children("time.sleep(61)")
    (running.folder / "version").write_text("v2")
    running.signal(signal.SIGUSR2)
    running.wait_for(r"2 new workers serve \(policy auto v2\)")
    until(lambda: running.children("time.sleep(61)") not in ([], second))
    assert version_served(running) in {"v1", "v2"}
    assert running.stop() == 0
    assert not running.children("time.sleep(61)")


def kept(running):
    return (running.folder / "kept").read_text().split()


def test_what_is_rolled_back_to_is_served_within_seconds_and_so_is_what_is_released(start):
    running = ready(start("v2"))
    (running.folder / "version").write_text("broken")  # a roll-back reads no settings
    (running.folder / "pin").write_text("v1")
    running.wait_for(r"2 new workers serve \(policy auto v1\)")
    running.wait_for("policy auto was rolled back to version v1")
    serves(running, "v1")
    (running.folder / "pin").unlink()
    running.wait_for(r"2 new workers serve \(policy auto v2\)")
    serves(running, "v2")
    assert kept(running) == ["v2", "v1", "v2"]


def test_a_reload_of_what_was_rolled_back_stays_rolled_back(start):
    running = ready(start("v2"))
    (running.folder / "pin").write_text("v1")
    serves(running, "v1")
    mark = len(running.said)
    running.signal(signal.SIGHUP)
    running.wait_for(r"2 new workers serve \(policy auto v1\)", after=mark)
    serves(running, "v1")


def test_a_version_that_cannot_be_served_is_said_once_and_counted(start):
    running = ready(start("v2"))
    for said, why in (("unreadable", "it cannot be read"), ("bug", "KeyError")):
        (running.folder / "pin").write_text(said)
        running.wait_for(f"was rolled back, and the capable tier answers for it: {why}")
        until(lambda: supervision(running).pins_unserved == 1)
    time.sleep(2.5)
    assert len([line for line in running.said if "capable tier answers" in line]) == 2
    assert version_served(running) == "v2"
    (running.folder / "pin").unlink()
    until(lambda: supervision(running).pins_unserved == 0)


def test_a_version_whose_workers_do_not_start_leaves_those_of_the_settings_serving(start):
    running = ready(start("v2"))
    (running.folder / "pin").write_text("cannot-start")
    running.wait_for("reload refused, the old settings stay: a new worker did not start")
    assert version_served(running) == "v2"
    until(lambda: supervision(running).reloads_refused == 1)
    time.sleep(2.5)
    assert supervision(running).reloads_refused == 1, "it is not tried again at once"


def test_a_start_does_not_fail_because_of_what_was_rolled_back_to(start, tmp_path):
    (tmp_path / "pin").write_text("cannot-start")
    running = ready(start("v2"))
    assert version_served(running) == "v2"
    running.wait_for("the version that was rolled back to cannot serve, so the capable tier answers")


def test_a_version_that_cannot_be_kept_is_served_and_said(start):
    running = ready(start("v9"))
    running.wait_for("what serves now cannot be rolled back to: the disk is full")
    assert version_served(running) == "v9"


def test_nobody_is_served_by_a_version_whose_rollout_cannot_begin(start, tmp_path):
    running = ready(start("v1"))
    (tmp_path / "version").write_text("v8")
    running.signal(signal.SIGHUP)
    running.wait_for("reload refused, the old settings stay: no rollout")
    assert version_served(running) == "v1"


def test_a_gateway_does_not_start_with_a_version_whose_rollout_cannot_begin(start):
    running = start("v8")
    running.wait_for("cannot serve: no rollout")
    assert running.process.wait(10) == 1
