"""What may be wrong with labels and judge, and what rows (e) to (g) make of it: false alarms with each fault, and the days it costs."""

from dataclasses import dataclass

import numpy as np

from detection.common import ENOUGH_RUNS, LOSSES, NEVER, PRODUCT_LINE, days_text, in_processes, share_interval
from detection.judged_rows import WEIGHTS_E, judged_evidence
from detection.steered import F_PAIRS, Design, F, G, Simulation, World, hurried
from report import Report
from undertow.detectors.e_detector import first_crossing
from undertow.simulation.story import Scenario, healthy, scenario
from undertow.simulation.story_judged import Returns, Reviewers

RHO = 0.01
DRIFT = 0.04

LATE = Returns((0.4, 0.3, 0.2, 0.1), (0.4, 0.3, 0.2, 0.1))
LATE_BY_OUTCOME = Returns((0.7, 0.2, 0.1, 0.0), (0.2, 0.3, 0.3, 0.2))
MISSING_BY_STRATUM = Returns(flagged_missing=(0.1, 0.3), unflagged_missing=(0.1, 0.3))
GOOD_MISSING = Returns(unflagged_missing=(0.3, 0.3), from_day=30)
FLAGS_MISSING = Returns(flagged_missing=(0.3, 0.3))


@dataclass(frozen=True)
class Fault:
    """One fault and one way to treat it.

    Attributes:
        name: For people.
        world: The simulation's.
        holds: Whether the treatment is meant to keep false alarms below 5 %; else it is shown why another is needed.
        designs: Rows it is tried on.
    """

    name: str
    world: World
    holds: bool
    designs: tuple[Design, ...] = (F, G)


FAULTS = (
    Fault("none", World(), True),
    Fault("correlation .01 within a day, bets as if independent", World(rho=RHO, rho_corrected=False), False, (F, F_PAIRS, G)),
    Fault("correlation .01 within a day, bets that allow for it", World(rho=RHO), True, (F, F_PAIRS, G)),
    Fault("judge flags 4 points more good answers from day 30", World(judge_drift=DRIFT), True, (F, F_PAIRS, G)),
    Fault("labels up to 3 days late, whatever they say", World(returns=LATE), True),
    Fault("flags come sooner than good answers, counted as they come", World(returns=LATE_BY_OUTCOME), False),
    Fault("flags come sooner than good answers, counted when the window closes",
          World(returns=LATE_BY_OUTCOME, window_closes=True), True),
    Fault("10 % of common and 30 % of tail labels never come", World(returns=MISSING_BY_STRATUM), True),
    Fault("30 % of good labels never come from day 30 on, those that come counted", World(returns=GOOD_MISSING), False),
    Fault("30 % of good labels never come from day 30 on, missing ones count as good",
          World(returns=GOOD_MISSING, window_closes=True), True),
    Fault("30 % of flags never come", World(returns=FLAGS_MISSING, window_closes=True), True),
    Fault("four reviewers of different strictness, one rate for all", World(reviewers=Reviewers(), by_reviewer=False), False),
    Fault("four reviewers of different strictness, each against their own rate", World(reviewers=Reviewers()), True),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A fault on a design for another process."""

    fault: Fault
    design: Design
    name: Scenario
    runs: int
    seed: tuple[int, ...]
    healthy_run: bool


def run_job(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Delays at the product's line (of a healthy run: moments), and moments of the judge alone."""
    model = scenario(job.name)
    model = healthy(model) if job.healthy_run else model
    trace = Simulation(job.design, model, job.fault.world, job.runs, np.random.default_rng(job.seed)).run()
    if job.healthy_run:
        return trace.days[PRODUCT_LINE], trace.judge_days
    return trace.delays(PRODUCT_LINE, model.onset_day), trace.judge_days


def bench_faults(report: Report, runs: int, null_runs: int, *, quick: bool = False) -> None:
    """False alarms and delays at the product's line under each fault."""
    print(f"\nFaults of labels and judge (7200): false alarms in 180 healthy days ({null_runs} runs), median/p90 days ({runs} runs)")  # fmt: skip
    print(f"{'':74s} {'design':>6s} {'false alarms':>13s} " + " ".join(f"{x:>9s}" for x in LOSSES))
    jobs = []
    for i, fault in enumerate(FAULTS):
        for chosen in fault.designs:
            design = hurried(chosen, quick=quick)
            jobs.append(Job(fault, design, "half", null_runs, (report.seed, 11, i), True))
            jobs += [Job(fault, design, name, runs, (report.seed, 12, i, k), False) for k, name in enumerate(LOSSES)]
    for job, (found, judge) in zip(jobs, results := in_processes(run_job, jobs), strict=True):
        if not job.healthy_run:
            continue
        at = jobs.index(job)
        texts = []
        for name, (d, _) in zip(LOSSES, results[at + 1 : at + 4], strict=True):
            values = [float(np.quantile(d, q, method="lower")) if len(d) else float(NEVER) for q in (0.5, 0.9)]
            texts.append("/".join(map(days_text, values)))
            report.add(f"({job.design.name}) {name}: median days at 7200; {job.fault.name}", "shown", None, values[0], None, len(d),
                       None, f"90 %: {days_text(values[1])}")  # fmt: skip
        hits = int((found < NEVER).sum())
        report.add(f"({job.design.name}) false alarms in 180 healthy days; {job.fault.name}",
                   "at most 5 %" if job.fault.holds else "shown: why it is treated otherwise",
                   0.05 if job.fault.holds else None, hits / null_runs, share_interval(hits, null_runs), null_runs,
                   hits / null_runs <= 0.05 if job.fault.holds and null_runs >= ENOUGH_RUNS else None)  # fmt: skip
        print(f"{job.fault.name:74s} {job.design.name:>6s} {hits / null_runs:13.1%} " + " ".join(f"{x:>9s}" for x in texts))  # fmt: skip
        if job.fault.world.judge_drift and job.design is F:
            alone = int((judge < NEVER).sum())
            report.add("false alarms in 180 healthy days of a detector of the judge's verdicts alone, judge drifting by 4 points",
                       "shown: why it may only steer", None, alone / null_runs, share_interval(alone, null_runs), null_runs, None)  # fmt: skip
            print(f"{'  the same, judge alone':74s} {'':>6s} {alone / null_runs:13.1%}")
    model = healthy(scenario("half"))
    evidence = judged_evidence(model, null_runs, np.random.default_rng([report.seed, 13]), WEIGHTS_E, DRIFT)
    hits = int((first_crossing(evidence, PRODUCT_LINE) >= 0).sum())
    print(f"{'judge flags 4 points more good answers from day 30':74s} {'e':>6s} {hits / null_runs:13.1%}")
    report.add("(e) false alarms in 180 healthy days; judge flags 4 points more good answers from day 30", "at most 5 %", 0.05,
               hits / null_runs, share_interval(hits, null_runs), null_runs, hits / null_runs <= 0.05 if null_runs >= ENOUGH_RUNS else None)  # fmt: skip
