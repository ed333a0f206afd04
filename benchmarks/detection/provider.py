"""Who is blamed: a provider that changes its model, a grader that fails, a judge that is swapped.

    python benchmarks/detection/provider.py [--quick] [--data FOLDER]

Part 1, real answers (llmdrift: the same prompts to two snapshots each of GPT-3.5 and GPT-4) with scripted arrival, through files and the
whole audit: the capable tier becomes its June snapshot. Part 2, counts drawn for the support assistant: both tiers get worse together, or all
labels of some days are wrong. Part 3, the same tables as a regression suite that is run day after day: snapshots, swapped judges and broken graders.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import undertow
from drawn_logs import DrawnLog, Plan, cells_of, draw_log, plans
from healthy_audits import SETTINGS, exact_interval
from report import Report
from undertow.adapters.replay.store import START, write_replay
from undertow.adapters.replay.tables import llmdrift
from undertow.records.cells import AuditCells
from undertow.records.report import Alarm
from undertow.records.suite import ROUTED, CaseResult, RunResults, SuiteReport, SuiteRun
from undertow.services.audit import audit
from undertow.simulation.arrival import ArrivalPlan, OutcomeTable
from undertow.suites.verdict import report_on

SEEDS, QUICK_SEEDS = 100, 1
FAULT_SEEDS, QUICK_FAULT_SEEDS = 50, 1
SUITE_SEEDS, QUICK_SEEDS_OF_SUITE = 100, 2
RUNS_BEFORE, RUNS_AFTER = 6, 2
SUITE_CASES = 300
MARGIN = 0.02

Fault = tuple[str, int, int, int | None]
"""`all_fail` or `flip`; first day of routing; days; place of the intent, None: all."""

FAULTS: dict[str, Fault] = {
    "all labels of 3 days say wrong": ("all_fail", 60, 3, None),
    "all labels of 2 days in the roll-out say wrong": ("all_fail", 20, 2, None),
    "all labels of 2 days are turned round": ("flip", 60, 2, None),
    "the parser fails in one segment for a week": ("all_fail", 60, 7, 0),
    "labels of one segment are turned round for 10 days": ("flip", 60, 10, 0),
    "the parser fails in one segment from then on": ("all_fail", 60, 10_000, 1),
}


def bench(report: Report, *, quick: bool, data: Path) -> None:
    """All parts. Those whose table is missing are written down with n = 0.

    Args:
        report: Takes the figures.
        quick: Few seeds.
        data: Folder of the public tables.
    """
    table = llmdrift(data) if (data / "llmdrift_mar_jun_2023.parquet").is_file() else None
    _real_snapshots(report, table, QUICK_SEEDS if quick else SEEDS)
    _both_tiers(report, QUICK_FAULT_SEEDS if quick else FAULT_SEEDS)
    _label_faults(report, QUICK_FAULT_SEEDS if quick else FAULT_SEEDS)
    _suites(report, table, QUICK_SEEDS_OF_SUITE if quick else SUITE_SEEDS)


# --- part 1: real snapshots through the audit --------------------------------------------------------------------------


def _real_snapshots(report: Report, table: OutcomeTable | None, seeds: int) -> None:
    """GPT-4 of March becomes GPT-4 of June: by all prompts, and by those on which the cheap tier lost nothing before.

    On all prompts the cheap tier was 16 points worse already in March: that loss is the routing's, and an alarm that tells it is right. So
    what counts there is what is said of the change: alarms of the capable tier, and changes of any tier since the snapshot's day.
    """
    criterion = "llmdrift, {}: the change is seen and laid to the provider"
    blamed = "llmdrift, {}: the change is laid to routing"
    for name, pick in (("all prompts", lambda t: t), ("primes where the cheap tier lost nothing", _balanced)):
        if table is None:
            for text in (criterion, blamed):
                report.add(text.format(name), "needs llmdrift", None, None, None, 0, None, "the audit, through files")
            continue
        found = [_audit_replay(pick(table), seed) for seed in range(report.seed, report.seed + seeds)]
        told = [[a for a in alarms if _is_of_the_change(a)] for alarms in found]
        provider = sum(any(a.cause == "provider" for a in alarms) for alarms in told)
        routing = sum(any(a.cause == "routing" for a in alarms) for alarms in told)
        _share(report, criterion.format(name), provider, seeds, 0.95, above=True, how="the audit, through files")
        _share(report, blamed.format(name), routing, seeds, 0.05, how="the audit, through files")


PLAN = ArrivalPlan(queries_per_day=1_000, weeks=9)


def _is_of_the_change(alarm: Alarm) -> bool:
    """Whether an alarm is about what happened on the snapshot's day: a change that began near it, or anything of the capable tier."""
    day = START + timedelta(days=PLAN.shift_day)
    return alarm.detected_at.date() > day and (alarm.tier == "capable" or alarm.kind == "change")


def _balanced(table: OutcomeTable) -> OutcomeTable:
    """Primes alone, without those that only GPT-4 of March got right: a log that is healthy until the provider changes."""
    prime = table.segment == table.segments.index("prime")
    kept = prime & ~((table.value[:, 1] > 0.5) & (table.value[:, 0] < 0.5))
    return replace(table, eligible=kept, usual=kept, shifted=kept)


