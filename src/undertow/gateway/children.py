"""The supervisor's children: starting them, telling them, and what is known of each.

Children are started with `posix_spawn` and not with `subprocess`, because they outlive the program that started them: the
supervisor can replace itself by a new version, which then waits for the same processes (`undertow.gateway.handover`).
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from undertow.gateway.runtime import Runtime
from undertow.gateway.worker import READY, RETIRE, STOP, Orders

WORKER_COMMAND = (sys.executable, "-P", "-m", "undertow.gateway.worker")
KEEPER_COMMAND = (sys.executable, "-P", "-m", "undertow.keeper.main")
ALARM_COMMAND = (sys.executable, "-P", "-m", "undertow.keeper.alarm")
"""`-P`: a folder named undertow where the gateway was started must not stand in for the package."""

WorkerState = Literal["starting", "ready", "leaving"]


@dataclass(slots=True)
class WorkerProcess:
    """One worker.

    Attributes:
        pid: Its process.
        number: Its number, free again when it is dead.
        generation: Which plan it serves.
        control: Our end of the socket pair.
        state: Whether it accepts yet, or no longer.
        started_at: Monotonic seconds.
    """

    pid: int
    number: int
    generation: int
    control: socket.socket
    state: WorkerState
    started_at: float

    def hear(self) -> bool:
        """Take what it says; False: it has closed its end, and is dead or about to be."""
        try:
            said = self.control.recv(64)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if READY in said and self.state == "starting":
            self.state = "ready"
        return bool(said)

    def retire(self) -> None:
        """Have it leave once nobody needs it."""
        self._tell(RETIRE)

    def stop(self) -> None:
        """Have it finish what is under way and end."""
        self._tell(STOP)

    def kill(self) -> None:
        """End it now."""
        kill(self.pid, signal.SIGKILL)

    def _tell(self, order: bytes) -> None:
        self.state = "leaving"
        with contextlib.suppress(OSError):  # it is dead; that is noticed elsewhere
            self.control.send(order)


def start_worker(
    runtime: Runtime,
    *,
    listen_fd: int,
    drain_timeout_s: float,
    now: float,
    command: Sequence[str] = WORKER_COMMAND,
) -> WorkerProcess:
    """Start a worker. It is ready when it says so.

    Args:
        runtime: Its place.
        listen_fd: The listening socket; inheritable.
        drain_timeout_s: Seconds that its requests may take when the gateway ends.
        now: Monotonic seconds.
        command: Program and arguments before the orders.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        theirs.set_inheritable(True)
        orders = Orders(
            listen_fd=listen_fd, control_fd=theirs.fileno(), drain_timeout_s=drain_timeout_s, runtime=runtime
        )
        pid = spawn([*command, msgspec.json.encode(orders).decode()], os.environ)
    return WorkerProcess(pid, runtime.worker_number, runtime.generation, ours, "starting", now)


def start_keeper(plan_file: str, runtime_dir: str, command: Sequence[str] = KEEPER_COMMAND) -> int:
    """Start a keeper; its process id."""
    own_pid = str(os.getpid())
    arguments = ("--plan-file", plan_file, "--runtime-dir", runtime_dir, "--supervisor", own_pid)
    return spawn([*command, *arguments], os.environ)


def spawn(command: Sequence[str], env: Mapping[str, str], *, stdin: int | None = None, is_quiet: bool = False) -> int:
    """Start a process in a group of its own, so that Ctrl-C reaches the supervisor alone.

    Args:
        command: Program and arguments.
        env: Its environment.
        stdin: What it reads; None: nothing.
        is_quiet: Its standard output goes nowhere.

    Returns:
        Its process id.

    Raises:
        OSError: It cannot be started.
    """
    reads = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0) if stdin is None else (os.POSIX_SPAWN_DUP2, stdin, 0)
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)] if is_quiet else []
    return os.posix_spawn(
        command[0],
        list(command),
        env,
        file_actions=[reads, *quiet],
        setpgroup=0,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD],
    )


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child that may be dead already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def reap() -> list[tuple[int, int]]:
    """Children that have ended: process id and exit status, negative for the signal that killed it."""
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def how_it_ended(status: int) -> str:
    """An exit status in words.

    Examples:
        >>> how_it_ended(-9), how_it_ended(1)
        ('killed by SIGKILL', 'exit status 1')
    """
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
