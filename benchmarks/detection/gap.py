"""What lies between a design's delay and its information bound: one thing less is told at each step, the mean delay taken anew.

1. the bound: log(line) / relative entropy of the labels (all of them in the best cell, where labels are steered)
2. told the law and the place, line calibrated to 5 % in 180 days: what whole labels, rounds and overshoot cost
3. the same, line 3600: the guarantee
4. told the place, not the law: bets on many multiples, as good as continuous: the unknown alternative
5. nine multiples: the grid
6. all streams, weighted: the unknown place, in the evidence
7. the design itself: the unknown place, in where labels go
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from detection.common import BOUND_LINE, LOSSES, NEVER, PUBLISHED_LINE, in_processes
from detection.design_rows import WEIGHTS_C
from detection.steered import (
    BY_CELL,
    BY_SEGMENT,
    CELLS,
    F_PAIRS,
    MEMBERS,
    SEGMENTS,
    TAIL,
    TIER,
    Design,
    F,
    G,
    hurried,
    simulate,
)
from report import Report
from undertow.detectors.e_detector import EDetector
from undertow.sampling.steering import whole_labels
from undertow.simulation.story import (
    Scenario,
    StoryModel,
    baseline,
    cells,
    hidden_share,
    information,
    lorden_bound,
    scenario,
)
from undertow.simulation.story_judged import best_cell_information
from undertow.stats.betting import BET_MULTIPLIERS, log_bernoulli_bets

CONTINUOUS = tuple(np.geomspace(1.05, 8.0, 60))
HORIZON = 120
"""Days after the onset; whoever has not alarmed by then counts with so many."""

C = replace(F, name="c", text="long tail, no steering", weights=(
    WEIGHTS_C["tier"], WEIGHTS_C["tail"], WEIGHTS_C["segment"], 0.0, WEIGHTS_C["capable"]))  # fmt: skip
DESIGNS = (C, F, F_PAIRS, G)
STEPS = (
    "whole labels and overshoot", "guarantee", "unknown alternative", "grid of alternatives", "unknown place: streams",
    "unknown place: allocation",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One design in one scenario."""

    design: Design
    name: Scenario
    runs: int
    seed: tuple[int, ...]


