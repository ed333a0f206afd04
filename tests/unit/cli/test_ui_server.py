"""What a dashboard is told of a request that a worker passed on."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conftest import PROJECT
from review_factory import write_drawn_store
from undertow.bootstrap.reviewing import open_desk, review_rules
from undertow.cli.ui_server import Application, as_asked, close_desk, leave, log_view
from undertow.config.settings import Settings
from undertow.records.runtime_files import UI_PEER_HEADER
from unit.dashboard.conftest import made_ui

TOLD = UI_PEER_HEADER.encode()


def scope(*headers, client=("", 0)):
    return {"type": "http", "headers": [(b"host", b"x"), *headers], "client": client}


def test_a_request_is_from_the_address_that_the_worker_tells_which_pages_do_not_see():
    found = as_asked(scope((TOLD, b"10.0.0.7")))
    assert found["client"] == ("10.0.0.7", 0)
    assert found["headers"] == [(b"host", b"x")]


@pytest.mark.parametrize("headers", [(), ((TOLD, b"127.0.0.1"), (TOLD, b"10.0.0.7")), ((TOLD, b""),)])
def test_without_one_clear_address_it_is_from_nowhere(headers):
    found = as_asked(scope(*headers, client=("127.0.0.1", 9)))
    assert found["client"] in {None, ("", 0)}
    assert TOLD not in dict(found["headers"])


@pytest.mark.parametrize(("is_behind", "expected"), [(True, ("10.0.0.7", 0)), (False, ("192.0.2.1", 9))])
def test_only_behind_workers_is_a_told_address_believed(is_behind, expected):
    seen = []

    async def app(found, receive, send):
        seen.append(found["client"])

    application = Application(app, is_behind_workers=is_behind)
    asyncio.run(application(scope((TOLD, b"10.0.0.7"), client=("192.0.2.1", 9)), None, None))
    assert seen == [expected]
    assert application.record_refused(400, "broken") is None


def test_the_log_is_read_as_an_audit_reads_it_and_looked_at_as_often_as_asked(tmp_path):
    (tmp_path / "decisions").mkdir()
    view = log_view(str(tmp_path), Settings(), tmp_path, {}, log_format="undertow", refresh_s=7.0)
    assert view.seen is None
    assert view.as_of is not None


class Elsewhere:
    """Access for several people: nobody's session ends with the dashboard."""


@pytest.mark.parametrize(("is_alone", "written"), [(True, 1), (False, 0)])
def test_what_one_person_alone_judged_is_written_with_the_end_of_the_dashboard(tmp_path, is_alone, written):
    store = tmp_path / "store"
    write_drawn_store(store, now=datetime.now(UTC))
    with open_desk(store, review_rules(Settings())) as (desk, _):
        ui = made_ui(store=store)
        ui = replace(ui, desk=desk, access=ui.access if is_alone else Elsewhere())
        sheet = desk.next("ada")
        desk.vote("ada", sheet.item, 1.0)
        close_desk(ui)
        assert desk.leave("ada") == 1 - written


def test_a_desk_that_cannot_write_does_not_keep_the_dashboard_from_ending(tmp_path, caplog):
    class Full:
        def leave(self, _):
            raise OSError(28, "No space left on device")

    close_desk(replace(made_ui(), desk=Full()))
    assert "reviews_not_published" in caplog.text
    close_desk(made_ui())


ENDLESS = """
import os, signal, sys, threading, time, urllib.request
sys.path[:0] = ["tests"]
from undertow.cli.ui_server import leave, run_dashboard
from undertow.gateway.listening import bind_listener, url_of
from undertow.records.serving import LimitsPlan
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY

class Slow(FixedLog):
    def as_of(self, day):
        asked.set()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            pass

    def start(self):
        pass

asked = threading.Event()
listener = bind_listener("127.0.0.1", 0)

def ask():
    try:
        urllib.request.urlopen(f"{url_of(listener)}/ui/quality?as_of=2026-03-20", timeout=60)
    except OSError:
        pass

def end():
    asked.wait(30)
    print(time.monotonic(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

for act in (ask, end):
    threading.Thread(target=act, daemon=True).start()
run_dashboard(made_ui(Slow(EVERY["pareto_trap"]())), listener, LimitsPlan())
sys.exit(leave(0))
"""


def test_a_page_that_is_being_made_does_not_hold_up_the_end():
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS], cwd=PROJECT, capture_output=True, text=True, timeout=55, check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - float(done.stdout) < 10.0, "about two seconds; the page would take a minute"


def test_a_process_in_which_nothing_is_being_made_ends_as_any_other(monkeypatch):
    monkeypatch.setattr("threading.active_count", lambda: 1)
    assert leave(3) == 3
