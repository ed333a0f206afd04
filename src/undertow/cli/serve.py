"""`undertow serve`: the gateway."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow import __version__
from undertow.cli.command import Command
from undertow.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from undertow.gateway.host import Compiled
    from undertow.records.serving import ServingPlan

MAX_FOLDER = 80
"""Longest name of a runtime folder: the name of a Unix socket in it may have 107 bytes, on macOS 103."""
MAX_OPEN_FILES = 65_536


@click.command(
    "serve",
    cls=Command,
    examples="""
    undertow serve
    undertow serve --config prod.toml --port 8080 --workers 2
    kill -HUP PID        # read the settings anew, without a dropped request
    kill -USR2 PID       # the same with a new version of Undertow
    """,
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file [./undertow.toml if it is there].",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4040, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0: any free one.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="Processes that serve [gateway.workers].")
@click.option(
    "--allow-public-without-keys",
    is_flag=True,
    help="Listen on an address that others reach although there is no gateway key.",
)
def command(file: Path | None, host: str, port: int, workers: int | None, allow_public_without_keys: bool) -> int:
    """Serve the OpenAI API, routing each request to the cheapest tier that will do, and log every decision.

    SIGHUP reads the settings anew, SIGUSR2 starts a newly installed version, both without a dropped request; SIGTERM and
    Ctrl-C finish what is under way. Exit status: 0 stopped, 1 the workers did not start, 2 wrong settings or address.
    """
    if os.name != "posix":
        raise UsageError("`undertow serve` needs Linux or macOS; use `undertow.Client` in your own process here")
    from datetime import UTC, datetime

    from undertow.bootstrap.rollout_start import rollout_problems
    from undertow.bootstrap.versions import Pins, keep_versions
    from undertow.gateway import handover as handing
    from undertow.gateway.host import Host
    from undertow.gateway.listening import bind_listener, url_of
    from undertow.gateway.supervisor import Supervisor
    from undertow.records.moment import rfc3339

    def compile_settings() -> "Compiled":
        return _compile(file, host, workers, is_public_allowed=allow_public_without_keys)

    is_rehearsal = handing.take_rehearsal()
    handed = handing.take_handover()
    compiled = compile_settings() if handed is None else _compile_or_go_on(compile_settings, handed)
    if is_rehearsal:
        return 0
    if handed is None:
        listener = bind_listener(host, port)
        folder = _make_runtime_folder()
    else:
        import socket

        listener = socket.socket(fileno=handed.listen_fd)
        folder = handed.runtime_dir
    _raise_open_files()
    url = url_of(listener)
    supervisor = Supervisor(
        Host(
            compile=compile_settings,
            say=_say,
            on_ready=lambda: _greet(url, compiled),
            command=handing.own_command(),
            dashboard_command=_dashboard_command(file),
            pinned=Pins(os.environ).pinned,
            begin=rollout_problems,
            keep=lambda plan: keep_versions(plan, rfc3339(datetime.now(UTC))),
        ),
        listener,
        folder,
        compiled,
        handed,
    )
    return supervisor.run()


def _compile(file: Path | None, host: str, workers: int | None, *, is_public_allowed: bool) -> "Compiled":
    """The settings as they are now.

    Raises:
        ConfigError: They are wrong, or name environment variables that are not set.
        UsageError: The address could be reached by others without a key.
    """
    from datetime import UTC, datetime

    from msgspec.structs import replace

    from undertow.bootstrap.plan import compile_plan
    from undertow.bootstrap.plan_file import alert_variables, plan_variables
    from undertow.config import find_file, load_settings
    from undertow.gateway.host import Compiled
    from undertow.gateway.listening import check_exposure

    loaded = load_settings(find_file(file, Path.cwd()), os.environ)
    plan = compile_plan(loaded.settings, loaded.folder, datetime.now(UTC).date(), loaded.located)
    needed = dict.fromkeys((*plan_variables(plan), *alert_variables(plan.alerts)))
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            "\n".join(f"environment variable {name} is not set, and the settings name it for a key" for name in missing)
        )
    gateway = loaded.settings.gateway
    check_exposure(host, has_keys=bool(plan.keys), is_allowed=is_public_allowed or gateway.allow_public_without_keys)
    if is_public_allowed:  # something stands before the gateway, from which everybody comes as from this machine
        plan = replace(plan, ui=replace(plan.ui, is_open_here=False))
    return Compiled(plan, workers or gateway.workers, gateway.drain_timeout_s)


def _compile_or_go_on(compile_settings: "Callable[[], Compiled]", handed: object) -> "Compiled":
    """The settings, for a version that took over: if they cannot be read, those that are served already."""
    from undertow.gateway.handover import Handover
    from undertow.gateway.host import Compiled
    from undertow.records.serving import decode_plan

    assert isinstance(handed, Handover)
    try:
        return compile_settings()
    except Exception as error:  # noqa: BLE001 (to fail here would end the gateway)
        _say(f"the settings cannot be read ({type(error).__name__}); what is served goes on")
        plan = decode_plan(Path(handed.runtime_dir, f"plan-{handed.generation}.json").read_bytes())
        return Compiled(plan, max(1, sum(worker.state == "ready" for worker in handed.workers)))


def _dashboard_command(file: Path | None) -> tuple[str, ...]:
    """What starts the dashboard. It reads the settings file, too: pages say more of it than a plan has."""
    command = (sys.executable, "-P", "-m", "undertow.cli.ui_process")
    return command if file is None else (*command, "--config", str(file))


def _make_runtime_folder() -> str:
    folder = tempfile.mkdtemp(prefix="undertow-")
    if len(folder) <= MAX_FOLDER:
        return folder
    Path(folder).rmdir()
    return tempfile.mkdtemp(prefix="undertow-", dir="/tmp")


def _raise_open_files() -> None:
    """Each connection is an open file; many systems grant 1,024 unless asked for more."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(line: str) -> None:
    """One line for the operator. Nobody may be there to read it any more."""
    try:
        sys.stderr.write(f"undertow: {line}\n")
        sys.stderr.flush()
    except OSError:
        return


