import os
import signal
import sys
import time
from pathlib import Path

import pytest

from undertow.gateway.children import reap
from undertow.gateway.dashboard import Dashboard

STUB = (
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()",
)


@pytest.fixture
def dashboard(tmp_path):
    said = []
    made = Dashboard(str(tmp_path), said.append, STUB)
    made.said = said
    yield made
    made.kill()
    until(made, lambda: not made.is_any_alive)


def until(made, holds, now=0.0):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        for pid, status in reap():
            assert made.ended(pid, status, now)
        time.sleep(0.01)


def begun(made, plan="plan-1.json", *, is_wanted=True, now=0.0):
    made.begin(plan, now, is_wanted=is_wanted)
    made.tick(now)
    return made.pid


def arguments(pid):
    """Of a process that may not have begun its program yet: until then it has none."""
    end = time.monotonic() + 20
    while not (said := Path(f"/proc/{pid}/cmdline").read_text("utf-8")):
        assert time.monotonic() < end
        time.sleep(0.01)
    return said.split("\0")


def test_it_is_started_for_a_plan_and_told_which(dashboard, tmp_path):
    pid = begun(dashboard)
    told = arguments(pid)[-7:-1]
    assert told == ["--plan-file", "plan-1.json", "--runtime-dir", str(tmp_path), "--supervisor", str(os.getpid())]


def test_a_dead_one_is_started_again_and_the_operator_told(dashboard):
    pid = begun(dashboard)
    os.kill(pid, signal.SIGKILL)
    until(dashboard, lambda: dashboard.pid is None)
    assert dashboard.said == [
        "the dashboard died (killed by SIGKILL); requests are served all the same, and /ui says that it is away, it is started again in 0.5 s"
    ]
    assert dashboard.due_at == 0.5
    dashboard.tick(0.5)
    assert dashboard.pid not in {pid, None}


def test_a_new_plan_begins_another_in_its_place(dashboard):
    pid = begun(dashboard)
    time.sleep(0.3)  # it has to have its handler
    dashboard.begin("plan-2.json", 1.0, is_wanted=True)
    until(dashboard, lambda: dashboard.pid is None, 1.0)
    dashboard.tick(1.0)
    assert dashboard.pid not in {pid, None}
    assert "plan-2.json" in arguments(dashboard.pid)
    assert dashboard.said == []


def test_a_plan_without_one_ends_it_and_a_later_plan_begins_another(dashboard):
    pid = begun(dashboard)
    time.sleep(0.3)
    dashboard.begin("plan-2.json", 1.0, is_wanted=False)
    assert dashboard.pid is None
    assert dashboard.due_at is None
    dashboard.begin("plan-3.json", 2.0, is_wanted=True)
    if dashboard.is_any_alive:
        dashboard.tick(2.0)
    until(dashboard, lambda: not dashboard._leaving, 2.0)
    dashboard.tick(2.0)
    assert dashboard.pid not in {pid, None}
    assert "plan-3.json" in arguments(dashboard.pid)


def test_without_a_command_there_is_none(tmp_path):
    made = Dashboard(str(tmp_path), [].append, ())
    assert begun(made) is None
    assert made.due_at is None


def test_one_of_the_supervisor_before_is_gone_on_with(dashboard):
    pid = begun(dashboard)
    heir = Dashboard("elsewhere", dashboard.said.append, STUB)
    heir.adopt(pid)
    assert heir.pid == pid
    heir.tick(0.0)
    assert heir.pid == pid


def test_somebody_elses_child_is_none_of_its(dashboard):
    begun(dashboard)
    assert not dashboard.ended(1, 0, 0.0)
