"""`undertow ui`: the dashboard over a log, in the browser."""

import asyncio
import contextlib
import getpass
import os
import secrets
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import id_key, settings_file
from undertow.cli.command import Command
from undertow.errors import UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from undertow.dashboard.pages import Ui

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@click.command(
    "ui",
    cls=Command,
    examples="""
    undertow ui undertow-data/
    undertow ui litellm-logs/ --port 9000
    """,
)
@click.argument("folder", metavar="DIR", default="undertow-data")
@click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in DIR or here.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; of this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=8484, show_default=True, help="Port; 0: any free one.")
@click.option(
    "--format", "log_format", default="auto", show_default=True, help="Format of the log, as for `undertow audit`."
)
def command(folder: str, config: str | None, host: str, port: int, log_format: str) -> int:
    """Show a log in the browser: verdict, quality, money, segments, reviews and actions.

    Whoever reaches the address may see and do everything, so it listens on this machine alone. For others `undertow serve` has the
    dashboard under /ui, behind keys.
    """
    from undertow.config import load_settings
    from undertow.gateway.listening import bind_listener, is_loopback

    if not is_loopback(host):
        raise UsageError(
            f"--host {host}: without keys the dashboard listens on this machine alone; `undertow serve` has it under /ui for others"
        )
    if not Path(folder).exists():
        raise UsageError(f"{folder}: there is nothing; name the folder of a log, or of a gateway's store")
    settings_path = settings_file(config, (folder,))
    settings = load_settings(settings_path, os.environ).settings
    listener = bind_listener(host, port)
    ui = _ui(folder, log_format, settings, settings_path)
    where, bound = listener.getsockname()[:2]
    click.echo(
        f"the dashboard is at http://{f'[{where}]' if ':' in where else where}:{bound}/ui/  (end it with Ctrl+C)"
    )
    from undertow.bootstrap.reviewing import open_desk, review_rules
    from undertow.dashboard.app import build_app

    key = id_key(settings, os.environ)
    with contextlib.ExitStack() as opened:
        if ui.store is not None:
            desk, _ = opened.enter_context(open_desk(ui.store, review_rules(settings), id_key=key))
            ui = replace(ui, desk=desk)
        ui.log.start()
        opened.callback(ui.log.stop)
        asyncio.run(_serve(build_app(ui), listener))
    return 0


def _ui(folder: str, log_format: str, settings: object, settings_path: Path | None) -> "Ui":
    from undertow.adapters.store.watching_calls import store_roots
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.dashboard import LogView
    from undertow.config.settings import Settings
    from undertow.dashboard.open_house import OpenHouse
    from undertow.dashboard.pages import Ui

    assert isinstance(settings, Settings)
    request = AuditRequest(
        (folder,), format=log_format, settings=settings, id_key=id_key(settings, os.environ), now=datetime.now(UTC)
    )
    return Ui(
        log=LogView(request),
        store=next(iter(store_roots((folder,))), None),
        settings=settings,
        folder=Path() if settings_path is None else settings_path.parent,
        access=OpenHouse(getpass.getuser(), "operator", secrets.token_urlsafe(24)),
        hosts=LOCAL_NAMES,
    )


class _Application:
    """The dashboard as the server of the gateway runs it.

    Args:
        app: The dashboard.
    """

    def __init__(self, app: "Starlette") -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:  # noqa: ANN001 (ASGI)
        await self._app(scope, receive, send)

    def record_refused(self, status: int, why: str) -> str | None:
        """A request that broke the protocol leaves nothing."""
        del status, why
        return None


async def _serve(app: "Starlette", listener) -> None:  # noqa: ANN001
    from undertow.gateway.server import Server
    from undertow.records.serving import LimitsPlan

    server = Server(_Application(app), LimitsPlan())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    server.start(listener)
    await stop.wait()
    await server.drain(in_flight_s=5.0, idle_s=0.0)
