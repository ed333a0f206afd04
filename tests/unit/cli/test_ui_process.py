"""The dashboard's process of a gateway: a real one, asked over its socket as a worker asks it."""

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import PROJECT
from undertow.cli.ui_process import bind, gateway_ui, main
from undertow.config.settings import Settings
from undertow.dashboard.key_access import KeyAccess
from undertow.records.runtime_files import UI_PEER_HEADER, UI_SECRET, UI_SOCKET
from undertow.records.serving import KeyPlan, ServingPlan, StorePlan, UiPlan, encode_plan


class OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


@dataclass
class Running:
    """A dashboard that listens."""

    folder: Path
    process: subprocess.Popen

    def get(self, path="/ui/", **headers):
        connection = OverSocket(self.folder / UI_SOCKET)
        try:
            connection.request("GET", path, headers={"host": "localhost:4040", **{n.replace("_", "-"): v for n, v in headers.items()}})  # fmt: skip
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())
        finally:
            connection.close()


def plan(folder, **ui):
    return ServingPlan(tiers=(), policies=(), store=StorePlan(path=str(folder / "store")), ui=UiPlan(**ui))


def arguments(folder, made):
    (folder / "plan.json").write_bytes(encode_plan(made))
    return ["--plan-file", str(folder / "plan.json"), "--runtime-dir", str(folder), "--supervisor", str(os.getpid())]


@pytest.fixture
def running(tmp_path):
    started = []

    def made(**ui):
        process = subprocess.Popen(
            [sys.executable, "-m", "undertow.cli.ui_process", *arguments(tmp_path, plan(tmp_path, **ui))],
            stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PROJECT / "src")}, text=True,
        )  # fmt: skip
        started.append(process)
        until = time.monotonic() + 60
        while not (tmp_path / UI_SOCKET).exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.05)
        return Running(tmp_path, process)

    yield made
    for process in started:
        process.kill()
        process.wait(20)
        process.stderr.close()


def test_whoever_the_worker_says_is_on_this_machine_may_look_where_nobody_has_a_name(running):
    dashboard = running(is_open_here=True)
    here = {UI_PEER_HEADER: "127.0.0.1"}
    assert dashboard.get(**here)[0] == 200
    assert dashboard.get(**{UI_PEER_HEADER: "10.0.0.7"})[0] == 303
    assert dashboard.get()[0] == 303, "a request of which no worker tells the address is from nowhere"
    assert dashboard.get(host="evil.example", **here)[0] == 421


def test_its_socket_and_its_secret_are_for_its_own_user_alone(running):
    dashboard = running()
    assert stat.S_IMODE((dashboard.folder / UI_SOCKET).stat().st_mode) == 0o600
    assert stat.S_IMODE((dashboard.folder / UI_SECRET).stat().st_mode) == 0o600


def test_it_ends_when_it_is_told_to(running):
    dashboard = running()
    assert dashboard.get()[0] == 303
    dashboard.process.send_signal(signal.SIGTERM)
    assert dashboard.process.wait(30) == 0


def test_it_ends_with_the_gateway(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        # Its parent is this test, and not the supervisor that it is told.
        given = arguments(tmp_path, plan(tmp_path))
        given[-1] = str(parent.pid)
        done = subprocess.run([sys.executable, "-m", "undertow.cli.ui_process", *given], cwd=tmp_path, timeout=60, check=False, capture_output=True, env={**os.environ, "PYTHONPATH": str(PROJECT / "src")})  # fmt: skip
        assert done.returncode == 0
    finally:
        parent.kill()
        parent.wait(20)


def test_settings_that_cannot_be_read_do_not_keep_it_from_starting(running, tmp_path):
    (tmp_path / "undertow.toml").write_text("this is no [settings")
    dashboard = running(is_open_here=True)
    assert dashboard.get(**{UI_PEER_HEADER: "127.0.0.1"})[0] == 200


def test_without_a_plan_it_says_so_and_fails(tmp_path, capfd):
    assert main(["--plan-file", str(tmp_path / "none.json"), "--runtime-dir", str(tmp_path)]) == 1
    assert "dashboard_cannot_start" in capfd.readouterr().err


def test_a_socket_that_was_left_is_replaced_by_one_that_can_be_connected_to(tmp_path):
    path = tmp_path / "s"
    bind(path).close()
    listener = bind(path)
    with socket.socket(socket.AF_UNIX) as caller, listener:
        caller.connect(str(path))


def test_logins_are_those_of_the_plans_keys_and_names_those_of_its_hosts(tmp_path):
    key = KeyPlan(name="ada", key_id="k1", sha256="0" * 64, ui="reviewer")
    made = ServingPlan(tiers=(), policies=(), keys=(key,), store=StorePlan(path=str(tmp_path / "s")), ui=UiPlan(public_hosts=("Undertow.Example.org.",)))  # fmt: skip
    ui = gateway_ui(made, Settings(), tmp_path, tmp_path, {})
    assert isinstance(ui.access, KeyAccess)
    assert ui.access.sessions.are_possible
    assert "undertow.example.org" in ui.hosts
    assert (tmp_path / "s" / "decisions").is_dir()
