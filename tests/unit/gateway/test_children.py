import os
import signal
import socket
import sys
import time

import msgspec
import pytest

from undertow.gateway.children import WorkerProcess, how_it_ended, kill, reap, spawn, start_keeper, start_worker
from undertow.gateway.runtime import Runtime
from undertow.gateway.worker import RETIRE, STOP, Orders

PLACE = Runtime.within("/nowhere", "/nowhere/plan-1.json", worker_number=3, workers=2, generation=1)
REPORT = (
    "import json, os, socket, sys; from pathlib import Path\n"
    "orders = json.loads(sys.argv[1]); control = socket.socket(fileno=orders['control_fd'])\n"
    "control.send(b'ready\\n'); order = control.recv(64)\n"
    "sys.exit(7 if order == b'stop\\n' and os.fstat(orders['listen_fd']) "
    "and os.getpgid(0) == os.getpid() else 1)"
)


def wait_for_end(pid, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        for ended, status in reap():
            if ended == pid:
                return status
        time.sleep(0.01)
    raise AssertionError("it did not end")


def test_a_worker_says_that_it_is_ready_hears_its_orders_and_has_what_it_needs():
    with socket.socket() as listener:
        listener.set_inheritable(True)
        worker = start_worker(
            PLACE, listen_fd=listener.fileno(), drain_timeout_s=1, now=5.0, command=(sys.executable, "-c", REPORT)
        )
        assert (worker.state, worker.started_at, worker.number) == ("starting", 5.0, 3)
        worker.control.settimeout(20)
        assert worker.hear()
        assert worker.state == "ready"
        worker.stop()
        assert worker.state == "leaving"
        assert wait_for_end(worker.pid) == 7
        assert worker.hear() is False
        worker.stop()
        worker.control.close()


def test_words_are_only_what_they_are():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        worker = WorkerProcess(1, 0, 1, ours, "leaving", 0.0)
        assert worker.hear()
        theirs.send(b"ready\n")
        assert worker.hear()
        assert worker.state == "leaving"
        worker.retire()
        worker.stop()
        assert theirs.recv(64) == RETIRE + STOP


def test_orders_hold_no_secret_and_survive_the_command_line():
    orders = Orders(listen_fd=3, control_fd=4, drain_timeout_s=30, runtime=PLACE)
    assert msgspec.json.decode(msgspec.json.encode(orders).decode(), type=Orders) == orders


def test_a_keeper_is_told_plan_folder_and_supervisor(tmp_path):
    program = "import sys; from pathlib import Path; Path(sys.argv[4], 'told').write_text(' '.join(sys.argv[1:]))"
    pid = start_keeper("/p.json", str(tmp_path), (sys.executable, "-c", program))
    assert wait_for_end(pid) == 0
    told = (tmp_path / "told").read_text()
    assert told == f"--plan-file /p.json --runtime-dir {tmp_path} --supervisor {os.getpid()}"


@pytest.mark.parametrize(("how", "words"), [(signal.SIGKILL, "killed by SIGKILL"), (None, "exit status 0")])
def test_how_a_child_ended_is_known(how, words):
    pid = spawn([sys.executable, "-c", "import time; time.sleep(30)" if how else ""], os.environ)
    if how:
        kill(pid, how)
    assert how_it_ended(wait_for_end(pid)) == words
    kill(pid, signal.SIGKILL)
    assert reap() == []
