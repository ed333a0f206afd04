"""Runs the dashboard: with its reading of the log and its desk, on a listening socket, until a signal ends it."""

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.cli.audit import id_key
from undertow.errors import UndertowError

if TYPE_CHECKING:
    from undertow.bootstrap.dashboard import LogView
    from undertow.config.settings import Settings
    from undertow.dashboard.pages import Ui
    from undertow.records.serving import LimitsPlan

log = logging.getLogger("undertow.dashboard")

LAST_REQUESTS_S = 1.0
"""Seconds that requests in hand may take when it ends."""
ORPHAN_LOOK_S = 1.0


class Application:
    """The dashboard as the server of the gateway runs it.

    Args:
        app: The dashboard, an ASGI application.
        is_behind_workers: Whoever connects is a worker, which tells who asked it.
    """

    def __init__(self, app: Any, *, is_behind_workers: bool = False) -> None:
        self._app = app
        self._is_behind_workers = is_behind_workers

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._app(as_asked(scope) if self._is_behind_workers else scope, receive, send)

    def record_refused(self, status: int, why: str) -> str | None:
        """A request that broke the protocol leaves nothing."""
        del status, why
        return None


def as_asked(scope: dict[str, Any]) -> dict[str, Any]:
    """A request as the worker got it: from the address that the worker tells, which no page gets to see."""
    from undertow.records.runtime_files import UI_PEER_HEADER

    told = UI_PEER_HEADER.encode()
    peers = [value.decode("latin-1") for name, value in scope["headers"] if name == told]
    headers = [(name, value) for name, value in scope["headers"] if name != told]
    client = (peers[0], 0) if len(peers) == 1 and peers[0] else None
    return {**scope, "headers": headers, "client": client}


def log_view(
    folder: str,
    settings: "Settings",
    settings_folder: Path,
    env: Mapping[str, str],
    *,
    log_format: str,
    refresh_s: float,
) -> "LogView":
    """The log of the dashboard, weighed as `undertow audit` weighs it.

    Args:
        folder: The log.
        settings: All settings.
        settings_folder: Where relative paths in them start.
        env: Environment with the key of the store's ids.
        log_format: Format of the log.
        refresh_s: Seconds between two looks whether it has changed.

    Raises:
        ConfigError: A calibration that the settings name cannot be read.
    """
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.calibration_files import trained_scores, with_certified_margin
    from undertow.bootstrap.dashboard import LogView

    request = AuditRequest(
        (folder,), format=log_format, settings=with_certified_margin(settings, settings_folder), id_key=id_key(settings, env),
        trained=trained_scores(settings, settings_folder), now=datetime.now(UTC),
    )  # fmt: skip
    return LogView(request, refresh_s=refresh_s)


def run_dashboard(
    ui: "Ui",
    listener: socket.socket,
    limits: "LimitsPlan",
    *,
    is_behind_workers: bool = False,
    parent: int | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the dashboard until SIGTERM or SIGINT. Pages that are still being made then are given up: see `leave`.

    Args:
        ui: What pages are made from; its log is not being read yet.
        listener: Where to listen.
        limits: Of requests.
        is_behind_workers: See `Application`.
        parent: Process without which it ends, too; None: it stands alone.
        ready: Called once it listens.
    """
    from undertow.bootstrap.reviewing import open_desk, review_rules
    from undertow.dashboard.app import build_app
    from undertow.dashboard.views.ledger import stop_book

    with contextlib.ExitStack() as opened:
        if ui.store is not None:
            key = id_key(ui.settings, os.environ)
            desk, _ = opened.enter_context(open_desk(ui.store, review_rules(ui.settings), id_key=key))
            ui = replace(ui, desk=desk)
            opened.callback(close_desk, ui)
        app = build_app(ui)
        ui.log.start()
        opened.callback(ui.log.stop)
        opened.callback(stop_book, app)
        application = Application(app, is_behind_workers=is_behind_workers)
        asyncio.run(_serve(application, listener, limits, parent, ready))


def close_desk(ui: "Ui") -> None:
    """Give the desk what was judged: where one person alone had the dashboard, his session is over with it.

    Signals that cannot be written now are written by whoever opens the desk next; the verdicts themselves are kept already.
    """
    from undertow.dashboard.open_house import OpenHouse

    if ui.desk is None:
        return
    try:
        with ui.desk_lock:
            if isinstance(ui.access, OpenHouse):
                ui.desk.leave(ui.access.name)
            else:
                ui.desk.publish()
    except (UndertowError, OSError) as error:
        log.warning("reviews_not_published", extra={"fields": {"why": type(error).__name__}})


def leave(status: int) -> int:
    """End the process where pages or a reading are still being made: nobody waits for them, and all that is kept was closed.

    The interpreter would wait for the threads that make pages, and break off others inside the engine, which crashes it.

    Args:
        status: Exit status.

    Returns:
        The status, where nothing is being made: then the process may end as any other.
    """
    if threading.active_count() > 1:
        atexit._run_exitfuncs()  # noqa: SLF001 (temporary folders go, and what was logged is written)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


async def _serve(
    application: Application,
    listener: socket.socket,
    limits: "LimitsPlan",
    parent: int | None,
    ready: Callable[[], None],
) -> None:
    from undertow.gateway.server import Server

    server = Server(application, limits)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    waiting = None if parent is None else asyncio.create_task(_until_orphaned(stop, parent))
    server.start(listener)
    ready()
    await stop.wait()
    if waiting is not None:
        waiting.cancel()
    await server.drain(in_flight_s=LAST_REQUESTS_S, idle_s=0.0)


async def _until_orphaned(stop: asyncio.Event, parent: int) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 (the kernel tells only those who ask)
        await asyncio.sleep(ORPHAN_LOOK_S)
    stop.set()
