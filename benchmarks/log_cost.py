"""What the decision log costs and keeps: CPU per write, and records lost in kill -9 at a steady rate.

    python benchmarks/log_cost.py [--quick] [--kills N] [--rate N] [--folder DIR]

Prints one JSON object. `measure_write_cost` and `measure_kills` are what the gateway's benchmark imports. CPU is user and
system time of the process (getrusage), encoding included, with the background sync running as it does in a gateway.
"""

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.recovery import recover
from undertow.adapters.store.syncing import SYNC_INTERVAL_S
from undertow.records.decision import Call, DecisionRecord, Intent
from undertow.records.serving import StorePlan

AT = "2026-03-01T12:00:00.000Z"
KNOWN: dict[str, object] = {
    "event_time": AT, "conversation_id": "c" * 32, "user_id": "u" * 32, "segment": {"intent": "billing", "team": "eu"},
    "policy": "auto", "policy_version": "0123456789ab", "mode": "route", "origin": "live", "eligible": True, "arm": "treatment",
    "arm_probability": 0.95, "requested_model": "auto", "prompt_hash": "0123456789abcdef", "endpoint": "chat.completions",
    "key_name": "shop",
}  # fmt: skip
CALL = Call(
    tier="cheap",
    model="small-1",
    input_tokens=812,
    cached_tokens=512,
    output_tokens=143,
    cost_usd=0.000213,
    latency_ms=812.5,
)
OUTCOME: dict[str, object] = {
    "propensity": 1.0, "first_tier": "cheap", "tier": "cheap", "model": "small-1", "escalated": False, "reason": "confident",
    "score": 0.934, "confidence": 0.934, "threshold": 0.7, "confidence_kind": "uncalibrated", "input_tokens": 812,
    "output_tokens": 143, "calls": (CALL,), "cost_usd": 0.000213, "baseline_cost_usd": 0.0041, "latency_ms": 813.1,
    "ttft_ms": 210.4, "status": "ok", "finish_reason": "stop", "decided_tier": "cheap", "delivered_chars": 611,
}  # fmt: skip

