"""The dashboard without a network: its application is called as a server calls it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import numpy as np
import pytest

from cells_factory import behaved, binned, build, confidence, labels, model, served
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.dashboard import LogView, Reading
from undertow.config.settings import Settings
from undertow.dashboard.app import build_app
from undertow.dashboard.open_house import OpenHouse
from undertow.dashboard.pages import Ui
from unit.reports.factory import EVERY

CSRF = "token-of-the-session"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Client:
    """Calls one application."""

    app: object
    host: str = "localhost:8484"
    peer: str = "127.0.0.1"

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, b"", headers)

    def post(self, path: str, form: Mapping[str, str] | None = None, *, csrf: str = CSRF, **headers: str) -> Answer:
        """A form as a page of ours sends it."""
        body = urlencode({"csrf": csrf, **(form or {})}).encode()
        given = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded", **headers}
        return self.ask("POST", path, body, given)

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        where, _, query = path.partition("?")
        given = {"host": self.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": where,
            "raw_path": where.encode(), "query_string": query.encode(), "root_path": "", "client": (self.peer, 5000),
            "server": ("127.0.0.1", 8484), "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        sent: list[dict] = []

        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict:
            if not waiting:
                await asyncio.Event().wait()  # nothing more comes, and the caller stays
            return waiting.pop()

        async def send(message: dict) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        start = next(message for message in sent if message["type"] == "http.response.start")
        parts = [message.get("body", b"") for message in sent if message["type"] == "http.response.body"]
        return Answer(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, b"".join(parts))


HOSTILE = '<script>alert("tier")</script>'


def small_cells():
    """Ten weeks of two tiers, and of a segment with a name that is none."""
    where = f"intent={HOSTILE}"
    novelty = np.zeros((70, 40))
    novelty[:, 5:9] = 10
    return build(
        served("cheap", 60, days=70), served("capable", 40, days=70, cost=0.04),
        served("cheap", 20, days=70, segment=where), served("cheap", 8, days=70, segment="intent=billing"),
        labels("cheap", 10, 2, days=70), labels("capable", 10, 1, days=70, arm="holdout"),
        labels("cheap", 3, 1, days=70, segment="intent=billing"), labels("cheap", 2, 1, days=70, signal="thumb.helpful", selection="volunteered"),
        confidence("cheap", np.tile(np.arange(40), (70, 1))), behaved("cheap", 60, days=70, escalated=6, novelty=30),
        binned("novelty", "cheap", novelty), model("cheap", "small-2", 60, days=30, start=40), model("cheap", "small-1", 60, days=40),
    )  # fmt: skip


class FixedLog(LogView):
    """A log that was read already: reports by hand, without a file.

    Args:
        report: What its audit says, or None: nothing was read yet.
        cells: Its sufficient statistics; None: small ones, of other traffic than the report's.
    """

    def __init__(self, report=None, cells=None, reading=None) -> None:
        super().__init__(AuditRequest(("nowhere",)))
        self._reading = reading or Reading()
        if report is not None:
            self._seen = SimpleNamespace(
                report=report, cells=cells or small_cells(), at=datetime(2026, 4, 1, tzinfo=UTC)
            )
        self.asked = []

    def as_of(self, day):
        self.asked.append(day)
        return self._seen.report


def made_ui(log=None, *, store: Path | None = None, role="operator", settings=None, hosts=frozenset()) -> Ui:
    """What pages are made from; somebody with a role asks."""
    return Ui(
        log=log or FixedLog(EVERY["pareto_trap"]()), store=store, settings=settings or Settings(), folder=Path(),
        access=OpenHouse("ada", role, CSRF), hosts=hosts,
    )  # fmt: skip


@pytest.fixture
def client():
    """Makes a client: `client(ui)`, or `client(role="viewer")` over a report made by hand."""

    def made(ui: Ui | None = None, **options) -> Client:
        return Client(build_app(ui or made_ui(**options)))

    return made
