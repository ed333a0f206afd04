"""Damage over 112 days of the incident: nobody acts, aggregate monitoring, rules of other tools, an oracle, and the guard."""

from dataclasses import dataclass, replace

import numpy as np

from detection.common import LOSSES, NEVER, in_processes
from detection.design_rows import weekly_z
from detection.rivals import rival_statistics
from detection.steered import F_PAIRS, SEGMENTS, F
from guard.guarded import Guarding, guarded
from guard.money import HORIZON_DAYS, Stakes, stakes
from report import Report
from undertow.detectors.e_detector import first_crossing
from undertow.simulation.story import Scenario, StoryModel, draw_unsplit, scenario

BARS: dict[str, float] = {"story": 0.97, "half": 0.95, "slice": 0.90}
ENOUGH_SEEDS = 200

OURS = Guarding("ours: steered pairs, placed by expected net value")
OTHERS = (
    Guarding("the same alarm, whole tier back", where="whole"),
    Guarding("the same alarm, loudest segment back", where="loudest"),
    replace(OURS, text="ours, acts at the end of the day", at_day_end=True),
    replace(OURS, text="ours, one allocation a day (f, pairs)", design=F_PAIRS),
    replace(OURS, text="ours, one answer at a time (f)", design=F),
    replace(OURS, text="ours, knows how sharp the judge is", judge_scale_known=True),
    replace(OURS, text="ours, cost of a failure taken for half", cost_factor=0.5),
    replace(OURS, text="ours, cost of a failure taken for double", cost_factor=2.0),
    replace(OURS, text="ours, money unknown: margin .02 decides", cost_factor=float("nan")),
)  # fmt: skip

EVERY_FIVE_MINUTES = "worse-rate > 10 % on pairs, no minimum"


@dataclass(frozen=True)
class Job:
    """One controller in one scenario."""

    guarding: Guarding
    name: Scenario
    runs: int
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """What came of it: damage, share of avoidable damage avoided and moment of the first action, by run. Shapes (R,)."""

    damage: np.ndarray
    avoided: np.ndarray
    acted: np.ndarray


def run_job(job: Job) -> Row:
    """The simulation of a job."""
    model = scenario(job.name)
    found = guarded(job.guarding, model, job.runs, np.random.default_rng(job.seed))
    first = first_restriction(found.exposed)
    at = stakes(model)
    damage = at.damage(found.exposed)
    return Row(damage, at.avoided(damage), first)


def first_restriction(exposed: np.ndarray) -> np.ndarray:
    """Moment at which a run first took anything off the cheap tier, NEVER if none. Shape (R,)."""
    least = exposed.min(-1)
    restricted = least < 1.0
    day = restricted.argmax(0)
    return np.where(restricted.any(0), day + np.take_along_axis(least, day[None], 0)[0], float(NEVER))


def whole_tier_from(moment: np.ndarray, at: Stakes) -> Row:
    """Everything routed back from a moment on, for good."""
    day = np.arange(HORIZON_DAYS)[:, None]
    exposed = np.clip(moment - day, 0.0, 1.0)[..., None] * np.ones(SEGMENTS)
    damage = at.damage(exposed)
    return Row(damage, at.avoided(damage), moment)


def _ends(fires: np.ndarray, days: int) -> np.ndarray:
    """End of the first day on which a rule fires."""
    day = first_crossing(fires[:days].astype(float), 0.5)
    return np.where(day < 0, float(NEVER), day + 1.0)


def other_rules(model: StoryModel, runs: int, seed: tuple[int, ...], days: int = HORIZON_DAYS) -> dict[str, np.ndarray]:
    """Moments at which the rules of others fire. Each sees labels of its own, drawn from the same seeds."""
    z = weekly_z(draw_unsplit(model, runs, np.random.default_rng(seed)))
    rules = {"aggregate monitoring: unsplit reviews, weekly z > 3": _ends(z > 3.0, days)}
    for name, fires in rival_statistics(model, runs, np.random.default_rng(seed)).items():
        # Looked at all day long: half a day earlier on average.
        rules[name] = _ends(fires, days) - (0.5 if name == EVERY_FIVE_MINUTES else 0.0)
    return rules


def bench_damage(report: Report, runs: int, *, quick: bool = False) -> None:
    """The table and the bars."""
    print(f"\nDamage over {HORIZON_DAYS} days, thousand USD (median), share of the avoidable avoided, day of first action after onset; {runs} seeds")  # fmt: skip
    print(f"{'':52s}" + "".join(f"{name:>27s}" for name in LOSSES))
    models = {name: scenario(name) for name in LOSSES}
    at = {name: stakes(model) for name, model in models.items()}
    rows: dict[str, dict[str, Row]] = {}
    for i, name in enumerate(LOSSES):
        never = whole_tier_from(np.full(runs, float(NEVER)), at[name])
        rows.setdefault("no guard", {})[name] = never
        oracle = np.full(runs, at[name].oracle)
        onset = np.full(runs, float(models[name].onset_day))
        rows.setdefault("oracle: each segment, each day", {})[name] = Row(oracle, at[name].avoided(oracle), onset)
        rows.setdefault("whole tier back at the onset", {})[name] = whole_tier_from(onset, at[name])
        for rule, moment in other_rules(models[name], runs, (report.seed, 7, i)).items():
            rows.setdefault(rule, {})[name] = whole_tier_from(moment, at[name])
    ways = (OURS, *OTHERS[: 2 if quick else None])
    jobs = [Job(way, name, runs, (report.seed, 7, i)) for way in ways for i, name in enumerate(LOSSES)]
    for job, row in zip(jobs, in_processes(run_job, jobs), strict=True):
        rows.setdefault(job.guarding.text, {})[job.name] = row
    for text, by_name in rows.items():
        print(f"{text:52s}" + "".join(f"{_text(row, models[name].onset_day):>27s}" for name, row in by_name.items()))
        for name, row in by_name.items():
            _report(report, text, name, row)


def _text(row: Row, onset_day: int) -> str:
    acted = _median_day(row.acted)
    when = "never" if acted >= NEVER else f"{acted - onset_day:+.1f} d"
    return f"{np.median(row.damage) / 1000:.0f}k {np.median(row.avoided):7.1%} {when:>8s}"


def _median_day(acted: np.ndarray) -> float:
    """NEVER where half of the runs or more never acted: a mean of a day and NEVER is neither."""
    return float(NEVER) if np.mean(acted >= NEVER) >= 0.5 else float(np.median(acted))


def _report(report: Report, text: str, name: str, row: Row) -> None:
    n, is_ours = len(row.avoided), text == OURS.text
    low, high = np.quantile(row.avoided, [0.5 - 0.98 / np.sqrt(n), 0.5 + 0.98 / np.sqrt(n)])
    median = float(np.median(row.avoided))
    bar = BARS[name]
    report.add(f"{name}: share of avoidable damage avoided, median over seeds", f"at least {bar:.0%}" if is_ours else "shown",
               bar if is_ours else None, median, (float(low), float(high)), n,
               median >= bar if is_ours and n >= ENOUGH_SEEDS else None, text)  # fmt: skip
    report.add(f"{name}: total damage over {HORIZON_DAYS} days, USD, median", "shown", None, float(np.median(row.damage)), None, n, None, text)  # fmt: skip
    report.add(f"{name}: day of the first action, median", "shown", None, _median_day(row.acted), None, n, None, text)  # fmt: skip
    if is_ours:
        report.add(f"{name}: share of avoidable damage avoided, 10th percentile", "shown", None, float(np.quantile(row.avoided, 0.1)), None, n, None, text)  # fmt: skip
