"""What each part of design (g) is worth: the same design with one of them changed."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from detection.common import LOSSES, PRODUCT_LINE, days_text, in_processes
from detection.steered import Design, G, hurried, simulate
from report import Report
from undertow.sampling.steering import steer_in_proportion, steer_to_top
from undertow.simulation.story import Scenario, scenario

ALTERNATIVES: tuple[tuple[str, Design], ...] = (
    ("as it is", G),
    ("one round a day", replace(G, rounds=1)),
    ("20 rounds a day", replace(G, rounds=20)),
    ("the judge alone steers", replace(G, people_steer=False)),
    ("70 % to the top cell above 20", replace(G, steer=steer_to_top)),
    ("70 % to the top cell above 5", replace(G, steer=partial(steer_to_top, line=5.0))),
    ("in proportion, any hint counts", replace(G, steer=partial(steer_in_proportion, calm=0.5))),
    ("in proportion, only strong evidence", replace(G, steer=partial(steer_in_proportion, calm=80.0))),
    ("shadow pairs as the traffic is", replace(G, shadow_tail=None)),
    ("base labels as the traffic is, half in the tail", replace(G, base_tail=0.5, base_even=0.0)),
    ("one answer at a time (50 % seen)", replace(G, seen_hidden=0.5)),
    ("140 labels of cheap answers", replace(G, labels=140)),
)


@dataclass(frozen=True)
class Job:
    """One design in one scenario."""

    design: Design
    name: Scenario
    runs: int
    seed: tuple[int, ...]


def run_job(job: Job) -> np.ndarray:
    """Delays at the product's line."""
    model = scenario(job.name)
    trace = simulate(job.design, job.name, job.runs, np.random.default_rng(job.seed))
    return trace.delays(PRODUCT_LINE, model.onset_day)


def bench_alternatives(report: Report, runs: int, *, quick: bool = False) -> None:
    """Delays of each, on the same seeds; shown."""
    print(f"\nDesign (g) with one thing changed (7200, {runs} runs): median/p90 days, mean")
    jobs = [
        Job(hurried(design, quick=quick), name, runs, (report.seed, 15, i))
        for _, design in ALTERNATIVES
        for i, name in enumerate(LOSSES)
    ]
    found = in_processes(run_job, jobs)
    for i, (text, _) in enumerate(ALTERNATIVES):
        cells = []
        for name, d in zip(LOSSES, found[3 * i : 3 * i + 3], strict=True):
            median, p90 = (float(np.quantile(d, q, method="lower")) for q in (0.5, 0.9))
            mean = float(np.minimum(d, 180).mean())
            cells.append(f"{days_text(median)}/{days_text(p90)} {mean:.2f}")
            report.add(f"(g) {name}: mean days at 7200, with one thing changed", "shown", None, mean, None, len(d), None,
                       f"{text}; median {days_text(median)}, 90 % {days_text(p90)}")  # fmt: skip
        print(f"  {text:50s} " + " ".join(f"{x:>13s}" for x in cells))