class Told:
    """Labels of a design that is told where the loss is; (c) keeps its quotas."""

    def __init__(self, job: Job) -> None:
        self.design, self.runs = job.design, job.runs
        self.model: StoryModel = replace(scenario(job.name), seen_hidden=job.design.seen_hidden)
        self.is_step = self.model.ramp_days == 1
        self.rng = np.random.default_rng(job.seed)
        null = baseline(self.model).cells
        self.null = null.flag_rate.ravel()
        after = cells(self.model, self.model.hidden_after).flag_rate.ravel()
        gain = after * np.log(after / self.null) + (1 - after) * np.log((1 - after) / (1 - self.null))
        if self.design.name == "c":
            quota = np.array([self.model.cheap_reviews - self.model.tail_reviews, self.model.tail_reviews])
            self.labels = (quota * null.share / null.share.sum(0)).ravel()
            self.information = information(self.model, stratified=True)
        else:
            self.labels = job.design.labels * (np.arange(CELLS) == gain.argmax())
            self.information = best_cell_information(self.model, job.design.labels)
        self.after = after

    def draw(self, days: int, *, is_healthy: bool) -> tuple[np.ndarray, np.ndarray]:
        """Flags and labels by round. Shapes (days * rounds, R, C)."""
        rounds = self.design.rounds
        rate = np.stack([self.null if is_healthy else self._rates(day) for day in range(days)])
        expected = np.broadcast_to(self.labels / rounds, (days * rounds, self.runs, CELLS))
        n = whole_labels(expected, self.rng.random((days * rounds, self.runs)))
        return self.rng.binomial(n, np.repeat(rate, rounds, 0)[:, None]), n

    def _rates(self, day: int) -> np.ndarray:
        return cells(self.model, hidden_share(self.model, day)).flag_rate.ravel()

    def known(self, flags: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Log likelihood ratio of the true law, one bet. Shape (rounds, R, 1, 1)."""
        days = len(flags) // self.design.rounds
        law = np.stack([self.after if self.is_step else self._rates(day) for day in range(days)])
        law = np.repeat(law, self.design.rounds, 0)[:, None]
        log = flags * np.log(law / self.null) + (n - flags) * np.log((1 - law) / (1 - self.null))
        return log.sum(-1)[..., None, None]

    def run(self, log_bets: Iterable[np.ndarray], weights: np.ndarray) -> np.ndarray:
        """Weighted evidence by round, from the bets of each round, shape (R, streams, J). Shape (rounds, R)."""
        detector, out = None, []
        for i, bets in enumerate(log_bets):
            detector = detector or EDetector.start(bets.shape[:2], bets.shape[-1])
            detector = detector.update(bets, restart=i % self.design.rounds == 0)
            out.append(detector.evidence @ weights)
        return np.stack(out)

    def mean_delay(self, evidence: np.ndarray, line: float) -> float:
        """Mean days from onset to alarm; parts of a day count as such."""
        hit = evidence >= line
        moment = np.where(hit.any(0), (hit.argmax(0) + 1) / self.design.rounds, NEVER)
        late = moment[moment > self.model.onset_day]
        return float(np.minimum(late - self.model.onset_day, HORIZON).mean())


def steps_of(job: Job) -> list[float]:
    """Mean delays of steps 1 to 7."""
    told, design = Told(job), job.design
    model = told.model
    one = np.ones(1)
    calm = told.run(told.known(*told.draw(180, is_healthy=True)), one)
    calibrated = float(np.quantile(calm.max(0), 0.95))
    flags, n = told.draw(model.onset_day + HORIZON, is_healthy=False)
    law = told.run(told.known(flags, n), one)
    days = [lorden_bound(told.information, model.onset_day, BOUND_LINE)]
    days += [told.mean_delay(law, line) for line in (calibrated, PUBLISHED_LINE)]
    used = np.flatnonzero(told.labels)
    candidates = [TIER, TAIL, *range(*BY_SEGMENT.indices(99))] if design.name == "c" else [BY_CELL.start + int(used[0])]
    for multipliers in (CONTINUOUS, BET_MULTIPLIERS):
        best = np.inf
        for stream in candidates:
            member = np.flatnonzero(MEMBERS[stream] * told.labels)
            bets = (
                log_bernoulli_bets(k[:, member], many[:, member], told.null[member], multipliers).sum(-2)[:, None]
                for k, many in zip(flags, n, strict=True)
            )
            best = min(best, told.mean_delay(told.run(bets, one), PUBLISHED_LINE))
        days.append(best)
    tier, tail, segment, cell, _ = design.weights
    weights = np.concatenate([[tier, tail], np.full(SEGMENTS, segment / SEGMENTS), np.full(CELLS, cell / CELLS)])
    streams = np.flatnonzero(weights)
    bets = (
        np.einsum(
            "sc,rcj->rsj", MEMBERS[streams][:, used], log_bernoulli_bets(k[:, used], many[:, used], told.null[used])
        )
        for k, many in zip(flags, n, strict=True)
    )
    days.append(told.mean_delay(told.run(bets, weights[streams]), PUBLISHED_LINE))
    if design.name != "c":
        trace = simulate(design, job.name, job.runs, told.rng)
        moment = trace.days[PUBLISHED_LINE]
        late = moment[moment > model.onset_day]
        days.append(float(np.minimum(late - model.onset_day, HORIZON).mean()))
    return days


def bench_gap(report: Report, runs: int, *, quick: bool = False) -> None:
    """The table of steps, and an entry for each."""
    print(
        f"\nFrom the information bound to the delay: mean days at each step, {runs} runs, line 3600 but where calibrated"
    )
    heads = ("bound", "law known", "guarantee", "law unknown", "9 bets", "streams", "allocation")
    print(f"{'design':8s} {'scenario':9s} " + " ".join(f"{x:>11s}" for x in heads))
    jobs = [
        Job(hurried(d, quick=quick), name, runs, (report.seed, 14, i, k))
        for i, d in enumerate(DESIGNS)
        for k, name in enumerate(LOSSES)
    ]
    for job, days in zip(jobs, in_processes(steps_of, jobs), strict=True):
        print(f"({job.design.name:2s})     {job.name:9s} " + " ".join(f"{x:11.2f}" for x in days))
        what = f"({job.design.name}) {job.name}"
        report.add(f"{what}: information bound, days", "shown", None, days[0], None, runs, None, job.design.text)
        for step, before, after in zip(STEPS, days, days[1:], strict=False):
            report.add(f"{what}: days between bound and delay that are {step}", "shown", None, after - before, None, runs, None,
                       f"mean delay {after:.2f} days with it")  # fmt: skip
