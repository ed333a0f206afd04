"""What a supervisor tells the newer version of itself that takes its place: the listening socket and its children.

On SIGUSR2 the supervisor runs its own command line anew in the same process (`execve`), so its children stay its children and
the listening socket stays open; only then are the workers replaced. A version that cannot start would end the process and with
it the gateway, so it first has to show in a process of its own that it can read the settings (`rehearse`).
"""

import os
import signal
import subprocess
import sys
from typing import NoReturn

import msgspec

from undertow.gateway.sidecars import HandedSidecars

HANDOVER = "UNDERTOW_SERVE_HANDOVER"
"""Environment variable with the `Handover`."""
REHEARSAL = "UNDERTOW_SERVE_REHEARSAL"
"""Environment variable that has `undertow serve` end before it listens."""
REHEARSAL_S = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)


class HandedWorker(msgspec.Struct, frozen=True, kw_only=True):
    """One worker; fields as in `undertow.gateway.children.WorkerProcess`."""

    pid: int
    number: int
    generation: int
    control_fd: int
    state: str


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """All that the next supervisor has to know.

    Attributes:
        listen_fd: The listening socket.
        runtime_dir: The runtime folder.
        generation: Plan that is served now.
        workers: The workers.
        keeper_pid: The keeper, or None.
        keeper_restarts: As in `undertow.gateway.runtime.Supervision`.
        worker_deaths: As there.
        reloads_refused: As there.
        sidecars: The sidecars; None: from a version that knew none.
        dashboard_pid: The dashboard, or None.
    """

    listen_fd: int
    runtime_dir: str
    generation: int
    workers: tuple[HandedWorker, ...]
    keeper_pid: int | None
    keeper_restarts: int = 0
    worker_deaths: int = 0
    reloads_refused: int = 0
    sidecars: HandedSidecars | None = None
    dashboard_pid: int | None = None


def take_handover() -> Handover | None:
    """What the supervisor before this one left, or None; children do not see it."""
    document = os.environ.pop(HANDOVER, None)
    return None if document is None else msgspec.json.decode(document, type=Handover)


def take_rehearsal() -> bool:
    """Whether this process is only to show that it could start. The settings do not see the variable."""
    return os.environ.pop(REHEARSAL, None) is not None


def own_command() -> list[str]:
    """The command line that this process was started with."""
    return [sys.executable, *sys.orig_argv[1:]]


def rehearse(command: list[str]) -> str | None:
    """Run a command line up to the point where it would listen.

    Returns:
        None if it could start; else the last line that it said.
    """
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command,
            env={**os.environ, REHEARSAL: "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=REHEARSAL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


def become(command: list[str], handover: Handover) -> NoReturn:
    """Replace the program of this process. Signals that arrive meanwhile wait until the new one can take them.

    Raises:
        OSError: It cannot be run; this process goes on.
    """
    own = [worker.control_fd for worker in handover.workers]
    if handover.sidecars is not None:
        own += handover.sidecars.lifeline
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for descriptor in (handover.listen_fd, *own):
            os.set_inheritable(descriptor, True)
        env = {**os.environ, HANDOVER: msgspec.json.encode(handover).decode()}
        os.execve(command[0], command, env)  # noqa: S606 (no shell is wanted)
    finally:
        # Only reached if it failed.
        for descriptor in own:
            os.set_inheritable(descriptor, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
