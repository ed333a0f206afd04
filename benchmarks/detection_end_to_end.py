"""The same drawn log both ways: its sufficient statistics as they were drawn, and read back from files with all rows.

    python benchmarks/detection_end_to_end.py [--seeds 20] [--seed N] [--queries-per-day 500]

A null study of many seeds hands drawn statistics to the production detectors (`healthy_audits`). That is the whole audit only if
reading, checking and joining the rows gives those statistics. So for some seeds the rows are written, decisions and signals as
Parquet, and read as `undertow audit` reads them. Compared are the cells (counts exactly, sums of weights to 1e-9 relative), the
summed evidence of every day, all alarms and the verdict. `bench_detection.py` calls `compare_through_files`.
"""

import argparse
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from drawn_logs import Plan, cells_of, draw_log, plans, small, write_log
from healthy_audits import SETTINGS, evidence_of
from undertow.bootstrap.audit import AuditRequest, read_cells
from undertow.records.cells import AuditCells, IntArray, Table
from undertow.records.report import Alarm
from undertow.services.audit import audit

RELATIVE_ERROR = 1e-9
"""Of sums of floating-point numbers, which depend on the order of adding; counts and keys must be equal."""

QUERIES_PER_DAY = 500


def plan_of(seed: int, queries_per_day: int = QUERIES_PER_DAY, weeks: int | None = None) -> Plan:
    """The story and both healthy logs by turns, so that agreement is tested with alarms and without."""
    return small(plans()[("story", "inside", "no_loss")[seed % 3]], queries_per_day, weeks)


def through_files(plan: Plan, seed: int) -> tuple[AuditCells, AuditCells]:
    """Drawn cells, and those read from files with the same counts."""
    log = draw_log(plan, seed)
    with tempfile.TemporaryDirectory(prefix="undertow-agreement-") as folder:
        write_log(log, Path(folder), seed)
        return cells_of(log), read_cells(AuditRequest(inputs=(folder,)))


def compare_through_files(seed: int) -> bool:
    """Whether the seed's cells, daily evidence, alarms and verdict agree both ways; says what does not."""
    problems = differences(*through_files(plan_of(seed), seed))
    for problem in problems:
        print(f"seed {seed}: {problem}")
    return not problems


def differences(drawn: AuditCells, found: AuditCells) -> list[str]:
    """What differs between two sets of cells and the audits made of them; empty if they agree."""
    problems = [
        f"{name}: drawn {getattr(drawn, name)}, read {getattr(found, name)}"
        for name in ("tiers", "segments", "signals")
        if getattr(drawn, name) != getattr(found, name)
    ]
    counts = [
        (c.decisions, c.signals, c.joined, c.unjoined, c.rejected, c.duplicates)
        for c in (drawn.coverage, found.coverage)
    ]
    if counts[0] != counts[1]:
        problems.append(f"coverage: drawn {counts[0]}, read {counts[1]}")
    problems += _table_differences("traffic", drawn.traffic, found.traffic, keys=5)
    problems += _table_differences("labels", drawn.labels, found.labels, keys=10)
    if problems:
        return problems
    (ours, start), (theirs, their_start) = evidence_of(drawn), evidence_of(found)
    if start != their_start:
        problems.append(f"routing begins on day {start} drawn, {their_start} read")
    elif not _close(ours.summed, theirs.summed):
        problems.append(f"evidence differs by up to {np.abs(ours.summed - theirs.summed).max():.3g}")
    one, other = audit(drawn, SETTINGS), audit(found, SETTINGS)
    if one.verdict != other.verdict:
        problems.append(f"verdict: drawn {one.verdict}, read {other.verdict}")
    if len(one.alarms) != len(other.alarms) or not all(map(_same_alarm, one.alarms, other.alarms)):
        problems.append(f"alarms: drawn {one.alarms}, read {other.alarms}")
    return problems


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=RELATIVE_ERROR, atol=1e-12))


def _table_differences(name: str, drawn: Table, found: Table, *, keys: int) -> list[str]:
    """Cells of two tables in the order of their first `keys` fields."""
    if len(drawn) != len(found):
        return [f"{name}: {len(drawn)} cells drawn, {len(found)} read"]
    names = [f.name for f in fields(drawn)]
    # np.lexsort takes the most significant key last.
    orders = [np.lexsort([getattr(t, key) for key in reversed(names[:keys])]) for t in (drawn, found)]
    problems = []
    for field in fields(drawn):
        a, b = (getattr(t, field.name)[o] for t, o in zip((drawn, found), orders, strict=True))
        exact = field.type == IntArray or field.name in {"n", "failures", "failures_sq", "pairs"}
        if not (np.array_equal(a, b) if exact else _close(a, b)):
            worst = int(np.argmax(np.abs(a - b)))
            problems.append(f"{name}.{field.name}: drawn {a[worst]!r}, read {b[worst]!r} in cell {worst}")
    return problems


def _same_alarm(a: Alarm, b: Alarm) -> bool:
    """Every field the same; floating-point ones to RELATIVE_ERROR."""
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        numbers = [v for v in (x if isinstance(x, tuple) else (x,)) if isinstance(v, float)]
        if numbers:
            others = y if isinstance(y, tuple) else (y,)
            if len(numbers) != len(others) or not _close(np.array(numbers), np.array(others, dtype=float)):
                return False
        elif x != y:
            return False
    return True


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    """Largest relative difference."""
    return float((np.abs(a - b) / np.where(b > 0, b, 1.0)).max())


def main() -> int:
    """Compare some seeds; exit status 1 if any disagrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--queries-per-day", type=int, default=QUERIES_PER_DAY)
    args = parser.parse_args()
    agreeing = alarms = 0
    for seed in range(args.seed, args.seed + args.seeds):
        drawn, found = through_files(plan_of(seed, args.queries_per_day), seed)
        problems = differences(drawn, found)
        agreeing += not problems
        ours, theirs = (evidence_of(cells)[0].summed for cells in (drawn, found))
        report = audit(found, SETTINGS)
        alarms += bool(report.alarms)
        bits = "bit for bit" if np.array_equal(ours, theirs) else f"to {_relative(ours, theirs):.1g}"
        told = ", ".join(f"{a.tier} {a.segment} {a.detected_at.date()} {a.cause}" for a in report.alarms) or "no alarm"
        print(f"seed {seed}: {found.coverage.decisions} decisions, {found.coverage.signals} signals; evidence {bits}; "
              f"{report.verdict}; {told}" + "".join(f"\n    DIFFERS: {p}" for p in problems), flush=True)  # fmt: skip
    print(f"{agreeing} of {args.seeds} seeds agree ({alarms} of them with alarms)")
    return 0 if agreeing == args.seeds else 1


if __name__ == "__main__":
    raise SystemExit(main())
