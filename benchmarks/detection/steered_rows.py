"""Rows (f), (f) with pairwise review, and (g): delays, false alarms, and what their alarms say."""

from dataclasses import dataclass, replace

import numpy as np

from detection.common import (
    BOUND_LINE,
    ENOUGH_RUNS,
    LOSSES,
    NEVER,
    PRODUCT_LINE,
    days_text,
    in_processes,
    quantile_interval,
    share_interval,
)
from detection.steered import F_PAIRS, LINES, Design, F, G, Trace, hurried, simulate
from report import Report
from undertow.detectors.locating import segment_of_rise
from undertow.detectors.onset import onset_posterior
from undertow.simulation.story import Scenario, baseline, lorden_bound, scenario
from undertow.simulation.story_judged import best_cell_information

DESIGNS = (F, F_PAIRS, G)

# Median and 90th percentile that must be reached, at a line of 3600.
BARS: dict[str, dict[str, tuple[int, int]]] = {
    "f": {"story": (10, 13), "half": (4, 7), "slice": (9, 16)},
    "f2": {"story": (8, 10), "half": (3, 4), "slice": (5, 10)},
    "g": {"story": (7, 9), "half": (2, 4), "slice": (4, 8)},
}
BAR_TEXTS = {"f": "must: at most", "f2": "published, at most", "g": "aim: at most"}

ONSET_LEVEL = 0.98
"""Of the onset's interval. The cell it is read from is the one with most evidence, which costs some coverage: more is asked for."""


@dataclass(frozen=True)
class Job:
    """A simulation for another process."""

    design: Design
    name: Scenario
    runs: int
    seed: tuple[int, ...]
    healthy_run: bool = False
    record: bool = False


def run_job(job: Job) -> Trace:
    """The simulation of a job."""
    rng = np.random.default_rng(job.seed)
    return simulate(job.design, job.name, job.runs, rng, healthy_run=job.healthy_run, record=job.record)


def bench_steered_rows(report: Report, runs: int, null_runs: int, *, quick: bool = False) -> None:
    """Delays at both lines beside their bars, and false alarms."""
    designs = [hurried(design, quick=quick) for design in DESIGNS]
    print(f"\nSteered reviews, median/p90 [mean over the bound of all labels in the best cell], {runs} runs; false alarms {null_runs}")  # fmt: skip
    print(f"{'design':36s} {'line':>9s} {'story':>17s} {'half':>17s} {'slice':>17s} {'false alarms':>15s}")
    lost = [Job(d, name, runs, (report.seed, 2, i)) for d in designs for i, name in enumerate(LOSSES)]
    # `slice` is `half` while nothing happens; `story` has its rollout.
    calm = [Job(d, name, null_runs, (report.seed, 1, i), healthy_run=True) for d in designs for i, name in enumerate(("story", "half"))]  # fmt: skip
    traces = dict(zip([(j.design.name, j.name, j.healthy_run) for j in lost + calm], in_processes(run_job, lost + calm), strict=True))  # fmt: skip
    for design in designs:
        for line in LINES:
            texts = []
            for name in LOSSES:
                model = replace(scenario(name), seen_hidden=design.seen_hidden)
                d = traces[design.name, name, False].delays(line, model.onset_day)
                bound = lorden_bound(best_cell_information(model, design.labels), model.onset_day, BOUND_LINE)
                ratio = float(np.minimum(d, 180).mean() / bound)
                values = [float(np.quantile(d, q, method="lower")) for q in (0.5, 0.9)]
                texts.append(f"{days_text(values[0])}/{days_text(values[1])} [{ratio:.2f}]")
                for q, value, bar in zip((0.5, 0.9), values, BARS[design.name][name], strict=True):
                    what = "median" if q == 0.5 else "p90"
                    is_bar = line == LINES[0]
                    report.add(f"({design.name}) {name}: {what} days at {line:.0f}", f"{BAR_TEXTS[design.name]} {bar}" if is_bar else "shown beside 3600",
                               bar if is_bar else None, value, quantile_interval(d, q), len(d),
                               value <= bar if is_bar and len(d) >= ENOUGH_RUNS * 0.9 else None, design.text)  # fmt: skip
                report.add(f"({design.name}) {name}: mean delay over the Lorden bound at {line:.0f}", "shown", None, ratio, None,
                           len(d), None, f"bound {bound:.2f} days: all labels in the best cell")  # fmt: skip
            found = [traces[design.name, name, True] for name in ("story", "half")]
            hits = sum(int((t.days[line] < NEVER).sum()) for t in found)
            total = 2 * null_runs
            print(f"({design.name:2s}) {design.text:31s} {line:>9.0f} " + " ".join(f"{x:>17s}" for x in texts) + f" {hits / total:>14.2%}")  # fmt: skip
            report.add(f"({design.name}) false alarms in 180 healthy days at {line:.0f}", "at most 2 %", 0.02, hits / total,
                       share_interval(hits, total), total, None if total < ENOUGH_RUNS else hits / total <= 0.02, design.text)  # fmt: skip
        bars = [f"{a}/{b}" for a, b in BARS[design.name].values()]
        print(
            f"     {BAR_TEXTS[design.name]:31s} {'3600':>9s} " + " ".join(f"{x:>17s}" for x in bars) + f" {'2%':>15s}"
        )
        moved = float(np.mean([t.extra_share for t in found]))
        report.add(f"({design.name}) share of labels that steering moves while nothing happens", "shown", None, moved, None, total, None)  # fmt: skip


