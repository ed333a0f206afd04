"""What combining features adds to the best single score, at the same margin: by Undertow's fit, and at most (a flexible learner).

Two comparisons. One threshold for all tasks, margin over all of them: the single score is compared with a confidence that knows the task (a
map a task) and the answer's option. A threshold for each task, margin in each: the task helps no more, so what is left is the option and the
margin between the two likeliest options.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from cascade.tables import DELTA, MARGIN, BoolArray, FloatArray, Task, oracle_acceptance, splits
from report import Report
from undertow.calibration.certificates import choose_threshold
from undertow.calibration.fit import FitOptions, confidence_of, fit_calibration
from undertow.records.labelled_answers import LabelledAnswers

LABELS = 1000
GAIN = 0.10
FEWEST_RUNS = 20
"""Fewer splits are no ground for a verdict."""


def pooled(tasks: list[Task]) -> tuple[dict[str, FloatArray], BoolArray, np.ndarray]:
    """Features, labels and the task's name of all rows of all tasks."""
    names = sorted({name for task in tasks for name in task.features()})
    features = {
        name: np.concatenate([task.features().get(name, np.zeros(len(task.good))) for task in tasks]) for name in names
    }
    good = np.concatenate([task.good for task in tasks])
    return features, good, np.concatenate([np.full(len(task.good), task.name) for task in tasks])


def ceiling(features: dict[str, FloatArray], good: BoolArray, task: np.ndarray, seed: int, trees: int) -> FloatArray:
    """Scores by gradient boosting on everything there is, each row scored by a model that saw four fifths of the others."""
    columns = np.column_stack([*features.values(), *(task == name for name in np.unique(task))])
    found = np.zeros(len(good))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(columns, good):
        model = HistGradientBoostingClassifier(
            max_iter=trees, learning_rate=0.05, max_leaf_nodes=16, min_samples_leaf=80, random_state=seed
        )
        found[test] = model.fit(columns[train], good[train]).predict_proba(columns[test])[:, 1]
    return found


def measure_combining(report: Report, tasks: dict[str, list[Task]], runs: int) -> None:
    """Gains of each model, with the ceiling beside them."""
    print(
        f"\nCombining features: acceptance at a margin of {MARGIN:g} relative to the best single score ({LABELS} labels a task, {runs} splits)"
    )
    print(f"{'model':16s} {'one threshold for all tasks':>50s} {'a threshold a task':>38s}")
    print(
        f"{'':16s} {'single':>7s} {'combined':>9s} {'gain':>7s} {'certified':>10s} {'ceiling':>8s} {'single':>8s} {'combined':>9s} {'gain':>7s} {'ceiling':>8s}"
    )
    for place, (model, known) in enumerate(tasks.items()):
        features, good, task = pooled(known)
        singles = {name: oracle_acceptance(features[name], good, MARGIN) for name in ("mean_logprob", "mean_margin")}
        best = max(singles, key=singles.__getitem__)
        flexible = ceiling(features, good, task, report.seed, 150 if runs >= FEWEST_RUNS else 30)
        top = oracle_acceptance(flexible, good, MARGIN) / singles[best] - 1.0
        by_task = [task == name for name in np.unique(task)]
        own_single = np.mean(
            [max(oracle_acceptance(features[n][i], good[i], MARGIN) for n in singles) for i in by_task]
        )
        own_top = np.mean([oracle_acceptance(flexible[i], good[i], MARGIN) for i in by_task]) / own_single - 1.0
        rng = np.random.default_rng([report.seed, 2, place])
        found = np.array([_split(features, good, task, best, rng, report.seed + run) for run in range(runs)])
        shared, own, kept_single, kept = found.mean(axis=0)
        gain, own_gain, certified = shared / singles[best] - 1.0, own / own_single - 1.0, kept / kept_single - 1.0
        error = 1.96 * found.std(axis=0) / np.sqrt(runs)
        print(
            f"{model:16s} {singles[best]:7.3f} {shared:9.3f} {gain:7.1%} {certified:10.1%} {top:8.1%} {own_single:8.3f} {own:9.3f} {own_gain:7.1%} {own_top:8.1%}"
        )
        can = top >= GAIN and runs >= FEWEST_RUNS
        report.add(f"{model}: acceptance that combining features adds to the best single score, one threshold for all tasks",
                   "at least 10 % where any model can", GAIN, gain, (gain - error[0] / singles[best], gain + error[0] / singles[best]), runs,
                   gain >= GAIN if can else None, f"flexible learner {top:.3f}")  # fmt: skip
        report.add(
            f"{model}: the same between certified thresholds, half of the labels spent on fitting",
            "shown",
            None,
            certified,
            None,
            runs,
            None,
        )
        report.add(f"{model}: acceptance that combining adds with a threshold for each task, where the task itself adds nothing", "shown", None,
                   own_gain, (own_gain - error[1] / own_single, own_gain + error[1] / own_single), runs, None,
                   f"flexible learner on eight times the labels {own_top:.3f}")  # fmt: skip


def _split(
    features: dict[str, FloatArray], good: BoolArray, task: np.ndarray, best: str, rng: np.random.Generator, seed: int
) -> tuple[float, float, float, float]:
    """Of one split: acceptance that the fitted confidence can reach with one threshold, and with one a task; certified acceptance of the single
    score and of the combined one.
    """
    drawn = np.concatenate(
        [
            np.flatnonzero(task == name)[next(splits(rng, int((task == name).sum()), LABELS, 1))[0]]
            for name in np.unique(task)
        ]
    )
    answers = LabelledAnswers(
        {name: values[drawn] for name, values in features.items()},
        good[drawn],
        np.ones(len(drawn)),
        tuple({"task": str(name)} for name in task[drawn]),
    )
    made = fit_calibration(
        answers,
        FitOptions(
            tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", margin=MARGIN, delta=DELTA, score="combined",
            group_key="task", threshold_scope="shared", seed=seed,
        ),
    )  # fmt: skip
    rest = np.ones(len(good), dtype=bool)
    rest[drawn] = False
    everything = LabelledAnswers(features, good, np.ones(len(good)), tuple({"task": str(name)} for name in task))
    found, _ = confidence_of(made, everything)
    own = np.mean(
        [oracle_acceptance(found[i], good[i], MARGIN) for name in np.unique(task) for i in [rest & (task == name)]]
    )
    threshold = made.groups[0].threshold
    single = choose_threshold(features[best][drawn], good[drawn], np.ones(len(drawn)), MARGIN, DELTA).threshold
    return (
        oracle_acceptance(found[rest], good[rest], MARGIN),
        float(own),
        float((features[best][rest] >= (np.inf if single is None else single)).mean()),
        float((found[rest] >= (2.0 if threshold is None else threshold)).mean()),
    )
