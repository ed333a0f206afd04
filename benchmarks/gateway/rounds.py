"""Runs of the load against running peers: processor time in interleaved rounds, latency in turns, memory over many requests."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.figures import Cpu, Latency, Memory
from gateway.peers import Peer, role_of
from gateway.processes import memory_bytes

LOAD = Path(__file__).with_name("load.py")
PACED, WITH_DELAY = 1, 50_000
"""Seeds, see mock.py: events 1 ms apart; 50 ms before the head."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of load on one peer.

    Attributes:
        load: What it is called in the figures.
        name: Name of the peer in the figures.
        peer: The peer.
        requests: In a round.
        options: For load.py.
    """

    load: str
    name: str
    peer: Peer
    requests: int
    options: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Under which its figures stand."""
        return self.load, self.name


def run_load(*arguments: str) -> dict[str, Any]:
    """What load.py printed.

    Raises:
        RuntimeError: It failed, or an answer was lost or wrong.
    """
    done = subprocess.run([sys.executable, str(LOAD), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"load.py {' '.join(arguments)} failed: {done.stderr[-2000:]}")
    seen = json.loads(done.stdout)
    if seen["wrong"] or seen.get("lost"):
        counts = {name: seen[name] for name in ("requests", "wrong", "lost") if name in seen}
        raise RuntimeError(f"load.py {' '.join(arguments)} saw wrong or lost answers: {counts}")
    return seen


def closed_loop(peer: Peer, requests: int, options: Sequence[str] = ()) -> dict[str, Any]:
    """So many requests over 32 connections."""
    fixed = ("closed", "--port", str(peer.port), "--requests", str(requests), "--key", peer.key)
    return run_load(*fixed, *options)


def cpu_rounds(lanes: Sequence[Lane], rounds: int, say: Callable[[str], None]) -> dict[tuple[str, str], Cpu]:
    """Each round runs every lane once, after one small run of each that warms it."""
    total: dict[tuple[str, str], list[float]] = {lane.key: [] for lane in lanes}
    worker: dict[tuple[str, str], list[float]] = {lane.key: [] for lane in lanes}
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {lane.key: [] for lane in lanes}
    for lane in lanes:
        closed_loop(lane.peer, max(lane.requests // 10, 40), lane.options)
    for number in range(rounds):
        for lane in lanes:
            roles = {pid: role_of(line) for pid, line in lane.peer.running.describe().items()}
            before = lane.peer.running.cpu_s()
            seen[lane.key].append(closed_loop(lane.peer, lane.requests, lane.options))
            after = lane.peer.running.cpu_s()
            spent = {pid: (after[pid] - before.get(pid, 0.0)) / lane.requests * 1e6 for pid in after}
            total[lane.key].append(sum(spent.values()))
            only = sum(value for pid, value in spent.items() if roles.get(pid) == "worker")
            worker[lane.key].append(only if lane.peer.name == "undertow" else total[lane.key][-1])
        line = ", ".join(f"{lane.load}/{lane.name} {total[lane.key][-1]:.4g}" for lane in lanes)
        say(f"round {number + 1}: CPU us a request: {line}")
    return {
        lane.key: Cpu(
            lane.requests,
            tuple(total[lane.key]),
            tuple(worker[lane.key]),
            statistics.median(run["reads"] / run["requests"] for run in seen[lane.key]),
            statistics.median(run["requests"] / run["seconds"] for run in seen[lane.key]),
        )
        for lane in lanes
    }


def latency(targets: dict[str, Peer], direct_port: int, requests: int, first_requests: int, key: str) -> Latency:
    """Whole answers with the policy `auto`, and times to the first event with `straight`, each beside the upstream itself."""
    where = [f"direct={direct_port}", *(f"{name}={peer.port}" for name, peer in targets.items())]
    asked = [word for target in where for word in ("--target", target)]
    fixed = (*asked, "--key", key, "--seed", str(WITH_DELAY))
    whole = run_load("turns", *fixed, "--requests", str(requests))
    first = run_load("turns", *fixed, "--requests", str(first_requests), "--stream", "--model", "straight")
    return Latency(whole["times_ms"], first["first_ms"])


def memory(peer: Peer, requests: int, steps: int, count: Callable[[], int | None]) -> Memory:
    """Resident memory over so many requests, one in ten a stream; then the peer is stopped and its decisions are counted."""
    roles = {role_of(line): pid for pid, line in peer.running.describe().items()}
    began_s = peer.running.cpu_s()
    samples = []
    step = requests // steps
    for number in range(steps):
        closed_loop(peer, step - step // 10)
        closed_loop(peer, step // 10, ("--stream", "--model", "straight"))
        samples.append(((number + 1) * step, memory_bytes(roles["worker"])))
    # The keeper rotates what was written in turns of its own; give it one.
    time.sleep(3)
    keeper = roles.get("keeper", 0)
    spent_s = peer.running.cpu_s().get(keeper, 0.0) - began_s.get(keeper, 0.0)
    peak = memory_bytes(keeper, "VmHWM") if keeper else 0
    peer.running.stop()
    # wait_until_it_answers asked once before.
    return Memory(tuple(samples), peak, requests + 1, count(), spent_s / requests * 1e6)
