"""Healthy half-years: how often anything is rolled back, and what is left of the savings."""

from dataclasses import dataclass, replace

import numpy as np

from detection.common import ENOUGH_RUNS, NEVER, in_processes, share_interval
from detection.steered import World
from guard.damage_rows import OURS, first_restriction, other_rules
from guard.guarded import Guarding, guarded, healthy_model
from guard.money import stakes
from report import Report
from undertow.simulation.story import Scenario, scenario

DAYS = 180


@dataclass(frozen=True)
class Job:
    """Healthy runs of a way to answer alarms."""

    guarding: Guarding
    name: Scenario
    runs: int
    rho: float
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Calm:
    """By run: whether it alarmed, whether anything was routed back, share of savings kept."""

    alarmed: np.ndarray
    restricted: np.ndarray
    kept: np.ndarray


def run_job(job: Job) -> Calm:
    """The simulation of a job."""
    model = healthy_model(scenario(job.name))
    found = guarded(job.guarding, model, job.runs, np.random.default_rng(job.seed), days=DAYS, world=World(rho=job.rho))
    savings = stakes(model, DAYS).savings
    kept = (savings[:, None] * found.exposed).sum((0, 2)) / savings.sum()
    return Calm(found.alarm < NEVER, first_restriction(found.exposed) < NEVER, kept)


def bench_healthy(report: Report, runs: int) -> None:
    """False rollbacks and savings kept, ours and the rules of others."""
    whole = replace(OURS, text="the same alarm, whole tier back", where="whole")
    jobs = [
        Job(way, name, runs, rho, (report.seed, 9, i))
        for way in (OURS, whole)
        for i, (name, rho) in enumerate((("healthy", 0.0), ("half", 0.0), ("half", 0.01)))
    ]
    texts = {"healthy": "rollout and after", "half": "full rollout"}
    print(f"\nHealthy half-years, {runs} seeds: alarms, false rollbacks (bar 5 %), savings kept before the cost of watching (bar 98 %)")  # fmt: skip
    for job, calm in zip(jobs, in_processes(run_job, jobs), strict=True):
        place = f"{texts[job.name]}, rho {job.rho:g}"
        hits, kept = int(calm.restricted.sum()), float(calm.kept.mean())
        print(f"{job.guarding.text:52s} {place:28s} {calm.alarmed.mean():7.2%} {hits / runs:7.2%} {kept:8.3%}")
        is_ours, enough = job.guarding.where == "placed", runs >= ENOUGH_RUNS
        report.add(f"healthy ({place}): half-years with a false rollback", "at most 5 %" if is_ours else "shown", 0.05 if is_ours else None,
                   hits / runs, share_interval(hits, runs), runs, hits / runs <= 0.05 if is_ours and enough else None, job.guarding.text)  # fmt: skip
        report.add(f"healthy ({place}): savings kept before the cost of watching, mean", "at least 98 %" if is_ours else "shown",
                   0.98 if is_ours else None, kept, None, runs, kept >= 0.98 if is_ours and enough else None, job.guarding.text)  # fmt: skip
        report.add(f"healthy ({place}): half-years with an alarm", "shown", None, float(calm.alarmed.mean()), None, runs, None, job.guarding.text)  # fmt: skip
    _others(report, runs)


def _others(report: Report, runs: int) -> None:
    model = healthy_model(scenario("half"))
    for rule, moment in other_rules(model, runs, (report.seed, 9, 1), days=DAYS).items():
        hits = int((moment < NEVER).sum())
        kept = float(np.minimum(moment, DAYS).mean() / DAYS)
        print(f"{rule:52s} {'full rollout, rho 0':28s} {hits / runs:7.2%} {hits / runs:7.2%} {kept:8.3%}")
        report.add("healthy (full rollout, rho 0): half-years with a false rollback", "shown", None, hits / runs, share_interval(hits, runs), runs, None, rule)  # fmt: skip
        report.add("healthy (full rollout, rho 0): savings kept before the cost of watching, mean", "shown", None, kept, None, runs, None, rule)  # fmt: skip
