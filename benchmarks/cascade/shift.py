"""Shift: calibrated on four tasks, the fifth comes at a stated label. Does the threshold come back inside the margin, how soon, and at what cost?

One label at a time, the true loss of the threshold in force is known from the whole table. "Back inside" is the first label after the shift
at which it is within the margin, and the mean over the following 500 labels is too. Where the fixed threshold stays within the margin on the
fifth task by itself, there is nothing to come back from: those pairs are left out, and said. Bars are held where it is really outside: by a
quarter of the margin at least; nearer ones are shown.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import binom

from cascade.tables import DELTA, MARGIN, BoolArray, FloatArray, Task
from report import Report
from undertow.calibration.certificates import choose_threshold
from undertow.calibration.logistic import fit_logistic
from undertow.calibration.online import LINE, STEP, Rules, begin, follow, relax
from undertow.records.tuning import TuningLabel

LABELS = 1000
BEFORE, AFTER, STAYS = 2000, 2500, 500
WITHIN, KEPT = 300, 0.9
OUTSIDE = 1.25
NOWHERE = 1e9
LOOK_EVERY = 20


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One way to follow labels."""

    name: str
    step: float = STEP
    line: float = LINE
    has_floor: bool = True
    relaxes: bool = True


PRODUCT = Variant("step, bet, certified floors")
VARIANTS = (
    Variant("step alone, no floor", line=np.inf, has_floor=False, relaxes=False),
    Variant("step alone", line=np.inf, relaxes=False),
    Variant("step and bet", relaxes=False),
    PRODUCT,
)