def bench_naming(report: Report, runs: int, *, quick: bool = False) -> None:
    """At the alarms of (f) and (g): tier, segment, onset."""
    print("\nAt the alarm (7200): what it says")
    print(f"{'design':8s} {'scenario':10s} {'alarms':>7s} {'tier right':>11s} {'segment named':>14s} {'of these right':>15s} {'neither wrong':>14s} {'onset covered':>14s} {'its width':>10s}")  # fmt: skip
    jobs = [
        Job(hurried(d, quick=quick), name, runs, (report.seed, 3, i), record=True)
        for d in DESIGNS
        for i, name in enumerate(LOSSES)
    ]
    for job, trace in zip(jobs, in_processes(run_job, jobs), strict=True):
        model = replace(scenario(job.name), seen_hidden=job.design.seen_hidden)
        null = baseline(model).cells
        moment = trace.days[PRODUCT_LINE]
        tier_ok = named = right = neither = covered = 0
        width = []
        alarms = np.flatnonzero((moment >= model.onset_day) & (moment < NEVER))
        for run in alarms:
            counts = trace.counts[: int(np.ceil(moment[run] - 1e-9)), run].astype(float)
            day, low, high = _onset(counts, int(trace.cell[run]), null.flag_rate.ravel(), null.judge_rate.ravel())
            tier = trace.parts[run, 0] < 0.5 * PRODUCT_LINE
            segment = _segment(counts, day, int(trace.parts[run, 1:].argmax()))
            tier_ok += bool(tier)
            named += segment is not None
            right += segment == model.worst_segment
            neither += bool(tier) and segment in (None, model.worst_segment)
            covered += low <= model.onset_day <= high
            width.append(high - low + 1)
        n, what = len(alarms), f"({job.design.name}) {job.name}"
        print(f"({job.design.name:2s})     {job.name:10s} {n:7d} {tier_ok / n:11.1%} {named / n:14.1%} {right / max(named, 1):15.1%} "
              f"{neither / n:14.1%} {covered / n:14.1%} {np.median(width):8.0f} d")  # fmt: skip
        report.add(f"{what}: tier named correctly", "at least 95 % of alarms", 0.95, tier_ok / n, share_interval(tier_ok, n), n,
                   tier_ok / n >= 0.95 if n >= 100 else None)  # fmt: skip
        report.add(f"{what}: tier right, and the worst segment or the whole tier named", "at least 95 % of alarms", 0.95, neither / n,
                   share_interval(neither, n), n, neither / n >= 0.95 if n >= 100 else None)  # fmt: skip
        report.add(f"{what}: named segment is the worst one", "at least 95 % of named segments", 0.95, right / max(named, 1),
                   share_interval(right, max(named, 1)), named, right / named >= 0.95 if named >= 100 else None)  # fmt: skip
        report.add(f"{what}: alarms that name a segment (else the whole tier)", "shown", None, named / n, share_interval(named, n), n, None)  # fmt: skip
        report.add(f"{what}: onset interval covers the truth", "at least 90 %", 0.90, covered / n, share_interval(covered, n), n,
                   covered / n >= 0.90 if n >= 100 else None)  # fmt: skip


def _onset(counts: np.ndarray, cell: int, null: np.ndarray, judge_null: np.ndarray) -> tuple[int, int, int]:
    """First day and its interval, from people and judge in the cell with most human evidence: its rates do not move with the allocation."""
    people = onset_posterior(counts[:, 0, cell], counts[:, 1, cell], null[cell])
    posterior = people * onset_posterior(counts[:, 2, cell], counts[:, 3, cell], judge_null[cell])
    below = np.cumsum(posterior) / posterior.sum()
    tail = 0.5 * (1.0 - ONSET_LEVEL)
    return int(posterior.argmax()), int(np.argmax(below > tail)), int(np.argmax(below >= 1.0 - tail))


def _segment(counts: np.ndarray, onset: int, most_evidence: int) -> int | None:
    """The segment that bears the loss, where judge and people agree on it; None: the whole tier.

    Human labels went where suspicion sent them, so their failures do not say where most of the loss is; the judge's pairs are spread
    as the traffic is and do. A judge alone may be wrong, so people must have found most evidence there as well.
    """

    def _sums(column: int, days: slice) -> np.ndarray:
        by_segment = counts[days, column].sum(0).reshape(-1, 2)
        return np.concatenate([by_segment.sum(0, keepdims=True), by_segment])

    before, after = slice(0, onset), slice(onset, None)
    found = segment_of_rise(
        _sums(2, before), _sums(3, before), _sums(2, after), _sums(3, after), np.zeros(counts.shape[-1] // 2)
    )
    return found if found == most_evidence else None
