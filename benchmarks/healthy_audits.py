"""How often the whole audit raises an alarm where nothing is lost, and what it says where something is.

    python benchmarks/healthy_audits.py [--quick] [--seed N] [--seeds N] [--processes N]

Draws each log's sufficient statistics from a seed (`drawn_logs`: half a year of the support assistant at 50,000 queries a day) and
hands them to the production path: all streams, their weights, the summed evidence and its line, and, where an alarm is raised,
the audit that tells it. `measure` returns entries of the benchmark's JSON; `bench_detection.py` adds them to its own.
"""

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).parent))

from drawn_logs import Plan, cells_of, draw_log, plans, small
from undertow.estimators.periods import find_periods
from undertow.records.cells import AuditCells
from undertow.records.report import Alarm, AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.audit import audit
from undertow.services.crossings import crossings
from undertow.services.evidence import Evidence, gather

HORIZON_DAYS = 180
SETTINGS = AuditSettings(horizon_days=HORIZON_DAYS)
LATER_DAYS = 28
"""A place that the first alarm leaves open may be named this much later."""

SMALL_QUERIES = 1_500

CORRELATIONS = (0.005, 0.01, 0.02)

Entry = dict[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """What one seed gave.

    Attributes:
        seed: The seed.
        day: Day of routing at whose end the evidence first sufficed, or None.
        stream: Signal, role and kind of the largest contributor then.
        alarms: What the audit told, with `detected_at` etc.; empty without a crossing.
        verdict: The audit's verdict; None where no audit was asked for.
        largest: Largest summed evidence over the horizon.
        routing_start: First day of routing.
    """

    seed: int
    day: int | None
    stream: str
    alarms: tuple[Alarm, ...]
    verdict: str | None
    largest: float
    routing_start: date


def evidence_of(cells: AuditCells, settings: AuditSettings = SETTINGS) -> tuple[Evidence, int]:
    """Summed evidence of all alarm-raising signals as the audit gathers it, and the first day of routing."""
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    periods = find_periods(traffic, cells.bucket_s, None)
    return gather(cells, settings, periods, alarms=True), periods.routing_start


def find(plan: Plan, seed: int) -> Found:
    """One seed: draw, gather the evidence, and where it suffices within the horizon, audit."""
    cells = cells_of(draw_log(plan, seed))
    evidence, start = evidence_of(cells)
    horizon = evidence.summed[evidence.armed_from : start + HORIZON_DAYS]
    inside = [c for c in crossings(evidence) if c.bucket < start + HORIZON_DAYS]
    begin = plan.parameters.start + timedelta(days=start)
    if not inside:
        return Found(seed, None, "", (), None, float(horizon.max()), begin)
    stream = inside[0].stream
    report = audit(cells, SETTINGS)
    named = f"{stream.unit.name} {stream.role} {stream.kind}"
    return Found(seed, inside[0].bucket - start, named, report.alarms, report.verdict, float(horizon.max()), begin)


def run(plan: Plan, seeds: Sequence[int], processes: int) -> list[Found]:
    """Many seeds, in their order."""
    if processes == 1:
        return [find(plan, seed) for seed in seeds]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(partial(find, plan), seeds, chunksize=4))


def exact_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


class Table:
    """Collects entries and prints them as lines."""

    def __init__(self, seed: int) -> None:
        """`seed`: first seed of the study, noted with every entry."""
        self.seed = seed
        self.entries: list[Entry] = []

    def share(
        self,
        criterion: str,
        hits: int,
        n: int,
        bar: str,
        bar_value: float | None,
        *,
        least: int = 1,
        above: bool = False,
    ) -> None:
        """A share of runs. Its bar is met if the share is at most (`above`: at least) `bar_value`, and open with fewer than `least`."""
        measured = hits / n if n else None
        ok = None
        if bar_value is not None and measured is not None and n >= least:
            ok = measured >= bar_value if above else measured <= bar_value
        self._add(criterion, bar, bar_value, measured, exact_interval(hits, n) if n else None, n, ok)

    def figure(
        self, criterion: str, measured: float | None, n: int, interval: tuple[float, float] | None = None
    ) -> None:
        """A figure without a bar."""
        self._add(criterion, "shown", None, measured, interval, n, None)

    def _add(
        self,
        criterion: str,
        bar: str,
        bar_value: float | None,
        measured: float | None,
        interval: tuple[float, float] | None,
        n: int,
        ok: bool | None,
    ) -> None:
        entry: Entry = {
            "criterion": criterion,
            "bar": bar,
            "bar_value": bar_value,
            "measured": None if measured is None else round(measured, 4),
            "interval": None if interval is None else [round(x, 4) for x in interval],
            "n": n,
            "seed": self.seed,
            "comparator": "the whole audit on drawn sufficient statistics",
            "ok": ok,
        }
        self.entries.append(entry)
        value = "-" if measured is None else f"{measured:.3g}" if bar == "shown" and measured > 1 else f"{measured:.1%}"
        shown = "" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]"
        verdict = {True: "met", False: "MISSED", None: ""}[ok]
        print(f"  {criterion:76s} {value:>7s}{shown:18s} n={n:<5d} {bar} {verdict}", flush=True)