WRITER = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
import log_cost
log_cost.write_until_killed(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
"""


def make_intent(key: str) -> Intent:
    """A complete intent."""
    return Intent(decision_id=key, **KNOWN)  # type: ignore[arg-type]


def make_record(key: str) -> DecisionRecord:
    """A complete record of an answer by the cheap tier."""
    return DecisionRecord(decision_id=key, **KNOWN, **OUTCOME)  # type: ignore[arg-type]


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_write_cost(writes: int = 50_000, runs: int = 5, folder: str | None = None) -> dict[str, object]:
    """CPU microseconds of a pair (intent and record) and of one write, medians over `runs`.

    Args:
        writes: Pairs a run.
        runs: How often.
        folder: Where the store is made; None: the system's folder for temporary files.
    """
    intents = [make_intent(f"{number:032x}") for number in range(writes)]
    records = [make_record(f"{number:032x}") for number in range(writes)]
    pairs, singles = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(dir=folder) as root:
            log = StoreDecisionLog(StorePlan(path=root), "bench")
            over = threading.Event()
            syncing = threading.Thread(target=_sync_until, args=(log, over))
            syncing.start()
            before = _cpu_s()
            for intent, record in zip(intents, records, strict=True):
                log.begin(intent)
                log.finish(record)
            between = _cpu_s()
            for record in records:
                log.finish(record)
            after = _cpu_s()
            over.set()
            syncing.join()
            assert (log.waiting, log.lost, log.unsettled) == (0, 0, 0)
            log.close()
        pairs.append((between - before) / writes * 1e6)
        singles.append((after - between) / writes * 1e6)
    return {
        "pair_us": statistics.median(pairs),
        "write_us": statistics.median(pairs) / 2,
        "record_us": statistics.median(singles),
        "pair_us_runs": pairs,
        "record_us_runs": singles,
        "record_bytes": len(msgspec.json.encode(records[0])),
        "intent_bytes": len(msgspec.json.encode(intents[0])),
        "n": writes,
    }


def _sync_until(log: StoreDecisionLog, over: threading.Event) -> None:
    while not over.wait(SYNC_INTERVAL_S):
        if log.is_dirty:
            log.sync()


def write_until_killed(root: str, run: int, rate: float) -> None:
    """Begin, say so, finish, say so, `rate` times a second and with some in flight; until the process is killed."""
    log = StoreDecisionLog(StorePlan(path=root, segment_bytes=4_000_000), "bench")
    threading.Thread(target=_sync_until, args=(log, threading.Event()), daemon=True).start()
    in_flight: list[str] = []
    number, started = 0, time.monotonic()
    while True:
        key = f"{run:012x}{number:020x}"
        log.begin(make_intent(key))
        os.write(1, f"u{key}\n".encode())
        in_flight.append(key)
        if len(in_flight) > 31:
            done = in_flight.pop(number % 31)
            log.finish(make_record(done))
            os.write(1, f"d{done}\n".encode())
        number += 1
        if number % 100 == 0:
            log.tick()
            time.sleep(max(0.0, started + number / rate - time.monotonic()))


def measure_kills(kills: int = 50, rate: float = 5_000, folder: str | None = None) -> dict[str, object]:
    """Kill a writer again and again, recover, and count what reached the upstream and has not exactly one record.

    Args:
        kills: How often.
        rate: Records a second that the writer aims at.
        folder: Where the store is made; None: the system's folder for temporary files.
    """
    chance = random.Random(3)
    reached = done = lost = repeated = changed = orphans = torn = 0
    rates = []
    for run in range(kills):
        with tempfile.TemporaryDirectory(dir=folder) as root:
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(Path(__file__).parent), root, str(run), str(rate)],
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            said = [process.stdout.readline()]
            started = time.monotonic()
            killer = threading.Timer(0.2 + chance.random() * 0.4, process.kill)
            killer.start()
            said += process.stdout.readlines()
            lasted = time.monotonic() - started
            process.wait()
            process.stdout.close()
            killer.join()
            assert process.returncode == -signal.SIGKILL, "the writer ended by itself"
            upstream = {line[1:-1].decode() for line in said if line[:1] == b"u" and line.endswith(b"\n")}
            finished = {line[1:-1].decode() for line in said if line[:1] == b"d" and line.endswith(b"\n")}
            found = recover(root, AT)
            rows: dict[str, list[str]] = {}
            for path in (Path(root) / "decisions" / "open").iterdir():
                for line in path.read_bytes().splitlines():
                    row = msgspec.json.decode(line, type=DecisionRecord)
                    rows.setdefault(row.decision_id, []).append(row.status or "")
        reached += len(upstream)
        done += len(finished)
        lost += len(upstream - rows.keys())
        repeated += sum(len(statuses) > 1 for statuses in rows.values())
        changed += sum(rows.get(key) != ["ok"] for key in finished)
        orphans += found.orphans
        torn += found.torn
        rates.append(len(finished) / lasted)
    return {
        "kills": kills,
        "reached_upstream": reached,
        "finished": done,
        "lost": lost,
        "repeated": repeated,
        "finished_without_their_own_record": changed,
        "orphans_closed": orphans,
        "torn_lines": torn,
        "records_per_s": statistics.median(rates),
    }


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--kills", type=int, default=None, help="default 50; 5 with --quick")
    parser.add_argument("--rate", type=float, default=5_000.0, help="records a second")
    parser.add_argument("--folder", default=None, help="where the stores are made")
    given = parser.parse_args()
    cost = measure_write_cost(10_000 if given.quick else 50_000, 3 if given.quick else 5, given.folder)
    kills = measure_kills(given.kills or (5 if given.quick else 50), given.rate, given.folder)
    print(json.dumps({"write_cost": cost, "kills": kills}, indent=2))


if __name__ == "__main__":
    main()
