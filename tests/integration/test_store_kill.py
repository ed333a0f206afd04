"""The store against death: kill -9, a full disk, a folder that may not be written, and an audit that reads all the while."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.recovery import recover
from undertow.bootstrap.audit import AuditRequest, read_cells

NOW = "2026-03-01T13:00:00.000Z"

GATEWAY = """
import os, sys, time
from undertow.adapters.store.log import StoreDecisionLog
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.serving import StorePlan

root, run, segment_bytes, pause_s, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
AT = "2026-03-01T12:00:00.000Z"
log = StoreDecisionLog(StorePlan(path=root, segment_bytes=segment_bytes), "w0")
in_flight = []

def finish(key):
    log.finish(DecisionRecord(decision_id=key, event_time=AT, origin="live", tier="cheap", status="ok", user_id="u", cost_usd=0.25))
    os.write(1, b"d" + key.encode() + b"\\n")

for number in range(last):
    key = f"{run:012x}{number:020x}"
    os.write(1, b"b" + key.encode() + b"\\n")
    log.begin(Intent(decision_id=key, event_time=AT, user_id="u"))
    os.write(1, b"u" + key.encode() + b"\\n")
    in_flight.append(key)
    if len(in_flight) > 7:
        finish(in_flight.pop(number % 7))
    if number % 500 == 0:
        log.tick()
        log.sync()
    if pause_s:
        time.sleep(pause_s)
for key in in_flight:
    finish(key)
log.close()
"""
"""Writes as a gateway does, with a few requests in flight, and says on its standard output: begun, reached the upstream, done."""


def start(root: Path, run: int, segment_bytes: int, pause_s: float = 0.0, last: int = 10**9) -> subprocess.Popen[bytes]:
    arguments = [str(root), str(run), str(segment_bytes), str(pause_s), str(last)]
    return subprocess.Popen([sys.executable, "-c", GATEWAY, *arguments], stdout=subprocess.PIPE)


def reported(output: bytes) -> dict[str, set[str]]:
    """Ids by what was said of them. The last line may be cut by the kill."""
    said: dict[str, set[str]] = {"b": set(), "u": set(), "d": set()}
    for line in output.decode().split("\n")[:-1]:
        said[line[0]].add(line[1:])
    return said


def records(root: Path) -> list[dict[str, object]]:
    assert not list((root / "decisions" / "open").glob("*.open"))
    return [
        json.loads(line)
        for path in (root / "decisions" / "open").glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    ]


def test_after_kill_9_every_request_that_reached_an_upstream_has_one_record(tmp_path: Path) -> None:
    chance = random.Random(1)
    begun: set[str] = set()
    upstream: set[str] = set()
    done: set[str] = set()
    for run in range(10):
        # Small segments, so that some die while they rotate.
        process = start(tmp_path, run, segment_bytes=chance.choice([20_000, 200_000, 10_000_000]))
        killer = threading.Timer(0.15 + chance.random() * 0.3, process.kill)
        killer.start()
        output, _ = process.communicate(timeout=60)
        killer.join()
        assert process.returncode == -signal.SIGKILL
        said = reported(output)
        begun |= said["b"]
        upstream |= said["u"]
        done |= said["d"]
        recover(tmp_path, NOW)
    rows = records(tmp_path)
    counts = Counter(str(row["decision_id"]) for row in rows)
    assert len(upstream) > 1000
    assert max(counts.values()) == 1
    assert upstream <= counts.keys() <= begun
    by_status = {str(row["decision_id"]): row["status"] for row in rows}
    assert {by_status[key] for key in done} == {"ok"}
    assert not list((tmp_path / "intents").iterdir())
    before = len(rows)
    assert compact(tmp_path, grace_s=0.0).rows == before


def test_a_full_disk_is_survived_counted_and_written_down(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: writes come back short, then fail."""
    script = f"""
import json, resource, time
from undertow.adapters.store.log import StoreDecisionLog
from undertow.records.decision import DecisionRecord
from undertow.records.serving import StorePlan

log = StoreDecisionLog(StorePlan(path={str(tmp_path)!r}), "w0", waiting_bytes=20_000)

def write(numbers):
    for number in numbers:
        log.finish(DecisionRecord(decision_id=f"{{number:032x}}", event_time={NOW!r}, tier="cheap", user_id="u" * 100))

write(range(100))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
write(range(100, 1000))
full = (log.waiting, log.lost)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
time.sleep(0.1)
log.tick()
after = (log.waiting, log.lost)
write(range(1000, 1100))
log.close()
print(json.dumps([full, after]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    (waiting, lost), (still_waiting, lost_in_all) = json.loads(done.stdout)
    assert waiting > 0
    assert lost > 0
    assert waiting + lost == 900
    assert (still_waiting, lost_in_all) == (0, lost)
    rows = records(tmp_path)
    assert len(rows) == len({row["decision_id"] for row in rows}) == 1100 - lost
    (gap,) = (json.loads(line) for line in (tmp_path / "state" / "gaps.jsonl").read_text().splitlines())
    assert gap["lost"] == lost
    assert gap["from"] <= gap["to"]


def test_a_folder_that_may_not_be_written_is_survived(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    script = f"""
import os
from undertow.adapters.store.log import StoreDecisionLog
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.serving import StorePlan
if os.geteuid() == 0:  # root may write everywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
log = StoreDecisionLog(StorePlan(path={str(tmp_path / "store")!r}), "w0")
log.begin(Intent(decision_id="a", event_time={NOW!r}))
log.finish(DecisionRecord(decision_id="a", event_time={NOW!r}))
log.tick(); log.sync()
print(log.waiting, log.lost, log.unsettled)
log.close()
print(log.waiting, log.lost)
"""
    (tmp_path / "store").chmod(0o555)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    assert done.stdout.split() == [b"1", b"0", b"1", b"0", b"1"]


@pytest.mark.parametrize("grace_s", [0.2, 600.0])  # in 0.2 s a reader may find files gone that it has listed
def test_an_audit_sees_each_settled_decision_once_all_the_while(tmp_path: Path, grace_s: float) -> None:
    expected = 4_000
    process = start(tmp_path, 1, segment_bytes=20_000, pause_s=0.0004, last=expected)
    assert process.stdout is not None
    said: list[bytes] = []
    listener = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    listener.start()
    stop = threading.Event()

    def convert() -> None:
        while not stop.wait(0.02):
            compact(tmp_path, grace_s=grace_s)

    converter = threading.Thread(target=convert)
    converter.start()
    seen: list[int] = []
    try:
        until = time.monotonic() + 15
        while time.monotonic() < until:
            is_over = process.poll() is not None
            settled = sum(line.startswith(b"d") for line in list(said))
            if not is_over and settled == 0:
                time.sleep(0.01)
                continue
            cells = read_cells(AuditRequest((str(tmp_path),)))
            coverage = cells.coverage
            assert (coverage.rejected, coverage.duplicates, dict(coverage.reasons), coverage.notes) == (0, 0, {}, ())
            assert coverage.decisions >= settled
            seen.append(coverage.decisions)
            if is_over:
                break
    finally:
        process.kill()
        process.wait()
        stop.set()
        converter.join()
        listener.join()
        process.stdout.close()
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == expected
    assert compact(tmp_path, grace_s=0.0).failed == 0
    assert read_cells(AuditRequest((str(tmp_path),))).coverage.decisions == expected
    assert list(tmp_path.glob("decisions/date=*/*.parquet"))
