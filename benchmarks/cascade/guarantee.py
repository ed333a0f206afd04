"""The threshold rule beside others: how often the marginal loss exceeds the margin, and how much of the possible acceptance is kept.

Each split draws labels of every task and looks at all other rows. "On the rest" compares with the rows that were not drawn, which are
themselves a sample: their chance is in the figure. "On all" compares with the whole table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import isotonic_regression

from cascade.tables import DELTA, MARGIN, BoolArray, FloatArray, Task, oracle_acceptance, splits
from report import Report
from undertow.calibration.certificates import choose_threshold, clopper_pearson_upper

SIZES = (200, 500, 1000, 2000, 5000)
BAR_SIZE = 1000
MOST = 0.9
NEVER = 2.0

Rule = Callable[[FloatArray, BoolArray], float]


@dataclass
class Tally:
    """What a rule did on one task of one model.

    Attributes:
        over_rest: Splits with a loss above the margin among the rows that were not drawn.
        over_all: The same among all rows.
        accepted: Acceptance, one a split.
        loss: Marginal loss on the rest, one a split.
        is_over: Whether each split was above, on the rest.
    """

    over_rest: int = 0
    over_all: int = 0
    accepted: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    is_over: list[bool] = field(default_factory=list)

    def add(self, threshold: float, task: Task, score: FloatArray, rest: np.ndarray) -> None:
        """One split."""
        is_served = score >= threshold
        lost = is_served & ~task.good
        loss = float(lost[rest].mean())
        self.over_rest += loss > MARGIN
        self.over_all += float(lost.mean()) > MARGIN
        self.accepted.append(float(is_served[rest].mean()))
        self.loss.append(loss)
        self.is_over.append(loss > MARGIN)


def certified(score: FloatArray, good: BoolArray) -> float:
    """Undertow's rule."""
    found = choose_threshold(score, good, np.ones(len(good)), MARGIN, DELTA).threshold
    return NEVER if found is None else found


