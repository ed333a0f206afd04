"""The dashboard's process of a gateway: `python -m undertow.cli.ui_process --plan-file PLAN --runtime-dir FOLDER`, started by the supervisor.

It listens on a Unix socket in the runtime folder, where the gateway's workers alone reach it. It may be killed and started again at any
moment: logins are signed by a secret in that folder, and what was read of the log is kept in the store. Who may open it is what the plan
says; the settings file only adds what pages tell of it, and if it cannot be read the plan has to do.
"""

import argparse
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.errors import ConfigError
from undertow.records.runtime_files import UI_SOCKET

if TYPE_CHECKING:
    from undertow.config.settings import Settings
    from undertow.dashboard.pages import Ui
    from undertow.records.serving import ServingPlan

log = logging.getLogger("undertow.dashboard")

NICENESS = 5
"""Requests that are served come before pages that are looked at."""
BACKLOG = 64
HOUR_S = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Run the dashboard; the exit status: 0 it was told to stop, 1 it cannot start."""
    from undertow.adapters.telemetry.json_logs import configure_logging, fields
    from undertow.cli.ui_server import run_dashboard
    from undertow.records.serving import decode_plan

    parser = argparse.ArgumentParser(prog="python -m undertow.cli.ui_process", description="Undertow's dashboard.")
    parser.add_argument("--plan-file", type=Path, required=True, help="compiled serving plan")
    parser.add_argument("--runtime-dir", type=Path, required=True, help="folder of this gateway's sockets")
    parser.add_argument("--supervisor", type=int, help="process id of the supervisor, without which the dashboard ends")
    parser.add_argument("--config", type=Path, help="settings file [./undertow.toml if it is there]")
    given = parser.parse_args(arguments)
    configure_logging()
    try:
        plan = decode_plan(given.plan_file.read_bytes())
        configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
        os.nice(NICENESS)
        settings, folder = _settings(given.config, plan, os.environ)
        ui = gateway_ui(plan, settings, folder, given.runtime_dir, os.environ)
        listener = bind(given.runtime_dir / UI_SOCKET)
        run_dashboard(
            ui,
            listener,
            plan.limits,
            is_behind_workers=True,
            parent=given.supervisor,
            ready=lambda: log.info("dashboard_started", extra=fields(pid=os.getpid())),
        )
    except (ConfigError, OSError):
        log.exception("dashboard_cannot_start")
        return 1
    log.info("dashboard_stopped", extra=fields(pid=os.getpid()))
    return 0


def gateway_ui(
    plan: "ServingPlan", settings: "Settings", folder: Path, runtime_dir: Path, env: Mapping[str, str]
) -> "Ui":
    """What the pages of a gateway are made from, and who may open them.

    Args:
        plan: What is served.
        settings: All settings.
        folder: Where relative paths in them start.
        runtime_dir: Folder of this run of the gateway.
        env: Environment with the key of the store's ids.

    Raises:
        ConfigError: A calibration that the settings name cannot be read.
        OSError: The secret of the logins can be neither read nor written.
    """
    from undertow.cli.ui_server import log_view
    from undertow.dashboard.attempts import Attempts
    from undertow.dashboard.hosts import LOCAL_NAMES
    from undertow.dashboard.key_access import KeyAccess
    from undertow.dashboard.pages import Ui
    from undertow.dashboard.sessions import open_sessions

    sessions = open_sessions(plan.keys, plan.ui.session_hours * HOUR_S, runtime_dir, time.time)
    store = Path(plan.store.path)
    (store / "decisions").mkdir(parents=True, exist_ok=True)  # a store of which nothing was served yet
    return Ui(
        log=log_view(str(store), settings, folder, env, log_format="undertow", refresh_s=plan.ui.refresh_s),
        store=store,
        settings=settings,
        folder=folder,
        access=KeyAccess(plan.ui, plan.keys, sessions, Attempts()),
        hosts=LOCAL_NAMES | {name.lower().rstrip(".") for name in plan.ui.public_hosts},
        takes_addresses=True,
    )


def bind(path: Path) -> socket.socket:
    """Listen on a Unix socket, in the place of one that a process before this one left. It is there only once it can be connected to.

    Raises:
        OSError: It cannot be bound.
    """
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(half))
        half.chmod(0o600)
        listener.listen(BACKLOG)
        half.replace(path)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _settings(given: Path | None, plan: "ServingPlan", env: Mapping[str, str]) -> "tuple[Settings, Path]":
    """The settings as they are now; where they cannot be read, what the plan has of them."""
    from undertow.bootstrap.tuning import audit_settings_of
    from undertow.config import find_file, load_settings

    try:
        loaded = load_settings(find_file(given, Path.cwd()), env)
    except ConfigError as error:
        log.warning("settings_unreadable", extra={"fields": {"why": str(error).splitlines()[0]}})
        return audit_settings_of(plan.tuning, tuple(tier.name for tier in plan.tiers)), Path.cwd()
    return loaded.settings, loaded.folder


if __name__ == "__main__":
    from undertow.cli.ui_server import leave

    sys.exit(leave(main()))
