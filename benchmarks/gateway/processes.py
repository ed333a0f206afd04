"""Processes of the benchmark: started in a group of their own, waited for, measured as whole trees, and always ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Running:
    """A process with its children.

    Attributes:
        name: What it is called in messages.
        process: The root of the tree.
        log: File with its output.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tree(self) -> list[int]:
        """Ids of the process and all that descend from it."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (fields := stat_fields(int(entry.name))):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children.get(pid, [])
        return found

    def cpu_s(self) -> dict[int, float]:
        """Processor seconds (user and system) of each process of the tree; ended children count for who waited for them."""
        return {pid: seconds for pid in self.tree() if (seconds := spent_s(pid)) is not None}

    def describe(self) -> dict[int, str]:
        """Command line of each process of the tree."""
        result = {}
        for pid in self.tree():
            with contextlib.suppress(OSError):
                result[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return result

    def stop(self) -> None:
        """End it and its children: asked first, then by force."""
        pids = self.tree()
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            # Only what is still in the group that was started for it: an id may have been given away meanwhile.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)


def start(name: str, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> Running:
    """Start a process in a group of its own, its output going to a file."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )
    return Running(name, process, log)


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name: [0] the state, [1] the parent, [11:15] the ticks. Empty: no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def spent_s(pid: int) -> float | None:
    """Processor seconds of a process and its ended children; None: no such process.

    The scheduler tells nanoseconds, but only of threads that live; the ticks hold ended ones, too, in steps of 10 ms, rounded down.
    """
    fields = stat_fields(pid)
    if not fields:
        return None
    precise_s = 0.0
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            precise_s += int((task / "schedstat").read_text().split()[0]) / 1e9
    own, of_children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return max(own / TICKS_PER_S, precise_s) + of_children / TICKS_PER_S


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """Resident memory of a process; `VmHWM` is its peak. 0: no such process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def first_line(running: Running, timeout_s: float = 10.0) -> str:
    """First line that it wrote.

    Raises:
        RuntimeError: None came in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        text = running.log.read_text(errors="replace")
        if "\n" in text:
            return text.partition("\n")[0]
        if running.process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"{running.name} did not start: {running.log.read_text(errors='replace')[-2000:]}")