def _greet(url: str, compiled: "Compiled") -> None:
    plan = compiled.plan
    count = compiled.workers
    for line in (
        f"{__version__} listens on {url}/v1 ({count} worker{'s' if count > 1 else ''}, pid {os.getpid()})",
        f"tiers, cheapest first: {', '.join(f'{tier.name} ({tier.model})' for tier in plan.tiers)}",
        *(_policy_line(plan, index) for index in range(len(plan.policies))),
        f"gateway keys: {', '.join(key.name for key in plan.keys) or 'none, callers need no key'}",
        *_dashboard_lines(plan, url),
        f"decisions: {plan.store.path}; read them with `undertow audit {plan.store.path}`",
    ):
        _say(line)


def _dashboard_lines(plan: "ServingPlan", url: str) -> tuple[str, ...]:
    """Where the dashboard is, and for whom."""
    if not plan.ui.enabled:
        return ()
    keys = [f"{key.name} ({key.ui})" for key in plan.keys if key.ui is not None]
    who = [f"keys {', '.join(keys)}"] if keys else []
    if plan.ui.user_header is not None:
        who.append("users whom a proxy names")
    if plan.ui.is_open_here:
        who.append("this machine alone")
    nobody = 'nobody yet; say ui = "viewer" (or reviewer, operator) in a key\'s section'
    return (f"dashboard: {url}/ui/, for {' and '.join(who) or nobody}",)


def _policy_line(plan: "ServingPlan", index: int) -> str:
    policy = plan.policies[index]
    what = {
        "cascade": f"cascade, threshold {policy.threshold:g}",
        "classifier": f"classifier, {policy.method}",
        "fixed": f"fixed, tier {policy.tier}",
        "split": "split, " + ", ".join(f"{tier} {share:g}" for tier, share in policy.shares.items()),
    }[policy.kind]
    note = "" if policy.mode == "route" else f", mode {policy.mode}: callers get what they asked for"
    holdout = f"; {plan.holdout.share:.0%} holdout by {plan.holdout.unit}" if index == 0 else ""
    return f"policy {policy.name}: {what}{note} (version {policy.version}){holdout}"
