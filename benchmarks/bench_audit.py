"""Speed and memory of `undertow audit` beside a bare DuckDB scan of the same file, in the same run.

    python benchmarks/bench_audit.py [--quick] [--runs N]

The log has one signal for ten decisions and one segment key with 12 values; its ids look random, as UUIDs do. The bare scan
is one query, timed without process start: group by day, tier and segment, four aggregates. The audit is the whole process,
from start to the JSON on its standard output, with its byte code compiled as an installed program has it. Runs alternate, so
that a busy machine slows both. Writes build/bench/audit.json.
"""

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "build" / "bench" / "data"
RESULT = ROOT / "build" / "bench" / "audit.json"
INTENTS = (
    "billing", "bug", "cancel", "delivery", "fraud", "howto", "invoice", "login", "other", "privacy", "refund", "upgrade",
)  # fmt: skip
DAYS = 120
RATIO_BAR, RATIO_AIM, MEMORY_BAR_GIB = 10.0, 5.0, 2.0
FULL_SIZE = 10_000_000
LAYOUT = "4"
"""Part of the folder's name: change it when the generator changes, so that no old log is reused."""

BARE_SCAN = """
import sys, time, duckdb
engine = duckdb.connect()
engine.execute("SET enable_progress_bar = false")
path = sys.argv[1]
start = time.perf_counter()
rows = engine.execute(
    "SELECT date_trunc('day', event_time) AS day, tier, segment['intent'] AS intent, count(*), sum(cost_usd), "
    "avg(latency_ms), avg(confidence) FROM read_parquet(?) GROUP BY ALL", [path]
).fetchall()
print(time.perf_counter() - start)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One pair of measurements: seconds, and the audit's peak memory in bytes."""

    scan_s: float
    audit_s: float
    peak_bytes: int


