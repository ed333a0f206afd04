"""The gateway beside nginx and a LiteLLM proxy: processor time, latency, memory, the log, imports. Medians of interleaved runs.

    python benchmarks/bench_gateway.py [--quick] [--only cpu,latency,memory,log,imports]

Every peer stands before the same mock upstream on this machine and takes the same requests. Undertow runs with the whole path
on: key, limits of the key, constraints, policy, confidence, log on disk, metrics; what counts is its whole tree of processes.
Needs Linux (/proc), openssl and nginx; a LiteLLM proxy and httpx are installed into build/bench-peers/ the first time.
Writes build/bench/gateway.json.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway import figures, imports, peers, rounds
from gateway.peers import Peer

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "build" / "bench" / "gateway.json"
PARTS = ("cpu", "latency", "memory", "log", "imports")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything is done."""

    rounds: int
    nginx: int
    undertow: int
    litellm: int
    nginx_streams: int
    undertow_streams: int
    litellm_streams: int
    latency: int
    first: int
    memory: int
    kills: int
    imports: int


FULL = Sizes(5, 100_000, 20_000, 400, 3_000, 3_000, 100, 1_000, 500, 100_000, 50, 21)
QUICK = Sizes(3, 10_000, 2_000, 32, 320, 320, 32, 40, 25, 4_000, 2, 3)


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def try_to_start(
    stack: contextlib.ExitStack, name: str, start: Callable[[], Peer], found: figures.Measured
) -> Peer | None:
    """The running peer, stopped at the end; None with a note where it does not run."""
    try:
        peer = start()
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        found.notes[name] = " ".join(str(error).split())[:600]
        say(f"{name} is not measured: {found.notes[name]}")
        return None
    stack.callback(peer.running.stop)
    found.versions[peer.name] = peer.version
    return peer


def measure_serving(parts: set[str], sizes: Sizes, *, quick: bool, found: figures.Measured) -> None:
    """Everything that needs running peers."""
    with contextlib.ExitStack() as stack:
        mock, upstream = peers.start_mock()
        stack.callback(mock.stop)
        tls_mock, tls_upstream = peers.start_mock(tls=True)
        stack.callback(tls_mock.stop)

        def started(name: str, start: Callable[[], Peer]) -> Peer | None:
            return try_to_start(stack, name, start, found)

        undertow = started("undertow", lambda: peers.start_undertow(upstream))
        nginx = started("nginx", lambda: peers.start_nginx(upstream, stream=False))
        if "cpu" in parts:
            nginx_streams = started("nginx", lambda: peers.start_nginx(upstream, stream=True))
            nginx_tls = started("nginx", lambda: peers.start_nginx(tls_upstream, stream=False, tls=True))
            undertow_tls = (
                started("undertow", lambda: peers.start_undertow(tls_upstream, tls=True)) if undertow else None
            )
            litellm = None
            if quick and not peers.litellm_is_installed():
                found.notes["litellm"] = "not installed; a run without QUICK=1 installs it"
            else:
                litellm = started("litellm", lambda: peers.start_litellm(upstream))
            stream, paced = "--stream", ("--seed", str(rounds.PACED))
            straight = ("--model", "straight")
            planned = (
                ("whole", "nginx", nginx, sizes.nginx, ()),
                ("whole", "undertow", undertow, sizes.undertow, ()),
                ("whole", "litellm", litellm, sizes.litellm, ()),
                ("stream", "nginx", nginx_streams, sizes.nginx_streams, (stream, *paced)),
                ("stream", "undertow", undertow, sizes.undertow_streams, (stream, *paced, *straight)),
                ("stream", "undertow_hold", undertow, sizes.undertow_streams, (stream, *paced)),
                ("stream", "litellm", litellm, sizes.litellm_streams, (stream, *paced)),
                ("stream_unpaced", "nginx", nginx_streams, sizes.nginx_streams, (stream,)),
                ("stream_unpaced", "undertow", undertow, sizes.undertow_streams, (stream, *straight)),
                ("whole_tls", "nginx", nginx_tls, sizes.nginx, ()),
                ("whole_tls", "undertow", undertow_tls, sizes.undertow, ()),
            )
            lanes = [rounds.Lane(load, name, peer, n, options) for load, name, peer, n, options in planned if peer]
            found.cpu = rounds.cpu_rounds(lanes, sizes.rounds, say)
        if "latency" in parts and undertow:
            targets = {"undertow": undertow} | ({"nginx": nginx} if nginx else {})
            say(f"latency: {sizes.latency} and {sizes.first} requests in turn to {', '.join(['direct', *targets])}")
            found.latency = rounds.latency(targets, upstream, sizes.latency, sizes.first, undertow.key)
        if "memory" in parts and undertow:
            fresh = started("memory", lambda: peers.start_undertow(upstream))
            if fresh:
                say(f"memory: {sizes.memory:,} requests to a fresh gateway")
                store = peers.store_of(fresh)
                found.memory = rounds.memory(
                    fresh, sizes.memory, 4 if quick else 10, lambda: decisions_in(store, found.notes)
                )


def decisions_in(store: Path, notes: dict[str, str]) -> int | None:
    """Decisions that `undertow audit` finds in a store."""
    command = [str(Path(sys.executable).parent / "undertow"), "audit", str(store), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return int(json.loads(done.stdout)["coverage"]["decisions"])
    except (ValueError, KeyError):
        notes["decisions"] = f"undertow audit ended with {done.returncode}: {done.stderr.strip()[-300:]}"
        return None


def report(found: figures.Measured, command: str) -> dict[str, object]:
    """The document of build/bench/gateway.json."""
    return {
        "bench": "gateway",
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "command": command,
        "results": figures.entries(found),
    }


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under a minute")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, with commas")
    arguments = parser.parse_args()
    parts = set(arguments.only.split(","))
    if unknown := parts - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sizes = QUICK if arguments.quick else FULL
    peers.WORK.mkdir(parents=True, exist_ok=True)
    found = figures.Measured(versions={"httpx": imports.httpx_version()})
    if parts & {"cpu", "latency", "memory"}:
        measure_serving(parts, sizes, quick=arguments.quick, found=found)
    if "log" in parts:
        say(f"log: writes, and {sizes.kills} kills")
        found.log = imports.measure_log(sizes.kills, found.notes)
    if "imports" in parts:
        say(f"imports: {sizes.imports} runs each")
        found.imports = imports.measure_imports(sizes.imports, peers.WORK, found.notes)
    document = report(found, "python benchmarks/bench_gateway.py" + (" --quick" if arguments.quick else ""))
    RESULT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    results = figures.entries(found)
    say(figures.table(results))
    for (load, name), cpu in found.cpu.items():
        say(f"{load}/{name}: {cpu.requests_per_s:,.0f} requests a second, {cpu.reads_per_request:.1f} reads an answer")
    say(f"written to {RESULT.relative_to(ROOT)}")
    if any(entry["ok"] is False and "aim" not in str(entry["bar"]) for entry in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
