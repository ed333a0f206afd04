"""What the guard is worth: damage of an incident with and without it, healthy half-years, and the length of a rollout.

    python benchmarks/bench_guard.py [--quick] [--seed N] [--runs N] [--null-runs N] [--part NAME]

Runs the support incident with all parts on (steered reviews, alarm at the product's line, placing, routing back) beside no guard,
aggregate monitoring, an oracle and the rules of other tools, on the same seeds; counts false rollbacks and savings kept over healthy
half-years; lets healthy candidates pass the stages of a rollout beside group-sequential designs; and lets stores live through the keeper's own parts. Writes build/bench/guard.json; one entry for every figure
that was asked for.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from detection.common import NEVER
from guard.damage_rows import bench_damage
from guard.healthy_rows import bench_healthy
from guard.live_rows import bench_live
from guard.rollout_rows import bench_rollout
from report import Report

PARTS = ("damage", "healthy", "rollout", "live")


def main() -> int:
    """Run all parts; exit status 0 whatever the figures say (the JSON says which bars were met)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--runs", type=int, help="seeds of each incident and of rollouts (default 200, quick 8)")
    parser.add_argument("--null-runs", type=int, help="healthy half-years (default 500, quick 10)")
    parser.add_argument("--stores", type=int, default=2, help="stores of each incident that live through the keeper (default 2; none with --quick)")  # fmt: skip
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be given several times")
    parser.add_argument("--out", type=Path, default=Path("build/bench/guard.json"))
    args = parser.parse_args()
    started = time.perf_counter()
    report = Report(args.seed, never=NEVER)
    runs = args.runs or (8 if args.quick else 200)
    null_runs = args.null_runs or (10 if args.quick else 500)
    parts: dict[str, Callable[[], None]] = {
        "damage": lambda: bench_damage(report, runs, quick=args.quick),
        "healthy": lambda: bench_healthy(report, null_runs),
        "rollout": lambda: bench_rollout(report, runs),
        "live": lambda: bench_live(report, args.stores),
    }
    for name in args.part or PARTS[: 3 if args.quick else None]:
        since = time.perf_counter()
        parts[name]()
        print(f"  [{name}: {time.perf_counter() - since:.0f} s]", flush=True)
    missed = report.missed()
    print(f"\n{sum(r['ok'] is True for r in report.results)} bars met, {len(missed)} missed{': ' + '; '.join(missed) if missed else ''}")  # fmt: skip
    print(f"{time.perf_counter() - started:.0f} s")
    report.write("guard", args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