def _routing(found: Found) -> bool:
    return any(a.cause == "routing" for a in found.alarms)


def healthy(table: Table, seeds: Sequence[int], processes: int) -> None:
    """Alarms, routing alarms and verdicts of loss where nothing is lost."""
    for name, text in (
        ("no_loss", "cheap fails as often as capable"),
        ("inside", "a loss of 1.7 points, inside the margin"),
    ):
        found = run(plans()[name], seeds, processes)
        alarms = [f for f in found if f.day is not None]
        n = len(found)
        print(f"\nHealthy log ({text}), {n} seeds, {HORIZON_DAYS} days of routing")
        table.share(f"healthy ({name}): any alarm", len(alarms), n, "at most alpha / 2 = 2.5 %", 0.025, least=500)
        table.share(
            f"healthy ({name}): an alarm laid to routing",
            sum(map(_routing, alarms)),
            n,
            "at most 2.5 %",
            0.025,
            least=500,
        )
        losses = sum(f.verdict in {"quality_loss", "pareto_trap"} for f in alarms)
        table.share(f"healthy ({name}): verdict quality_loss", losses, n, "at most 2.5 %", 0.025, least=500)
        for stream, count in Counter(f.stream for f in alarms).most_common():
            print(f"    {count} by {stream}")


def small_log(table: Table, seeds: Sequence[int], processes: int) -> None:
    """A healthy log of few requests, where at first everything is reviewed and sampling by risk begins with the roll-out."""
    plan = small(plans()["inside"], SMALL_QUERIES)
    found = run(
        replace(plan, parameters=replace(plan.parameters, hidden_before=0.06, hidden_after=0.06)), seeds, processes
    )
    changes = [f for f in found if f.stream.endswith("change")]
    print(
        f"\nHealthy log of {SMALL_QUERIES} queries a day, 6 % hidden intents from the first day (a loss, no change), {len(found)} seeds"
    )
    table.share(
        "small log without a change: a change alarm", len(changes), len(found), "at most 2.5 %", 0.025, least=500
    )


def correlated(table: Table, seeds: Sequence[int], processes: int) -> None:
    """The same where all reviews of a day move together, which breaks the model that the evidence rests on."""
    for effect in ("tier", "shared"):
        for rho in CORRELATIONS:
            found = run(replace(plans()["no_loss"], rho=rho, effect=effect), seeds, processes)
            hits = [f for f in found if f.day is not None]
            bar, value = ("at most 5 %", 0.05) if rho == 0.01 else ("shown", None)
            table.share(
                f"healthy, reviews of a day correlate by {rho}, {effect} effects: any alarm",
                len(hits),
                len(found),
                bar,
                value,
                least=500,
            )
            table.share(
                f"healthy, reviews of a day correlate by {rho}, {effect} effects: laid to routing",
                sum(map(_routing, hits)), len(found), "shown", None,
            )  # fmt: skip
            print("    " + ", ".join(f"{c} by {s}" for s, c in Counter(f.stream for f in hits).most_common(4)))


def _days(found: Found, moment: datetime) -> int:
    return (moment.date() - found.routing_start).days


