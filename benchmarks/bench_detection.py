"""How soon a loss is seen, and how often none is: the production detectors on simulated daily counts, beside what others do.

    python benchmarks/bench_detection.py [--quick] [--seed N] [--runs N] [--end-to-end N] [--data FOLDER]

Reproduces the published table of designs from sufficient statistics (`undertow.simulation`), rows (a) to (f), and goes on to the
design that it aims at (g), at its line of 3600 and at the product's 7200; counts false alarms over healthy half-years, also with
faulty labels and judges; takes the gap to the information bound apart; checks naming and onset; and runs rival rules on the same seeds.
Then hidden slices, provider changes, judges anchored to people and the cost of watching. Writes build/bench/detection.json; one entry for
every figure that was asked for.
"""

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import healthy_audits
from detection.alternatives import bench_alternatives
from detection.common import NEVER
from detection.design_rows import bench_rows
from detection.gap import bench_gap
from detection.judged_rows import bench_judged_rows
from detection.log_effects import bench_day_effects, bench_unknown_baseline
from detection.naming import bench_naming_and_onset
from detection.rivals import bench_rivals
from detection.steered_faults import bench_faults
from detection.steered_rows import bench_naming, bench_steered_rows
from detection.through_files import bench_end_to_end
from report import Report

OTHER_PARTS = ("hidden_slice", "provider", "anchored_votes", "watching_cost", "live_loop")
"""Modules of `detection` with a function `bench(report, *, quick, data)`."""


def main() -> int:
    """Run all parts; exit status 0 whatever the figures say (the JSON says which bars were met)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--runs", type=int, help="runs per scenario (default 2000, quick 120)")
    parser.add_argument("--end-to-end", type=int, help="seeds through files (default 20, quick 0)")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("build/bench/detection.json"))
    args = parser.parse_args()
    started = time.perf_counter()
    report = Report(args.seed, never=NEVER)
    parts = other_parts()
    counts(report, args.runs or (120 if args.quick else 2000), quick=args.quick, is_short=args.quick or bool(args.runs))
    seeds = args.end_to_end if args.end_to_end is not None else (0 if args.quick else 20)
    _timed("end to end", lambda: bench_end_to_end(report, seeds))
    # The whole audit on drawn logs: false alarms over half-years, delay with an unknown baseline, provider changes.
    # Correlated days take as long again: `python benchmarks/healthy_audits.py` has them.
    audits, power = (4, 1) if args.quick else (500, 100)
    _timed("whole audits", lambda: report.results.extend(
        healthy_audits.measure(report.seed, seeds=audits, power_seeds=power, correlations=False)
    ))  # fmt: skip
    for name, part in parts.items():
        if part is None:
            print(f"\n{name}: skipped")
        else:
            _timed(name, lambda part=part: part(report, quick=args.quick, data=args.data))
    missed = report.missed()
    print(f"\n{sum(r['ok'] is True for r in report.results)} bars met, {len(missed)} missed{': ' + '; '.join(missed) if missed else ''}")  # fmt: skip
    print(f"{time.perf_counter() - started:.0f} s")
    report.write("detection", args.out)
    return 0


def other_parts() -> dict[str, Callable[..., None] | None]:
    """The further parts that are there, loaded before anything runs: a broken one is to be seen at once."""
    found = {}
    for name in OTHER_PARTS:
        is_there = importlib.util.find_spec(f"detection.{name}") is not None
        found[name] = getattr(importlib.import_module(f"detection.{name}"), "bench", None) if is_there else None
    return found


def counts(report: Report, runs: int, *, quick: bool, is_short: bool) -> None:
    """The parts that draw sufficient statistics."""
    null_runs = runs if quick else 2 * runs
    judged, judged_null = (runs // 2, null_runs // 2) if quick else (runs, null_runs)
    some = 40 if quick else max(runs // 5, 150)
    parts: dict[str, Callable[[], object]] = {
        "rows": lambda: bench_rows(report, runs, null_runs),
        "judged rows": lambda: bench_judged_rows(report, judged, judged_null),
        "steered rows": lambda: bench_steered_rows(report, judged, judged_null, quick=quick),
        "naming and onset": lambda: bench_naming_and_onset(report, some),
        "naming when steered": lambda: bench_naming(report, some, quick=quick),
        "faults": lambda: bench_faults(
            report, 20 if quick else max(runs // 10, 40), 40 if quick else max(runs // 2, 100), quick=quick
        ),
        "gap": lambda: bench_gap(report, 20 if quick else max(runs // 4, 100), quick=quick),
        "alternatives": lambda: bench_alternatives(report, 20 if quick else max(runs // 5, 40), quick=quick),
        "day effects": lambda: bench_day_effects(report, 60 if quick else max(runs // 4, 20 if is_short else 500)),
        "unknown baseline": lambda: bench_unknown_baseline(
            report, 40 if quick else max(runs // 4, 100), 100 if quick else runs
        ),
        "rivals": lambda: bench_rivals(report, max(runs // 4, 100)),
    }
    for name, part in parts.items():
        _timed(name, part)


def _timed(name: str, part: Callable[[], object]) -> None:
    """Run a part and say how long it took: the whole is half an hour."""
    started = time.perf_counter()
    part()
    print(f"  [{name}: {time.perf_counter() - started:.0f} s]", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
