"""A dashboard that runs, and pages of it in a real Chromium that fail a test by whatever they complain of."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conftest import PROJECT, require
from undertow.dashboard.app import ROUTES, build_app
from undertow.dashboard.pages import PREFIX, VIEWS, Ui, View
from undertow.gateway.listening import bind_listener
from undertow.gateway.server import Server
from undertow.records.serving import LimitsPlan

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TOLD_OF_ABORT = ("htmx:sendAbort", "htmx:afterRequest, ")
"""htmx says so of each request that a newer one has overtaken."""
UNDERTOW = [sys.executable, "-m", "undertow.cli.main"]
BUILT: tuple[View, ...] = tuple(
    view for view in VIEWS if view.path in {f"{PREFIX}{getattr(route, 'path', '')}" for route in ROUTES}
)
"""Entries of the navigation that have a page."""


@contextlib.contextmanager
def dashboard(folder: Path) -> Iterator[str]:
    """`undertow ui` over a folder as a process of its own; gives the address."""
    process = subprocess.Popen(
        [*UNDERTOW, "ui", str(folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=PROJECT,
    )  # fmt: skip
    try:
        yield re.search(r"(http://[^/]+)/ui/", process.stdout.readline())[1]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # a page of an earlier day is still being made, on a machine that is busy
            process.kill()
            process.wait(10)
        process.stdout.close()


class _Application:
    """A dashboard as the gateway's server runs it."""

    def __init__(self, ui: Ui) -> None:
        self._app = build_app(ui)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def record_refused(self, status: int, why: str) -> str | None:
        del status, why
        return None


@contextlib.contextmanager
def served(ui: Ui) -> Iterator[str]:
    """A dashboard in a thread of this process, for a log that was made by hand or is looked at more often; gives the address."""
    listener = bind_listener("127.0.0.1", 0)
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    begun = threading.Event()

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        server = Server(_Application(ui), LimitsPlan())
        server.start(listener)
        begun.set()
        await stop.wait()
        await server.drain(in_flight_s=5.0, idle_s=0.0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert begun.wait(30)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """The browser."""
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@contextlib.contextmanager
def pages(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages of a dashboard, each in a profile of its own.

    At the end it fails if a page complained (an error of a script, something that the policy forbids), opened a dialog, or asked for
    anything of another host.
    """
    contexts, complaints = [], []

    def page(address: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(90_000)  # an earlier day is audited anew, which takes long on a busy machine
        contexts.append(context)
        made = context.new_page()
        made.on("console", lambda message: None if message.text.startswith(TOLD_OF_ABORT) else complaints.append(f"{made.url}: {message.text}"))  # fmt: skip
        made.on("pageerror", lambda error: complaints.append(f"{made.url}: {error}"))
        made.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        made.on("request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else complaints.append(asked.url))  # fmt: skip
        return made

    yield page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def full(page: Any, address: str, path: str = "/ui/") -> Any:
    """The page once the log was read."""
    until = time.monotonic() + 90
    page.goto(address + path)
    while page.locator(".waiting").count():
        assert time.monotonic() < until
        page.wait_for_timeout(300)
    return page


def overflow(page: Any) -> int:
    """Pixels by which a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
