"""The log that is shown, and `undertow ui` over it as a process of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
UNDERTOW = str(Path(sys.executable).parent / "undertow")
DAYS = 126
"""Of the simulated log: four weeks of history and fourteen of routing."""

TURN_S = 0.05
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Served:
    """A dashboard that has read its log.

    Attributes:
        address: Without the path.
        pid: Of its process.
        read_s: Seconds from the start of the process until there was something to show.
    """

    address: str
    pid: int
    read_s: float

    @property
    def peak_bytes(self) -> int | None:
        """Most memory that the process ever had, or None where the system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return None if found is None else 1024 * int(found[1])


def make_log(decisions: int, folder: Path, seed: int) -> Path:
    """A simulated support incident of about so many decisions, made unless it is there."""
    made = folder / f"dashboard-{decisions}-{seed}"
    if made.exists():
        return made
    unfinished = made.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    per_day = -(-decisions // DAYS)
    command = [UNDERTOW, "simulate", "support", "--out", str(unfinished), "--seed", str(seed), "--quiet"]
    subprocess.run([*command, "--queries-per-day", str(per_day)], check=True)
    return unfinished.rename(made)


def forget(log: Path) -> None:
    """Take away what an earlier dashboard kept of a log, so that the next one reads it."""
    shutil.rmtree(log / "state" / "dashboard", ignore_errors=True)


@contextmanager
def serving(log: Path) -> Iterator[Served]:
    """`undertow ui` once it shows the log; it is ended at the end.

    Raises:
        SystemExit: It has ended by itself, or shows nothing after ten minutes.
    """
    # Some development machines forbid byte code files, which would charge every start with compiling all that it imports.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bench" / "pycache"), "PYTHONUNBUFFERED": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [UNDERTOW, "ui", str(log), "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        said = re.search(r"(http://[^/]+)/ui/", process.stdout.readline())
        if said is None:
            raise SystemExit("undertow ui has ended before it served anything")
        while not body_of(said[1], "/ui/read-at"):
            if process.poll() is not None or time.perf_counter() - began > LONGEST_S:
                raise SystemExit(f"{log}: undertow ui shows nothing after {time.perf_counter() - began:.0f} s")
            time.sleep(TURN_S)
        yield Served(said[1], process.pid, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def body_of(address: str, path: str) -> str:
    """What the dashboard answers at a path."""
    with urllib.request.urlopen(address + path, timeout=60) as answer:  # noqa: S310 (our own server)
        return answer.read().decode()