def power(table: Table, seeds: Sequence[int], processes: int) -> None:
    """The story: how soon, what is named, since when, why."""
    plan = plans()["story"]
    onset, target = plan.parameters.ramp_start_day, plan.parameters.target_intent
    found = run(plan, seeds, processes)
    n = len(found)
    early = [f for f in found if f.day is not None and f.day < onset]
    late = [f for f in found if f.day is not None and f.day >= onset]
    print(f"\nThe story, {n} seeds: hidden intents grow from 2 to 20 % over 28 days from day {onset} of routing")
    table.share(
        "story: alarm before the ramp (the worst segment is beyond the margin from the start)",
        len(early),
        n,
        "shown",
        None,
    )
    delays = sorted(
        [f.day - onset + 1 for f in late if f.day is not None] + [HORIZON_DAYS] * (n - len(early) - len(late))
    )
    for q, word in ((0.5, "median"), (0.9, "90th percentile")):
        table.figure(
            f"story: days from onset to alarm at 7200, unknown baseline, {word}",
            float(np.quantile(delays, q, method="lower")),
            len(delays),
        )
    firsts = [(f, f.alarms[0]) for f in late if f.alarms]
    count = len(firsts)

    def told(
        criterion: str, right: Callable[[Found, Alarm], bool], value: float | None, among: list | None = None
    ) -> None:
        group = firsts if among is None else among
        hits = sum(right(f, a) for f, a in group)
        bar = "shown" if value is None else f"at least {value:.0%}"
        table.share(f"story: {criterion}", hits, len(group), bar, value, least=100, above=True)

    def worst(alarm: Alarm) -> bool:
        return alarm.tier == "cheap" and alarm.segment.value == target

    def named_by(found: Found, days: int) -> Alarm | None:
        """The first alarm of the cheap tier that names a segment by then."""
        last = found.alarms[0].detected_at + timedelta(days=days)
        return next(
            (a for a in found.alarms if a.tier == "cheap" and not a.segment.is_whole and a.detected_at <= last), None
        )

    told("first alarm names the cheap tier", lambda _f, a: a.tier == "cheap", 0.95)
    told("first alarm names the worst segment", lambda _f, a: worst(a), None)
    told("first alarm names the whole tier", lambda _f, a: a.segment.is_whole, None)
    told("first alarm names the worst segment or the whole tier", lambda _f, a: worst(a) or a.segment.is_whole, 0.95)
    named = [(f, a) for f, a in firsts if not a.segment.is_whole]
    told("segments named at the first alarm that are the worst one", lambda _f, a: worst(a), 0.95, named)
    told(
        f"worst segment is the first named within {LATER_DAYS} days of the alarm",
        lambda f, _a: (x := named_by(f, LATER_DAYS)) is not None and worst(x),
        0.95,
    )
    told("worst segment named at any time", lambda f, _a: any(worst(x) for x in f.alarms), None)
    told(
        "some other segment of the cheap tier is named, too",
        lambda f, _a: any(x.tier == "cheap" and not x.segment.is_whole and not worst(x) for x in f.alarms),
        None,
    )

    def covers(f: Found, a: Alarm) -> bool:
        return a.onset_interval is not None and _days(f, a.onset_interval[0]) <= onset <= _days(f, a.onset_interval[1])

    told("onset interval covers the truth", covers, 0.90)
    width = [_days(f, a.onset_interval[1]) - _days(f, a.onset_interval[0]) + 1 for f, a in firsts if a.onset_interval]
    table.figure("story: days in the onset interval, median", float(np.median(width)), count)
    told("first alarm laid to routing", lambda _f, a: a.cause == "routing", 0.90)
    told("verdict quality_loss", lambda f, _a: f.verdict in {"quality_loss", "pareto_trap"}, 0.95)
    for cause, many in Counter(f"{a.cause}, {a.kind}" for _, a in firsts).most_common():
        print(f"    first alarm: {many} {cause}")


def provider(table: Table, seeds: Sequence[int], processes: int) -> None:
    """Both tiers and the holdout get worse together: nobody may blame routing."""
    plan = plans()["provider"]
    found = run(plan, seeds, processes)
    hits = [f for f in found if f.day is not None]
    n = len(found)
    print(
        f"\nA provider's change on day {plan.worse_from_day}: both tiers fail {100 * plan.worse_by:.0f} points more often, {n} seeds"
    )
    table.share("provider change: any alarm", len(hits), n, "shown", None)
    table.share(
        "provider change: first alarm laid to routing",
        sum(f.alarms[0].cause == "routing" for f in hits if f.alarms),
        n,
        "at most 5 %",
        0.05,
        least=100,
    )
    table.share(
        "provider change: any alarm laid to routing", sum(map(_routing, hits)), n, "at most 5 %", 0.05, least=100
    )
    table.share(
        "provider change: verdict quality_loss",
        sum(f.verdict in {"quality_loss", "pareto_trap"} for f in hits),
        n,
        "at most 5 %",
        0.05,
        least=100,
    )
    for cause, many in Counter(f"{a.cause} {a.tier} {a.kind}" for f in hits for a in f.alarms).most_common():
        print(f"    {many} alarms: {cause}")


def measure(seed: int, *, seeds: int, power_seeds: int, processes: int = 2, correlations: bool = True) -> list[Entry]:
    """All figures as entries of the benchmark's JSON, printed on the way.

    Args:
        seed: First seed.
        seeds: Healthy logs of each sort.
        power_seeds: Logs with a planted change.
        processes: Worker processes.
        correlations: Also measure what correlated reviews do.
    """
    table = Table(seed)
    healthy(table, range(seed, seed + seeds), processes)
    small_log(table, range(seed, seed + power_seeds), processes)
    power(table, range(seed, seed + power_seeds), processes)
    provider(table, range(seed, seed + power_seeds), processes)
    if correlations:
        print("\nHealthy logs whose reviews correlate within a day")
        correlated(table, range(seed, seed + power_seeds), processes)
    return table.entries


def main() -> int:
    """Run everything; exit status 0 whatever the figures say (the JSON says which bars were met)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds, under a minute")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--seeds", type=int, help="healthy logs of each sort (default 500, quick 24)")
    parser.add_argument("--power-seeds", type=int, help="logs with a planted change (default 100, quick 10)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/bench/healthy_audits.json"))
    args = parser.parse_args()
    started = time.perf_counter()
    entries = measure(
        args.seed,
        seeds=args.seeds or (24 if args.quick else 500),
        power_seeds=args.power_seeds or (10 if args.quick else 100),
        processes=args.processes,
        correlations=not args.quick,
    )
    print(f"{time.perf_counter() - started:.0f} s")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    payload = {
        "bench": "healthy_audits",
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}",
        "command": "python " + " ".join(sys.argv),
        "results": entries,
    }
    args.out.write_text(json.dumps(payload, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
