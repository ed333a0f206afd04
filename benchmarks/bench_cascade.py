"""The cascade on real tables: guarantee and acceptance of thresholds, combining features, calibration, policies, shift, and streaming modes.

    python benchmarks/bench_cascade.py [--quick] [--seed N] [--data FOLDER] [--only PART ...]

Prints tables and writes build/bench/cascade.json; one entry for every figure that was asked for. Exit status 1 where a bar is missed.
"""

import argparse
import sys
import time
from pathlib import Path

from cascade.combining import measure_combining
from cascade.errors import measure_errors
from cascade.guarantee import measure_guarantee
from cascade.policies import measure_policies
from cascade.shift import measure_shift
from cascade.streaming import measure as measure_streaming
from cascade.tables import load_tasks
from report import Report

QUICK_ROWS = 2_500
PARTS = ("guarantee", "combining", "calibration", "policies", "shift", "streaming")


def main() -> int:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, default=Path("build/bench/cascade.json"))
    args = parser.parse_args()
    began = time.perf_counter()
    report = Report(args.seed)
    if {"guarantee", "combining", "calibration", "shift"} & set(args.only):
        tasks = load_tasks(args.data, QUICK_ROWS if args.quick else None)
        if "guarantee" in args.only:
            measure_guarantee(report, tasks, 20 if args.quick else 200, 40 if args.quick else 1000)
        if "combining" in args.only:
            measure_combining(report, tasks, 1 if args.quick else 40)
        if "calibration" in args.only:
            measure_errors(report, tasks, 2 if args.quick else 50)
        if "shift" in args.only:
            measure_shift(report, tasks, 1 if args.quick else 200)
    if "policies" in args.only:
        measure_policies(report, args.data, quick=args.quick)
    if "streaming" in args.only:
        report.results += measure_streaming(quick=args.quick, seed=args.seed)
    missed = report.missed()
    met = sum(entry["ok"] is True for entry in report.results)
    print(
        f"\n{met} bars met, {len(missed)} missed{': ' + '; '.join(missed) if missed else ''}\n{time.perf_counter() - began:.0f} s"
    )
    report.write("cascade", args.out)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