def _ranked(score: FloatArray, good: BoolArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(-score, kind="stable")
    return score[order], np.cumsum(~good[order])


def naive(score: FloatArray, good: BoolArray) -> float:
    """The lowest threshold whose observed loss is within the margin."""
    ranked, losses = _ranked(score, good)
    within = np.flatnonzero(losses / len(good) <= MARGIN)
    return float(ranked[within[-1]]) if len(within) else NEVER


def isotonic_plug_in(score: FloatArray, good: BoolArray) -> float:
    """The lowest threshold whose loss by an isotonic fit is within the margin."""
    order = np.argsort(score, kind="stable")
    fitted = isotonic_regression(good[order].astype(float)).x[::-1]
    ranked = score[order][::-1]
    within = np.flatnonzero(np.cumsum(1.0 - fitted) / len(good) <= MARGIN)
    return float(ranked[within[-1]]) if len(within) else NEVER


def conformal_risk_control(score: FloatArray, good: BoolArray) -> float:
    """Conformal risk control: bounds the expected loss only (Angelopoulos et al. 2022)."""
    ranked, losses = _ranked(score, good)
    within = np.flatnonzero((losses + 1.0) / (len(good) + 1.0) <= MARGIN)
    return float(ranked[within[-1]]) if len(within) else NEVER


PER_TASK: dict[str, Rule] = {
    "certified": certified,
    "naive": naive,
    "isotonic plug-in": isotonic_plug_in,
    "conformal risk control": conformal_risk_control,
}


def measure_guarantee(report: Report, tasks: dict[str, list[Task]], runs: int, bar_runs: int) -> None:
    """Tables at each size, and the bars at 1,000 labels a task.

    Args:
        report: Gets the entries.
        tasks: By cheap model.
        runs: Splits at the other sizes.
        bar_runs: Splits at the size of the bars.
    """
    print(
        f"\nMarginal loss kept within {MARGIN:g} (delta {DELTA:g}); mean over tasks; labels a task; {runs} splits ({bar_runs} at {BAR_SIZE})"
    )
    print(f"{'model':16s} {'labels':>6s} {'rule':24s} {'over, rest':>10s} {'worst task':>10s} {'over, all':>9s} {'any task':>8s} "
          f"{'accepted':>8s} {'of oracle':>9s} {'loss':>6s} {'worst':>6s}")  # fmt: skip
    for place, (model, known) in enumerate(tasks.items()):
        oracle = [oracle_acceptance(task.probability, task.good, MARGIN) for task in known]
        for size in SIZES:
            count = bar_runs if size == BAR_SIZE else runs
            rng = np.random.default_rng([report.seed, 1, place, size])
            tallies = _run(known, size, count, rng)
            for rule, per_task in tallies.items():
                _show(model, size, rule, per_task, oracle, count)
            if size == BAR_SIZE:
                _bars(report, model, known, tallies, oracle, count)
        capable, share = 0.0, float(np.mean(oracle))
        print(
            f"{model:16s} {'-':>6s} {'always capable':24s} {0:>10.1%} {0:>10.1%} {0:>9.1%} {0:>8.1%} {capable:>8.3f} {0:>9.2f} {0:>6.3f} {0:>6.3f}"
        )
        base = [float((~task.good).mean()) for task in known]
        # Served at random, the loss is the acceptance times the tier's own failure rate: the same acceptance as the oracle's is shown.
        print(f"{model:16s} {'-':>6s} {'random split, as oracle':24s} {'':>10s} {'':>10s} {'':>9s} {'':>8s} {share:>8.3f} {1:>9.2f} "
              f"{np.mean([a * b for a, b in zip(oracle, base, strict=True)]):>6.3f} {max(a * b for a, b in zip(oracle, base, strict=True)):>6.3f}")  # fmt: skip


def _run(known: list[Task], size: int, count: int, rng: np.random.Generator) -> dict[str, list[Tally]]:
    names = [*PER_TASK, "global threshold, naive", "global threshold, certified"]
    tallies = {name: [Tally() for _ in known] for name in names}
    drawn = [splits(rng, len(task.good), min(size, len(task.good) // 2), count) for task in known]
    for pairs in zip(*drawn, strict=True):
        for place, (task, (labels, rest)) in enumerate(zip(known, pairs, strict=True)):
            for name, rule in PER_TASK.items():
                tallies[name][place].add(
                    rule(task.probability[labels], task.good[labels]), task, task.probability, rest
                )
        pooled_score = np.concatenate(
            [task.probability[labels] for task, (labels, _) in zip(known, pairs, strict=True)]
        )
        pooled_good = np.concatenate([task.good[labels] for task, (labels, _) in zip(known, pairs, strict=True)])
        for name, rule in (("global threshold, naive", naive), ("global threshold, certified", certified)):
            threshold = rule(pooled_score, pooled_good)
            for place, (task, (_, rest)) in enumerate(zip(known, pairs, strict=True)):
                tallies[name][place].add(threshold, task, task.probability, rest)
    return tallies


def _show(model: str, size: int, rule: str, per_task: list[Tally], oracle: list[float], count: int) -> None:
    rest = [tally.over_rest / count for tally in per_task]
    accepted = [float(np.mean(tally.accepted)) for tally in per_task]
    any_task = np.mean(np.any([tally.is_over for tally in per_task], axis=0))
    print(f"{model:16s} {size:6d} {rule:24s} {np.mean(rest):10.1%} {max(rest):10.1%} {np.mean([t.over_all / count for t in per_task]):9.1%} "
          f"{any_task:8.1%} {np.mean(accepted):8.3f} {np.mean(accepted) / np.mean(oracle):9.2f} {np.mean([np.mean(t.loss) for t in per_task]):6.3f} "
          f"{max(np.mean(t.loss) for t in per_task):6.3f}")  # fmt: skip


def _bars(
    report: Report, model: str, known: list[Task], tallies: dict[str, list[Tally]], oracle: list[float], count: int
) -> None:
    for task, tally in zip(known, tallies["certified"], strict=True):
        within = 1.0 - tally.over_rest / count
        high = float(clopper_pearson_upper(count - tally.over_rest, count, 0.025))
        low = 1.0 - float(clopper_pearson_upper(tally.over_rest, count, 0.025))
        report.add(f"{model}, {task.name}: splits whose marginal loss stays within {MARGIN:g}, {BAR_SIZE} labels, on the rest", "at least 90 %",
                   MOST, within, (low, high), count, None if count < 200 else within >= MOST, "naive "
                   f"{1 - tallies['naive'][known.index(task)].over_rest / count:.3f}")  # fmt: skip
        report.add(
            f"{model}, {task.name}: the same, on all rows",
            "shown",
            None,
            1.0 - tally.over_all / count,
            None,
            count,
            None,
        )
    any_task = float(np.mean(np.any([tally.is_over for tally in tallies["certified"]], axis=0)))
    report.add(
        f"{model}: splits in which every task stays within at once", "shown", None, 1.0 - any_task, None, count, None
    )
    kept = np.array([np.mean(tally.accepted) for tally in tallies["certified"]]).mean() / np.mean(oracle)
    by_split = np.mean([tally.accepted for tally in tallies["certified"]], axis=0) / np.mean(oracle)
    error = 1.96 * by_split.std() / np.sqrt(count)
    report.add(f"{model}: share of the oracle's acceptance kept, {BAR_SIZE} labels", "at least 85 %", 0.85, float(kept),
               (float(kept - error), float(kept + error)), count, None if count < 200 else kept >= 0.85, f"oracle {np.mean(oracle):.3f}")  # fmt: skip
    hidden = max(float(np.mean(tally.loss)) for tally in tallies["global threshold, naive"])
    report.add(
        f"{model}: worst task's loss under one global threshold set for {MARGIN:g}",
        "shown (the trap)",
        None,
        hidden,
        None,
        count,
        None,
    )
