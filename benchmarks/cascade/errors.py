"""Calibration error on each task, before and after: what is fitted on 1,000 labels and compared with all other rows.

The plain figure (15 bins of equal mass) of a perfect confidence would be .013 on 9,000 rows, by the scatter of the bins alone. So the bar is
held against the corrected figure, in which each bin's squared gap is lessened by its sampling variance; the plain one stands beside it.
"""

import numpy as np

from cascade.tables import DELTA, MARGIN, BoolArray, FloatArray, Task, splits
from report import Report
from undertow.calibration.fit import FitOptions, fit_calibration
from undertow.calibration.maps import apply_map
from undertow.calibration.quality import bins_of, expected_calibration_error
from undertow.records.labelled_answers import LabelledAnswers

LABELS = 1000
MOST_ECE = 0.03
FEWEST_RUNS = 20
"""Fewer splits are no ground for a verdict."""


def corrected_error(confidence: FloatArray, good: BoolArray) -> float:
    """Expected calibration error, each bin's gap taken as the root of its square less its sampling variance."""
    place = bins_of(confidence)
    n = np.bincount(place)
    there = n > 1
    n = n[there]
    gap = np.bincount(place, weights=confidence - good)[there] / n
    rate = np.bincount(place, weights=good)[there] / n
    left = np.sqrt(np.maximum(gap**2 - rate * (1.0 - rate) / (n - 1), 0.0))
    return float((n * left).sum() / n.sum())


def measure_errors(report: Report, tasks: dict[str, list[Task]], runs: int) -> None:
    """ECE of each model and task: mean over splits, on rows that were not drawn."""
    print(
        f"\nExpected calibration error on the rest, {LABELS} labels a task, mean of {runs} splits (15 bins of equal mass)"
    )
    print(
        f"{'model':16s} {'task':20s} {'raw':>6s} {'fitted':>7s} {'95 % of splits below':>21s} {'corrected':>10s}  maps"
    )
    for place, (model, known) in enumerate(tasks.items()):
        for number, task in enumerate(known):
            rng = np.random.default_rng([report.seed, 3, place, number])
            raw, fitted, corrected, methods = [], [], [], []
            features = task.features()
            for labels, rest in splits(rng, len(task.good), LABELS, runs):
                answers = LabelledAnswers(
                    {"mean_logprob": features["mean_logprob"][labels]}, task.good[labels], np.ones(LABELS)
                )
                made = fit_calibration(
                    answers,
                    FitOptions(
                        tier="cheap",
                        capable_tier="capable",
                        fitted_at="2026-01-01T00:00:00Z",
                        margin=MARGIN,
                        delta=DELTA,
                    ),
                )
                confidence = apply_map(made.groups[0].map, made.link, features["mean_logprob"][rest])
                ones = np.ones(len(rest))
                fitted.append(expected_calibration_error(confidence, task.good[rest], ones))
                corrected.append(corrected_error(confidence, task.good[rest]))
                raw.append(expected_calibration_error(task.probability[rest], task.good[rest], ones))
                methods.append(made.groups[0].map.method)
            used = ", ".join(f"{name} {methods.count(name) / runs:.0%}" for name in sorted(set(methods)))
            mean, high = float(np.mean(fitted)), float(np.quantile(fitted, 0.95))
            print(
                f"{model:16s} {task.name:20s} {np.mean(raw):6.3f} {mean:7.3f} {high:21.3f} {np.mean(corrected):10.3f}  {used}"
            )
            found, error = float(np.mean(corrected)), 1.96 * float(np.std(corrected)) / np.sqrt(runs)
            report.add(f"{model}, {task.name}: ECE after calibration with {LABELS} labels, less the scatter of bins", "at most .03", MOST_ECE, found,
                       (found - error, found + error), runs, found <= MOST_ECE if runs >= FEWEST_RUNS else None, f"raw {np.mean(raw):.3f}")  # fmt: skip
            report.add(
                f"{model}, {task.name}: the same, plain (a perfect confidence would show .013)",
                "shown",
                None,
                mean,
                None,
                runs,
                None,
            )