class Curve:
    """True loss and acceptance of every threshold on one traffic."""

    def __init__(self, odds: FloatArray, good: BoolArray) -> None:
        order = np.argsort(-odds)
        self._odds, n = -odds[order], len(odds)
        self._loss = np.concatenate([[0.0], np.cumsum(~good[order])]) / n
        self._n = n

    def at(self, threshold: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Marginal loss and acceptance at thresholds (log-odds)."""
        place = np.searchsorted(self._odds, -np.asarray(threshold, dtype=np.float64), side="right")
        return self._loss[place], place / self._n


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One seeded run: a certified threshold, labels in order, and the truth before and after the shift."""

    threshold: float
    odds: FloatArray
    good: BoolArray
    before: Curve
    after: Curve


def draw(known: list[Task], left: Task, rng: np.random.Generator) -> World | None:
    """Calibrate on four tasks; None where no threshold qualifies."""
    fitted, rest = [], []
    for task in known:
        if task is left:
            continue
        order = rng.permutation(len(task.good))
        fitted.append((_log_odds(task)[order[:LABELS]], task.good[order[:LABELS]]))
        rest.append((_log_odds(task)[order[LABELS:]], task.good[order[LABELS:]]))
    score, good = (np.concatenate(part) for part in zip(*fitted, strict=True))
    intercept, slope = _platt(score, good)
    found = choose_threshold(expit(intercept + slope * score), good, np.ones(len(good)), MARGIN, DELTA).threshold
    if found is None:
        return None
    old_score, old_good = (np.concatenate(part) for part in zip(*rest, strict=True))
    first = rng.permutation(len(old_good))[:BEFORE]
    then = rng.permutation(len(left.good))[:AFTER]
    odds = intercept + slope * np.concatenate([old_score[first], _log_odds(left)[then]])
    return World(
        found,
        odds,
        np.concatenate([old_good[first], left.good[then]]),
        Curve(intercept + slope * old_score, old_good),
        Curve(intercept + slope * _log_odds(left), left.good),
    )


def thresholds(world: World, variant: Variant) -> FloatArray:
    """Log-odds in force at each label."""
    rules = Rules(MARGIN, DELTA, Rules.of(world.threshold, MARGIN, DELTA).cap, variant.step, variant.line)
    labels = [
        TuningLabel(available_at=f"{t:06d}", decision_id=str(t), confidence=float(p), is_failed=not g)
        for t, (p, g) in enumerate(zip(expit(world.odds), world.good, strict=True))
    ]
    state = begin(world.threshold)
    if not variant.has_floor:
        state = msgspec.structs.replace(state, floor=-20.0)
    found = np.empty(len(labels))
    for t, label in enumerate(labels):
        found[t] = state.log_odds if state.log_odds < rules.cap else NOWHERE
        state = follow(state, [label], rules, earlier=labels[max(0, t - 300) : t]).state
        if variant.relaxes and t % LOOK_EVERY == LOOK_EVERY - 1:
            since = 0 if state.floor_since is None else int(state.floor_since) + 1
            state = relax(state, labels[since : t + 1], rules)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: losses before and after, acceptance kept, and labels until back inside (infinite: never)."""

    static_loss: float
    before: float
    kept: float
    back: float
    after: float


def outcome(world: World, found: FloatArray) -> Outcome:
    """What the thresholds of a run came to."""
    fixed = float(np.log(world.threshold / (1.0 - world.threshold)))
    before, accepted = world.before.at(found[:BEFORE])
    after, _ = world.after.at(found[BEFORE:])
    sums = np.concatenate([[0.0], np.cumsum(after)])
    places = len(after) - STAYS
    stays = (sums[STAYS : STAYS + places] - sums[:places]) / STAYS
    inside = np.flatnonzero((after[:places] <= MARGIN) & (stays <= MARGIN))
    return Outcome(
        static_loss=float(world.after.at(fixed)[0]),
        before=float(before.mean()),
        kept=float(accepted.mean() / world.before.at(fixed)[1]),
        back=float(inside[0]) if len(inside) else np.inf,
        after=float(after[STAYS:].mean()),
    )


def measure_shift(report: Report, tasks: dict[str, list[Task]], runs: int) -> None:
    """A table of all pairs whose fixed threshold leaves the margin, and the bars.

    Args:
        report: Gets the entries.
        tasks: By cheap model.
        runs: Seeded runs of each pair.
    """
    print(
        f"\nShift at label {BEFORE}: calibrated on four tasks, {LABELS} labels each, the fifth from then on; margin {MARGIN:g}, {runs} runs"
    )
    print(
        f"{'model':16s} {'fifth task':20s} {'rule':28s} {'fixed':>6s} {'before':>7s} {'kept':>5s} {'back':>6s} {'p90':>6s} {'never':>6s} {'after':>6s}"
    )
    for place, (model, known) in enumerate(tasks.items()):
        for number, left in enumerate(known):
            drawn = [
                draw(known, left, np.random.default_rng([report.seed, 5, place, number, run])) for run in range(runs)
            ]
            worlds = [world for world in drawn if world is not None]
            fixed = [float(world.after.at(np.log(world.threshold / (1.0 - world.threshold)))[0]) for world in worlds]
            if not worlds or np.mean(fixed) <= MARGIN:
                print(f"{model:16s} {left.name:20s} {'fixed: stays inside':28s} {np.mean(fixed):6.3f}")
                continue
            for variant in VARIANTS:
                found = [outcome(world, thresholds(world, variant)) for world in worlds]
                _show(model, left.name, variant, found)
                if variant is PRODUCT:
                    _bars(report, model, left.name, found, runs)


def _show(model: str, task: str, variant: Variant, found: list[Outcome]) -> None:
    back = np.array([one.back for one in found])
    print(f"{model:16s} {task:20s} {variant.name:28s} {_mean(found, 'static_loss'):6.3f} {_mean(found, 'before'):7.4f} {_mean(found, 'kept'):5.3f} "
          f"{np.median(back):6.0f} {np.quantile(back, 0.9, method='higher'):6.0f} {np.isinf(back).mean():6.1%} {_mean(found, 'after'):6.4f}")  # fmt: skip


def _bars(report: Report, model: str, task: str, found: list[Outcome], runs: int) -> None:
    back = np.sort([one.back for one in found])
    n = len(back)
    low, high = (int(binom.ppf(q, n, 0.5)) for q in (0.025, 0.975))
    median = float(np.median(back))
    enough = min(n, runs) >= 200 and _mean(found, "static_loss") >= OUTSIDE * MARGIN
    report.add(f"{model}, {task} as fifth task: labels until the loss is back inside {MARGIN:g}, median", f"at most {WITHIN}", WITHIN, median,
               (float(back[low]), float(back[min(high, n - 1)])), n, median <= WITHIN if enough else None,
               f"fixed threshold: never ({_mean(found, 'static_loss'):.3f})")  # fmt: skip
    for what, bar, value, name in (
        ("loss before the shift", f"at most {MARGIN:g}", MARGIN, "before"),
        ("acceptance kept of the fixed threshold's before the shift", f"at least {KEPT:g}", KEPT, "kept"),
    ):
        each = np.array([getattr(one, name) for one in found])
        mean, error = float(each.mean()), 1.96 * float(each.std()) / np.sqrt(n)
        is_met = mean <= value if name == "before" else mean >= value
        report.add(
            f"{model}, {task} as fifth task: {what}",
            bar,
            value,
            mean,
            (mean - error, mean + error),
            n,
            is_met if enough else None,
        )


def _mean(found: list[Outcome], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in found]))


def _log_odds(task: Task) -> FloatArray:
    return logit(np.clip(task.probability, 1e-6, 1.0 - 1e-6))


def _platt(score: FloatArray, good: BoolArray) -> tuple[float, float]:
    intercept, weights = fit_logistic(score[:, None], good, np.ones(len(good)))
    return intercept, float(weights[0])
