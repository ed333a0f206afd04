"""Requests to the dashboard: paths, queries, cookies, headers and forms, as its process gets them from a worker.

The input is `METHOD TARGET`, lines of headers, an empty line and a body, as HTTP has them. The first byte chooses who may ask.
"""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from explorer_factory import some, write_store
from outside_bytes.target import Target, in_time
from undertow.bootstrap.audit import AuditRequest
from undertow.config.keys import new_key
from undertow.dashboard.app import build_app
from undertow.dashboard.attempts import Attempts
from undertow.dashboard.key_access import KeyAccess
from undertow.dashboard.sessions import Sessions
from undertow.records.serving import KeyPlan, UiPlan
from unit.dashboard.conftest import Client, FixedLog, made_ui
from unit.reports.factory import EVERY

SECONDS = 8.0
"""A page of ten weeks takes a fifth of a second; an instrumented interpreter is slower."""
SECRET = b"s" * 32
FORBIDDEN = frozenset(b"\r\n\0")


@cache
def client(choice: int) -> Client:
    """An application that is kept: over a report made by hand and a small store, for an operator, or for whoever has a key."""
    keeper = tempfile.TemporaryDirectory(prefix="undertow-bytes-")
    _KEPT.append(keeper)
    store = write_store(Path(keeper.name) / "store", *some(20))
    log = FixedLog(EVERY["pareto_trap"]())
    log.request = AuditRequest((str(store),))
    ui = made_ui(log, store=store)
    if choice:
        key = new_key()
        plan = KeyPlan(name="team", key_id=key.key_id, sha256=key.sha256, ui="operator")
        ui = replace(
            ui,
            access=KeyAccess(UiPlan(), (plan,), Sessions((plan,), SECRET, 3_600.0, lambda: 1e6), Attempts(most=10**9)),
        )
    return Client(build_app(ui))


_KEPT: list[tempfile.TemporaryDirectory] = []


def read(data: bytes) -> None:
    """A page, or one that says what is wrong; never a fault of ours, and nothing of the request in a header."""
    first, data = data[:1] or b"\0", data[1:]
    head, _, body = data.partition(b"\n\n")
    line, *lines = head.split(b"\n")
    method, _, target = line.decode("latin-1").partition(" ")
    path, _, query = target.partition("?")
    headers = {}
    for name, mark, value in (line.decode("latin-1").partition(": ") for line in lines[:20]):
        if mark and name and name.isascii() and value.isascii():
            headers[name.lower()] = value
    if not target.isascii() or "?" in unquote(path) or method not in {"GET", "HEAD", "POST"}:
        return  # no server hands such a request on, or the test's own client would take it for another
    with in_time(SECONDS):
        answer = client(first[0] % 2).ask(method, unquote(path) + (f"?{query}" if query else ""), body, headers)
    assert answer.status != 500, "a fault of ours"
    assert answer.status < 500 or answer.status == 503
    for name, value in answer.headers.items():
        assert not FORBIDDEN & set((name + value).encode("latin-1"))
    location = answer.headers.get("location", "/")
    assert location[:1] == "/", "a redirect leads to another place"
    assert location[1:2] not in {"/", "\\"}, "a redirect leads to another place"


_GUARD = b"host: localhost:8484\nsec-fetch-site: same-origin\ncontent-type: application/x-www-form-urlencoded\n\n"
SEEDS = (
    *(
        b"\x00GET " + target + b"\nhost: localhost:8484\n\n"
        for target in (
            b"/ui/", b"/ui/?as_of=2026-03-03", b"/ui/quality?tier=cheap&segment=intent%3Dbilling&zoom=1", b"/ui/decisions?tier=cheap&as_of=2026-03-02&from=20&q=x&status=ok&what=model",
            b"/ui/decisions/00000000000000000000000000000001", b"/ui/segments?sort=loss&order=up&q=bill", b"/ui/segments/compare?before=2026-03-01&after=2026-03-02&format=csv",
            b"/ui/segments/one?segment=intent%3Dbilling", b"/ui/cost?tier=cheap&format=csv", b"/ui/ledger?prices=refund%3A30", b"/ui/power?tier=cheap&effect=0.02&days=7",
            b"/ui/drift?quantity=novelty", b"/ui/actions?policy=auto&start=20", b"/ui/review?item=1", b"/ui/health", b"/ui/login?next=/ui/quality", b"/ui/static/app.css", b"/ui/read-at",
        )
    ),
    b"\x00POST /ui/review/vote\n" + _GUARD + b"csrf=token-of-the-session&item=i1&said=y&shown_at=2026-03-01T12:00:00Z&note=x",
    b"\x00POST /ui/review/hold\n" + _GUARD + b"csrf=token-of-the-session&item=i1&note=canary4711",
    b"\x00POST /ui/actions\n" + _GUARD + b"csrf=token-of-the-session&policy=auto&do=set&id=1&version=2&tier=cheap&exposure=0.5&segment=intent%3Dbilling&why=x&until=2026-04-01T00%3A00",
    b"\x01POST /ui/login\n" + _GUARD + b"key=uk_0123456789abcdef&next=%2Fui%2F",
    b"\x01GET /ui/\nhost: localhost:8484\ncookie: undertow_session=a.1.b.c; x=y\n\n",
    b"\x01POST /ui/logout\n" + _GUARD + b"csrf=x",
)  # fmt: skip
TARGET = Target("dashboard", read, SEEDS)