def _audit_replay(table: OutcomeTable, seed: int) -> tuple[Alarm, ...]:
    kept = table.eligible
    picked = {
        name: getattr(table, name)[kept]
        for name in (
            "segment", "value", "eligible", "usual", "shifted", "confidence", "input_tokens", "output_tokens", "provider_value"
        )
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="undertow-provider-") as folder:
        write_replay(replace(table, **picked), PLAN, Path(folder), seed=seed, overwrite=True)
        return undertow.run_audit(undertow.AuditRequest((folder,))).alarms


# --- part 2: drawn counts through the audit ----------------------------------------------------------------------------


def _both_tiers(report: Report, seeds: int) -> None:
    """Both tiers' failures grow by 6 points, as when one provider serves both."""
    found = [
        audit(cells_of(draw_log(plans()["provider"], s)), SETTINGS) for s in range(report.seed, report.seed + seeds)
    ]
    first = sum(bool(r.alarms) and r.alarms[0].cause == "provider" for r in found)
    how = "the audit, on drawn counts"
    _share(report, "both tiers' share moved: first alarm laid to the provider", first, seeds, 0.95, above=True, how=how)
    routing = sum(any(a.cause == "routing" for a in r.alarms) for r in found)
    _share(report, "both tiers' share moved: any alarm laid to routing", routing, seeds, 0.05, how=how)


def _label_faults(report: Report, seeds: int) -> None:
    """Labels that are wrong for every tier alike: alarms there may be, but none that blames the cheap tier."""
    for name, fault in FAULTS.items():
        blamed = 0
        for seed in range(report.seed, report.seed + seeds):
            found = audit(_faulty(plans()["inside"], fault, seed), SETTINGS)
            blamed += any(a.tier == "cheap" and a.cause == "routing" for a in found.alarms)
        _share(report, f"grader fault, {name}: cheap tier blamed", blamed, seeds, 0.0, how="the audit, on drawn counts")


def _faulty(plan: Plan, fault: Fault, seed: int) -> AuditCells:
    kind, first, days, intent = fault
    log: DrawnLog = draw_log(plan, seed)
    flagged = log.flagged.copy()
    start = log.parameters.pre_days + first
    where = (
        slice(start, start + days),
        slice(None),
        slice(None),
        slice(None) if intent is None else slice(intent, intent + 1),
    )
    flagged[where] = log.reviews[where] if kind == "all_fail" else log.reviews[where] - log.flagged[where]
    return cells_of(replace(log, flagged=flagged))


# --- part 3: the suite -------------------------------------------------------------------------------------------------

Score = dict[str, np.ndarray]
"""Tier -> probability that it is right, a case."""


def _suites(report: Report, table: OutcomeTable | None, seeds: int) -> None:
    how = "the suite, run by run"
    rng = np.random.default_rng([report.seed, 5])
    quiet = sum(_verdict_of(_drawn_runs(rng, None)) == "loss" for _ in range(seeds))
    _share(report, "suite, nothing changes, judged after every run: a loss is said", quiet, seeds, 0.05, how=how)
    if table is None:
        report.add("suite, llmdrift: laid to the provider", "needs llmdrift", None, None, None, 0, None, how)
    else:
        _count(
            report, "suite, llmdrift: laid to the provider", seeds, lambda: _llmdrift_runs(table, rng), "provider", how
        )
    for name, change, cause in (
        ("a threshold is lowered", "routing", "routing"),
        ("the cheap tier's model changes", "cheap", "provider"),
        ("the capable tier's model changes", "capable", "provider"),
    ):
        _count(
            report, f"suite, {name}: laid to {cause}", seeds, lambda change=change: _drawn_runs(rng, change), cause, how
        )
    for name, change in (
        ("the judge is swapped for a stricter one", "swap"),
        ("a judge turns stricter under its name", "drift"),
        ("the check fails on half of all answers", "broken"),
    ):
        causes = [_causes(_drawn_runs(rng, change)) for _ in range(seeds)]
        blamed = sum(bool(found & {"routing", "provider"}) for found in causes)
        _share(report, f"suite, {name}: a tier or the routing is blamed", blamed, seeds, 0.0, how=how)


def _count(report: Report, text: str, seeds: int, draw: Callable[[], list[RunResults]], cause: str, how: str) -> None:
    """Of the suites in which a change is shown, how many lay it to the cause; and how many show one."""
    found = [_causes(draw(), "change") for _ in range(seeds)]
    shown = [causes for causes in found if causes]
    right = sum(causes - {"unknown"} == {cause} for causes in shown)
    _share(report, text, right, len(shown), 0.95, above=True, how=how)
    interval = exact_interval(len(shown), seeds)
    report.add(f"{text}: shown within {RUNS_AFTER} runs", "shown", None, len(shown) / seeds, interval, seeds, None, how)


def _told(runs: list[RunResults]) -> SuiteReport:
    return report_on(runs, alpha=0.05, margin=MARGIN, level=0.95)


