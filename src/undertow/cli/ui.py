"""`undertow ui`: the dashboard over a log, in the browser."""

import getpass
import os
import secrets
from pathlib import Path

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.errors import UsageError


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
    from undertow.adapters.store.watching_calls import store_roots
    from undertow.cli.ui_server import leave, log_view, run_dashboard
    from undertow.config import load_settings
    from undertow.dashboard.hosts import LOCAL_NAMES
    from undertow.dashboard.open_house import OpenHouse
    from undertow.dashboard.pages import Ui
    from undertow.gateway.listening import bind_listener, is_loopback, url_of
    from undertow.records.serving import LimitsPlan

    if not is_loopback(host):
        raise UsageError(
            f"--host {host}: without keys the dashboard listens on this machine alone; `undertow serve` has it under /ui for others"
        )
    if not Path(folder).exists():
        raise UsageError(f"{folder}: there is nothing; name the folder of a log, or of a gateway's store")
    path = settings_file(config, (folder,))
    loaded = load_settings(path, os.environ)
    settings, beside = loaded.settings, Path() if path is None else path.parent
    log = log_view(folder, settings, beside, os.environ, log_format=log_format, refresh_s=settings.ui.refresh_s)
    ui = Ui(
        log=log,
        store=next(iter(store_roots((folder,))), None),
        settings=settings,
        folder=beside,
        access=OpenHouse(getpass.getuser(), "operator", secrets.token_urlsafe(24)),
        hosts=LOCAL_NAMES,
    )
    listener = bind_listener(host, port)
    click.echo(f"the dashboard is at {url_of(listener)}/ui/  (end it with Ctrl+C)")
    run_dashboard(ui, listener, LimitsPlan())
    return leave(0)