def make_log(decisions: int) -> Path:
    """The folder of a log of this size, generated unless it is there. No randomness: everything is a hash of the row number."""
    folder = DATA / f"v{LAYOUT}-{decisions}"
    if (folder / "signals" / "signals.parquet").exists():
        return folder
    for part in ("decisions", "signals"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    engine = duckdb.connect()
    engine.execute("SET preserve_insertion_order = false")
    intents = ", ".join(f"'{name}'" for name in INTENTS)
    step_us = DAYS * 86_400 * 1_000_000 // decisions
    engine.execute(
        f"""
        CREATE VIEW numbers AS
        SELECT i, hash(i, 1) AS a, hash(i, 2) AS b, hash(i, 3) AS c, hash(i, 4) AS d, hash(i, 5) AS e, hash(i, 6) AS f,
               i * 6 // {decisions} AS phase, (hash(i, 4) % 20) = 0 AS held_out,
               format('{{:016x}}{{:016x}}', hash(i, 5), hash(i, 6)) AS hex
        FROM range({decisions}) t(i);
        CREATE VIEW decisions AS
        SELECT substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-' || substr(hex, 13, 4) || '-' || substr(hex, 17, 4)
                   || '-' || substr(hex, 21) AS decision_id,
               make_timestamp(1767225600000000 + CAST(i * {step_us} AS BIGINT)) AS event_time,
               'c' || (i // 4) AS conversation_id, 'u' || (a % {max(decisions // 10, 1000)}) AS user_id,
               MAP(['intent'], [[{intents}][1 + CAST(b % 12 AS INTEGER)]]) AS segment,
               'support' AS policy, 'v' || (1 + phase) AS policy_version, 'route' AS mode, 'live' AS origin,
               (c % 50) <> 0 AS eligible, CASE WHEN held_out THEN 'holdout' ELSE 'treatment' END AS arm,
               CASE WHEN held_out THEN 0.05 ELSE 0.95 END::DOUBLE AS arm_probability, NULL::DOUBLE AS propensity,
               CASE WHEN a % 100 < 65 AND NOT held_out THEN 'cheap' ELSE 'capable' END AS tier, tier AS first_tier,
               'auto' AS requested_model, CASE tier WHEN 'cheap' THEN 'small-1' ELSE 'large-1' END AS model,
               false AS escalated, CASE tier WHEN 'cheap' THEN 'confident' ELSE 'unsure' END AS reason,
               (b % 1000000007) / 1000000007.0::DOUBLE AS score, sqrt((b % 1000000007) / 1000000007.0::DOUBLE) AS confidence,
               0.7::DOUBLE AS threshold, 'calibrated' AS confidence_kind, CAST(50 + e % 900 AS BIGINT) AS input_tokens,
               CAST(20 + f % 400 AS BIGINT) AS output_tokens,
               (input_tokens * 2.5e-6 + output_tokens * 1e-5)::DOUBLE AS baseline_cost_usd,
               baseline_cost_usd * CASE tier WHEN 'cheap' THEN 0.25::DOUBLE ELSE 1.0::DOUBLE END AS cost_usd,
               200.0::DOUBLE + (c % 3000000) / 1000.0::DOUBLE AS latency_ms,
               100.0::DOUBLE + (d % 300000) / 1000.0::DOUBLE AS ttft_ms,
               'ok' AS status, 'stop' AS finish_reason, 'p1' AS prompt_hash
        FROM numbers
        """
    )
    target = folder / "decisions" / "decisions.parquet"
    engine.execute(f"COPY decisions TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    # One decision in ten bears a signal: 7 in 10 of those are reviews at two inclusion probabilities, 2 thumbs, 1 a ticket.
    unfinished = folder / "signals" / "unfinished"
    engine.execute(
        f"""
        COPY (
            SELECT 's' || h AS signal_id, event_time + to_hours(CAST(1 + h % 40 AS INTEGER)) AS event_time, decision_id,
                   NULL::VARCHAR AS conversation_id, NULL::VARCHAR AS user_id,
                   CASE WHEN k < 7 THEN 'review' WHEN k < 9 THEN 'thumb' ELSE 'outcome' END AS kind,
                   CASE WHEN k < 7 THEN 'accuracy' WHEN k < 9 THEN 'helpful' ELSE 'ticket' END AS name,
                   CASE WHEN k = 9 THEN 1.0 WHEN h % 20 = 0 THEN 0.0 ELSE 1.0 END::DOUBLE AS value,
                   CASE WHEN k < 7 THEN CASE WHEN h % 2 = 0 THEN 0.2 ELSE 0.02 END END::DOUBLE AS inclusion_probability,
                   CASE WHEN k < 7 THEN 'human:queue' ELSE 'app' END AS source
            FROM (SELECT event_time, decision_id, hash(decision_id, 9) AS h, hash(decision_id, 8) % 10 AS k
                  FROM read_parquet('{target}') WHERE hash(decision_id, 7) % 10 = 0)
        ) TO '{unfinished}' (FORMAT parquet, COMPRESSION zstd)
        """
    )
    engine.close()
    return (unfinished.rename(folder / "signals" / "signals.parquet")).parent.parent


def scan_once(folder: Path) -> float:
    """Seconds that the bare query takes, in a process of its own; its start is not counted."""
    command = [sys.executable, "-c", BARE_SCAN, str(folder / "decisions" / "decisions.parquet")]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def audit_once(folder: Path) -> tuple[float, int]:
    """Seconds and peak bytes of the whole audit process."""
    command = [str(Path(sys.executable).parent / "undertow"), "audit", str(folder), "--json"]
    # Some development machines forbid byte code files, which would charge every run with compiling all that it imports.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bench" / "pycache")
    with (ROOT / "build" / "bench" / "audit.out").open("wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment
        )
        assert process.stderr is not None
        complaint = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {complaint[-2000:]}")
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    return elapsed, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(decisions: int, runs: int) -> list[Run]:
    """Alternating runs, after one of each that warms the disk cache."""
    folder = make_log(decisions)
    scan_once(folder)
    audit_once(folder)
    result = []
    for _ in range(runs):
        scan = scan_once(folder)
        audit, peak = audit_once(folder)
        result.append(Run(scan, audit, peak))
    return result


def entries(decisions: int, runs: list[Run]) -> list[dict[str, object]]:
    """Results in the shape of the benchmark contract; `ok` is null below the size that the bar names."""
    scan = statistics.median(run.scan_s for run in runs)
    audit = statistics.median(run.audit_s for run in runs)
    ratios = [run.audit_s / run.scan_s for run in runs]
    peak = max(run.peak_bytes for run in runs) / 2**30
    full = decisions >= FULL_SIZE
    common = {"n": decisions, "seed": None, "runs": len(runs)}
    ratio = {
        "measured": round(audit / scan, 3),
        "interval": [round(min(ratios), 3), round(max(ratios), 3)],
        "comparator": f"bare DuckDB {duckdb.__version__} scan and group-by of the same file: {scan:.3f} s; audit {audit:.3f} s",
        **common,
    }
    return [
        {
            "criterion": f"audit of {decisions:,} decisions, whole process, over a bare scan",
            "bar": f"at most {RATIO_BAR:g}x",
            "bar_value": RATIO_BAR,
            **ratio,
            "ok": audit / scan <= RATIO_BAR if full else None,
        },
        {
            "criterion": f"audit of {decisions:,} decisions, whole process, over a bare scan (aim)",
            "bar": f"aim {RATIO_AIM:g}x",
            "bar_value": RATIO_AIM,
            **ratio,
            "ok": audit / scan <= RATIO_AIM if full else None,
        },
        {
            "criterion": f"peak memory of the audit of {decisions:,} decisions, GiB",
            "bar": f"at most {MEMORY_BAR_GIB:g} GiB",
            "bar_value": MEMORY_BAR_GIB,
            "measured": round(peak, 3),
            "interval": [round(min(run.peak_bytes for run in runs) / 2**30, 3), round(peak, 3)],
            "comparator": None,
            **common,
            "ok": peak <= MEMORY_BAR_GIB if full else None,
        },
    ]


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1e5 and 1e6 decisions only")
    parser.add_argument("--runs", type=int, default=0, help="alternating runs of each size (default 5, quick 3)")
    arguments = parser.parse_args()
    runs = arguments.runs or (3 if arguments.quick else 5)
    sizes = (100_000, 1_000_000) if arguments.quick else (100_000, 1_000_000, FULL_SIZE)
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    results: list[dict[str, object]] = []
    print(f"{'decisions':>12} {'scan s':>8} {'audit s':>8} {'ratio':>7} {'range':>15} {'peak GiB':>9}")
    for size in sizes:
        found = measure(size, runs)
        results.extend(entries(size, found))
        ratios = [run.audit_s / run.scan_s for run in found]
        print(
            f"{size:>12,} {statistics.median(run.scan_s for run in found):>8.3f} "
            f"{statistics.median(run.audit_s for run in found):>8.3f} {results[-3]['measured']:>7} "
            f"{min(ratios):>7.2f}-{max(ratios):<7.2f} {results[-1]['measured']:>9}",
            flush=True,
        )
    print(f"bar at {FULL_SIZE:,}: at most {RATIO_BAR:g}x (aim {RATIO_AIM:g}x), at most {MEMORY_BAR_GIB:g} GiB")
    report = {
        "bench": "audit",
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, DuckDB {duckdb.__version__}",
        "command": "python benchmarks/bench_audit.py" + (" --quick" if arguments.quick else ""),
        "results": results,
    }
    RESULT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"written to {RESULT.relative_to(ROOT)}")
    if any(entry["ok"] is False and "aim" not in str(entry["bar"]) for entry in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