def _causes(runs: list[RunResults], *kinds: str) -> set[str]:
    """Causes that the last run names; `unknown` names none."""
    return {each.cause for each in _told(runs).findings if not kinds or each.kind in kinds}


def _verdict_of(runs: list[RunResults]) -> str:
    """`loss` if any run on the way says so."""
    return "loss" if any(_told(runs[: k + 1]).verdict == "loss" for k in range(len(runs))) else "none"


def _llmdrift_runs(table: OutcomeTable, rng: np.random.Generator) -> list[RunResults]:
    """Real answers of both snapshots; half of the cases are routed to the cheap tier, as a threshold would have it."""
    assert table.provider_value is not None
    prime = np.flatnonzero(table.segment == table.segments.index("prime"))
    picked = rng.choice(prime, SUITE_CASES, replace=False)
    cheap, before, after = table.value[picked, 0], table.value[picked, 1], table.provider_value[picked]
    routed = rng.random(SUITE_CASES) < 0.5
    runs = []
    for k in range(RUNS_BEFORE + RUNS_AFTER):
        score = {"cheap": cheap, "capable": before if k < RUNS_BEFORE else after}
        runs.append(_run(k, rng, score, routed, answers="changed" if k >= RUNS_BEFORE else "usual"))
    return runs


def _drawn_runs(rng: np.random.Generator, change: str | None) -> list[RunResults]:
    """A suite whose cases are each right with a probability of their own; what changes changes after `RUNS_BEFORE` runs.

    The cheap tier fails most of a quarter of the cases, which a sound threshold sends to the capable tier.
    """
    easy = rng.beta(6, 0.6, SUITE_CASES)
    hard = rng.random(SUITE_CASES) < 0.25
    score = {"cheap": np.where(hard, 0.2 * easy, easy), "capable": np.minimum(1, easy + 0.01)}
    routed = ~hard & (rng.random(SUITE_CASES) < 0.6)
    hit = rng.random(SUITE_CASES) < 0.25
    runs = []
    for k in range(RUNS_BEFORE + RUNS_AFTER):
        now, routed_now, grader, answers, fails = dict(score), routed, "exact", "usual", None
        is_after = k >= RUNS_BEFORE
        if is_after and change in {"cheap", "capable"}:
            now[change] = np.where(hit, now[change] * 0.2, now[change])
            answers = "changed"
        if is_after and change == "routing":
            routed_now = routed | hard
        if change in {"swap", "drift"}:
            grader = "judge:b" if change == "swap" and is_after else "judge:a"
        if is_after and change in {"swap", "drift", "broken"}:
            fails = hit if change != "broken" else np.arange(SUITE_CASES) % 2 == 0
        runs.append(_run(k, rng, now, routed_now, grader=grader, answers=answers, fails=fails))
    return runs


def _run(
    k: int,
    rng: np.random.Generator,
    score: Score,
    routed: np.ndarray,
    *,
    grader: str = "exact",
    answers: str = "usual",
    fails: np.ndarray | None = None,
) -> RunResults:
    """One run. `fails`: cases whose answers, whatever they are, count as wrong. Answers are short, so right ones are alike."""
    drawn = {tier: rng.random(len(p)) < p for tier, p in score.items()}
    drawn[ROUTED] = np.where(
        routed, rng.random(len(routed)) < score["cheap"], rng.random(len(routed)) < score["capable"]
    )
    results = []
    for target in (ROUTED, "cheap", "capable"):
        for i, right in enumerate(drawn[target]):
            tier = ("cheap" if routed[i] else "capable") if target == ROUTED else target
            seen = bool(right) and not (fails is not None and bool(fails[i]))
            text = "right" if right else f"wrong-{target}-{answers}"
            results.append(
                CaseResult(
                    case_id=str(i), digest="d", target=target, status="ok", score=float(seen), grader=grader, tier=tier,
                    model=tier, fingerprint=answers, answer_hash=text, segment={"intent": "abcd"[i % 4]},
                )
            )  # fmt: skip
    head = SuiteRun(
        run_id=str(k),
        suite="bench",
        digest="d",
        began_at="",
        ended_at="",
        tiers=("cheap", "capable"),
        capable="capable",
    )
    return RunResults(run=head, results=tuple(results))


# --- figures -----------------------------------------------------------------------------------------------------------


def _share(report: Report, text: str, hits: int, n: int, bar: float, *, above: bool = False, how: str) -> None:
    if n == 0:
        report.add(text, f"{'at least' if above else 'at most'} {bar:.0%} of seeds", bar, None, None, 0, None, how)
        return
    measured = hits / n
    ok = measured >= bar if above else measured <= bar
    word = "at least" if above else "at most"
    report.add(
        text, f"{word} {bar:.0%} of seeds", bar, measured, exact_interval(hits, n), n, ok if n >= 20 else None, how
    )
    print(f"  {text:86s} {measured:6.1%} of {n:<4d} {word} {bar:.0%}", flush=True)


def main() -> int:
    """Run all parts and write build/bench/provider.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    args = parser.parse_args()
    report = Report(args.seed)
    bench(report, quick=args.quick, data=args.data)
    report.write("provider", Path("build/bench/provider.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
