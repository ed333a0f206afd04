"""`undertow serve` as a process of its own, and callers that never rest."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

UNDERTOW = Path(sys.executable).parent / "undertow"


@dataclass
class Gateway:
    """A running gateway.

    Attributes:
        folder: Holds `undertow.toml` and the store.
        process: The supervisor.
        port: Where it listens.
        said: What it wrote to standard error, line by line.
    """

    folder: Path
    process: subprocess.Popen
    port: int = 0
    said: list[str] = field(default_factory=list)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_for(self, pattern, *, after=0, timeout_s=20.0):
        """Wait for a line from the `after`th on; its match."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for line in self.said[after:]:
                if match := re.search(pattern, line):
                    return match
            time.sleep(0.01)
        raise AssertionError(f"{pattern!r} was not said: {self.said}")

    def children(self, module):
        """Process ids of the children that run a module, oldest first."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid and module in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
        return sorted(found)

    def stop(self, timeout_s=20.0):
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def configure(self, text):
        (self.folder / "undertow.toml").write_text(text, encoding="utf-8")

    def recorded(self):
        """Every decision record in the store; segments whose Parquet is complete (`.done`) are read there."""
        decisions = self.folder / "undertow-data" / "decisions"
        rows = []
        for path in decisions.rglob("*.jsonl*"):
            if path.with_name(path.name.split(".jsonl")[0] + ".done").exists():
                continue
            rows += [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        parquet = [str(path) for path in decisions.rglob("*.parquet")]
        if parquet:
            with duckdb.connect() as engine:
                found = engine.execute(
                    "select decision_id, status, reason, policy_version from read_parquet($1, union_by_name = true)",
                    [parquet],
                ).fetchall()
            rows += [
                dict(zip(("decision_id", "status", "reason", "policy_version"), row, strict=True)) for row in found
            ]
        return rows


@contextlib.contextmanager
def gateway(folder, text, *arguments, env=None) -> Iterator[Gateway]:
    """`undertow serve` in a folder, with these settings; killed at the end if it still runs."""
    (folder / "undertow.toml").write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [UNDERTOW, "serve", "--port", "0", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, so that what outlives the supervisor can be ended with it
    )
    running = Gateway(folder, process)
    reader = threading.Thread(target=listen, args=(running,))
    reader.start()
    try:
        running.port = int(running.wait_for(r"listens on http://[^ ]*:(\d+)/")[1])
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(10)
        # A child that outlives its supervisor holds the other end of the pipe, from which the reader would go on reading.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(10)
        process.stderr.close()


def listen(running):
    for line in running.process.stderr:
        running.said.append(line.rstrip("\n"))


@dataclass
class Callers:
    """Threads that ask again and again, each on a connection that it keeps for as long as the gateway does.

    Attributes:
        failures: What went wrong, one line a request.
        ids: Decision ids of the answers.
    """

    port: int
    body: bytes
    path: str = "/v1/chat/completions"
    threads: int = 3
    failures: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self):
        self._running = [threading.Thread(target=self._ask) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self.is_over.set()
        for thread in self._running:
            thread.join(30)

    def wait_for_more(self, count, timeout_s=20.0):
        """Wait for so many more answers."""
        target, until = len(self.ids) + count, time.monotonic() + timeout_s
        while len(self.ids) < target:
            assert time.monotonic() < until, f"no more answers: {self.failures[-3:]}"
            time.sleep(0.01)

    def _ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.is_over.is_set():
            try:
                connection.request("POST", self.path, self.body, {"content-type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    self.failures.append(f"{answer.status} {content[:200]!r}")
                elif b'"stream":true' in self.body and not content.endswith(b"data: [DONE]\n\n"):
                    self.failures.append(f"cut {content[-100:]!r}")
                else:
                    self.ids.append(answer.headers["x-undertow-decision-id"])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            time.sleep(0.002)
        connection.close()
