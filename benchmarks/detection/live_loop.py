"""Everything live: does the production code, day by day and through files, see what its sufficient statistics promise?

    python benchmarks/detection/live_loop.py [--quick] [--seed N] [--runs N]

A store of some weeks (`live_world`): requests drawn by the store's own rates, second answers judged by the keeper's run, reviews of what was
drawn, conversion, and the keeper's look at the end of each day, which audits, suspects and writes new rates. A run ends with its first alarm
of cause routing. What differs from row (f) of `bench_detection.py`, and costs days: nobody knows the baseline (a change is told from
some weeks of the same store: `_history` shows what they are worth), reviews come a day after the request, and a cell has no more requests than the small log holds.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detection.common import NEVER, PRODUCT_LINE, days_text, in_processes
from detection.live_world import DAY_S, HOLDOUT, INTENTS, START, TIERS, Design, World
from detection.steered import F_PAIRS, simulate
from report import Report
from undertow.adapters.store.draw_counts import draw_counts
from undertow.bootstrap.watching import Watched
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.records.report import Alarm
from undertow.sampling.audit import draw_mismatches
from undertow.sampling.quotas import Suspect
from undertow.services import sampling_rates
from undertow.simulation.story import Scenario, StoryModel, cells, healthy, scenario


@dataclass(frozen=True)
class Plan:
    """Runs of one sort.

    Attributes:
        name: Scenario.
        runs: How many by default: all of them are some seven minutes of two processors.
        days: Days after the onset (of a healthy run: in all) after which a run ends without an alarm.
        onset: Day of the onset, or None: the scenario's.
        steers: What is suspected decides where reviews go.
    """

    name: Scenario
    runs: int
    days: int
    onset: int | None = None
    steers: bool = True


PLANS: dict[str, Plan] = {
    "half": Plan("half", 3, 25),
    "half without steering": Plan("half", 2, 25, steers=False),
    "half after 90 days": Plan("half", 2, 20, 90),
    "slice after 90 days": Plan("slice", 2, 25, 90),
    "slice after 90 days without steering": Plan("slice", 2, 25, 90, steers=False),
    "story": Plan("story", 3, 30),
    "healthy": Plan("healthy", 2, 60),
}
DECISIONS, QUICK_DECISIONS = 4_000, 1_000
QUICK_ONSET, QUICK_HORIZON = 8, 6
REVIEWS_OFF = 0.10
STATISTICAL_RUNS = 200


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        name: Scenario.
        seed: Seed.
        decisions: Decisions a day.
        onset: Day of the onset, or None: the scenario's.
        days: Days after the onset (of a healthy run: in all) after which it ends without an alarm.
        steers: What is suspected decides where reviews go.
    """

    name: Scenario
    seed: int
    decisions: int
    onset: int | None
    days: int
    steers: bool = True

    @property
    def model(self) -> StoryModel:
        """Its story."""
        model = scenario(self.name)
        # A healthy run has the steps' traffic: all of it routed from the first day on.
        model = healthy(scenario("half")) if self.name == "healthy" else model
        return model if self.onset is None else replace(model, onset_day=self.onset)


@dataclass
class Outcome:
    """What a run gave.

    Attributes:
        job: Which.
        alarm: First alarm of cause routing, or None.
        others: Other alarms.
        suspected_on: Day on which the right cell was first suspected, counted from the onset (0 is its first), or None.
        wrongly: Share of looks before the onset at which some cell was suspected.
        reviews: Reviews a day, from the third day on.
        draws_match: No stratum has other draws than its probabilities say.
        watching: Cost of watching a month in the ledger, over what was spent.
        rates_changed: Share of looks that put new rates in force.
    """

    job: Job
    alarm: Alarm | None = None
    others: list[Alarm] = field(default_factory=list)
    suspected_on: int | None = None
    wrongly: float = 0.0
    reviews: float = 0.0
    draws_match: bool = False
    watching: float = 0.0
    rates_changed: float = 0.0

    @property
    def delay(self) -> float:
        """Days from the onset to the alarm, begun days counted whole; NEVER without one."""
        if self.alarm is None:
            return NEVER
        return max(1, (self.alarm.detected_at - _time(self.job.model.onset_day)).days)

    @property
    def covers(self) -> bool:
        """Whether the onset's interval holds the true day."""
        alarm, onset = self.alarm, _time(self.job.model.onset_day)
        return alarm is not None and alarm.onset_interval[0] <= onset <= alarm.onset_interval[1]

    @property
    def worst(self) -> bool:
        """Whether the alarm names the segment with most hidden intents."""
        return self.alarm is not None and str(self.alarm.segment) == _worst(self.job.model)


def run_job(job: Job) -> Outcome:
    """Days until the alarm or the horizon."""
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (a store syncs thousands of times)
    with tempfile.TemporaryDirectory(prefix="undertow-live-", dir=fast) as folder, _steering(job.steers):
        return _run(job, World(Path(folder), job.model, Design(decisions=job.decisions), job.seed))


def _run(job: Job, world: World) -> Outcome:
    found, model = Outcome(job), job.model
    is_healthy = job.name == "healthy"
    last = job.days if is_healthy else model.onset_day + job.days
    reviews: list[int] = []
    looks: list[tuple[int, bool, bool]] = []
    spent = 0.0
    seen: Watched | None = None
    while world.days < last:
        day = world.days
        brought = world.live()
        reviews.append(sum(brought.reviews.values()))
        spent += brought.usd
        is_near = not is_healthy and day >= model.onset_day - 2
        if not (is_near or day < 2 or day % 7 == 0 or world.days == last):
            continue
        seen = world.look()
        suspected = [each for each in seen.suspicions if each.is_suspect]
        looks.append((day, bool(suspected), seen.is_changed))
        if found.suspected_on is None and day >= model.onset_day and any(each.segment == _worst(model) for each in suspected):  # fmt: skip
            found.suspected_on = day - model.onset_day
        alarms = () if seen.report is None else seen.report.alarms
        found.alarm = next((alarm for alarm in alarms if alarm.cause == "routing"), None)
        found.others = [alarm for alarm in alarms if alarm.cause != "routing"]
        if found.alarm is not None:
            break
    calm = [is_suspect for day, is_suspect, _ in looks if day < model.onset_day or is_healthy]
    found.wrongly = float(np.mean(calm)) if calm else 0.0
    found.rates_changed = float(np.mean([changed for *_, changed in looks[2:]])) if len(looks) > 2 else 0.0
    found.reviews = float(np.mean(reviews[2:]))
    found.draws_match = not draw_mismatches(draw_counts(world.root))
    if seen is not None and seen.report is not None and seen.report.ledger.watching_usd_month is not None:
        found.watching = seen.report.ledger.watching_usd_month / (spent / world.days * 365.25 / 12)
    return found


@contextmanager
def _steering(is_on: bool) -> Iterator[None]:
    """With steering off no suspicion moves a rate; all else is as it was."""
    kept = sampling_rates.suspects_of
    if not is_on:
        sampling_rates.suspects_of = _none
    try:
        yield
    finally:
        sampling_rates.suspects_of = kept


def _none(*_: object) -> tuple[Suspect, ...]:
    return ()


def _worst(model: StoryModel) -> str:
    return f"intent={INTENTS[model.worst_segment]}"


def _time(day: int) -> datetime:
    return START + timedelta(seconds=day * DAY_S)


def jobs_of(seed: int, *, quick: bool, runs: int | None = None) -> dict[str, list[Job]]:
    """Runs by what they are called; `runs` of each instead of what `PLANS` say."""
    if quick:
        return {
            "half": [Job("half", seed, QUICK_DECISIONS, QUICK_ONSET, QUICK_HORIZON)],
            "healthy": [Job("healthy", seed, QUICK_DECISIONS, None, 4)],
        }
    # Steered or not, a scenario has the same seeds.
    return {
        name: [
            Job(plan.name, seed + i, DECISIONS, plan.onset, plan.days, plan.steers) for i in range(runs or plan.runs)
        ]
        for name, plan in PLANS.items()
    }


def bench(report: Report, *, quick: bool, data: Path, runs: int | None = None) -> None:
    """All runs; `data` is not needed."""
    del data
    named = jobs_of(report.seed, quick=quick, runs=runs)
    flat = [job for jobs in named.values() for job in jobs]
    print(f"\nEverything live, through files: {len(flat)} stores of {flat[0].decisions:,} decisions a day, line {PRODUCT_LINE:.0f}")  # fmt: skip
    done = iter(in_processes(run_job, flat))
    found = {name: [next(done) for _ in jobs] for name, jobs in named.items()}
    for name, outcomes in found.items():
        if name != "healthy":
            _delays(report, name, outcomes)
    _promises(report, found)
    _history(report, 12 if quick else STATISTICAL_RUNS)


def _delays(report: Report, name: str, outcomes: Sequence[Outcome]) -> None:
    """Delays of one scenario, and what its alarms say."""
    n, delays = len(outcomes), np.array([outcome.delay for outcome in outcomes], dtype=np.float64)
    median, late = (float(np.quantile(delays, q, method="higher")) for q in (0.5, 0.9))
    job = outcomes[0].job
    model = replace(job.model, seen_hidden=F_PAIRS.seen_hidden)
    known = simulate(F_PAIRS, job.name, STATISTICAL_RUNS, np.random.default_rng((report.seed, 9)))
    ideal = known.delays(PRODUCT_LINE, scenario(job.name).onset_day)
    beside = (
        f"row (f) with pairwise review, baseline known, labels of the same day: {days_text(float(np.median(ideal)))}"
        f"/{days_text(float(np.quantile(ideal, 0.9)))} at {PRODUCT_LINE:.0f}; here it is learnt from {model.onset_day} days"
    )
    alarmed = [outcome for outcome in outcomes if outcome.alarm is not None]
    suspected = [outcome.suspected_on for outcome in outcomes if outcome.suspected_on is not None]
    print(f"  {name:16s} {n} runs: alarm after {days_text(median)}/{days_text(late)} days ({', '.join(days_text(d) for d in delays)});"
          f" right cell suspected after {', '.join(str(day + 1) for day in suspected) or '-'}; worst segment named {sum(o.worst for o in alarmed)} of {len(alarmed)}\n"
          f"  {'':16s} {beside}")  # fmt: skip
    for what, value in (("median", median), ("p90", late)):
        report.add(f"live, {name}: {what} days from onset to alarm", "shown", None, value, None, n, None, beside)
    report.add(
        f"live, {name}: right cell steered to before the alarm", "shown", None, len(suspected) / n, None, n, None
    )
    if alarmed:
        report.add(f"live, {name}: worst segment named", "shown", None, sum(o.worst for o in alarmed) / len(alarmed), None,
                   len(alarmed), None)  # fmt: skip
        report.add(f"live, {name}: onset interval covers the truth", "shown", None,
                   sum(o.covers for o in alarmed) / len(alarmed), None, len(alarmed), None)  # fmt: skip


def _history(report: Report, runs: int) -> None:
    """What days of history are worth: the worst segment's long tail alone, steered to from the third day on, told from its own past."""
    print(
        "  days from onset to alarm of the worst segment's long tail alone (its weight 1/30), by days of its own past:"
    )
    for name in ("half", "slice"):
        model = replace(scenario(name), seen_hidden=F_PAIRS.seen_hidden)
        before, after = (cells(model, hidden) for hidden in (model.hidden_before, model.hidden_after))
        place = model.worst_segment
        rates = before.flag_rate[place, 1], after.flag_rate[place, 1]
        labels = 0.7 * 0.6 * model.reviews_per_day * before.share[place, 1] / before.share[:, 1].sum()
        volume = DECISIONS * model.eligible_share * (1.0 - HOLDOUT) * after.share[place, 1]
        many = min(0.7 * model.reviews_per_day, volume)
        texts = []
        for past in (30, 60, 120):
            rng, day = np.random.default_rng((report.seed, past)), np.arange(past + 40)[:, None, None]
            n = rng.poisson(np.where(day >= past + 2, many, labels), (past + 40, runs, 1))
            k = rng.binomial(n, np.where(day >= past, rates[1], rates[0]))
            evidence = run_self_calibrating(k, n, 3, 8) / 30.0
            evidence[:past] = 0.0
            delays = np.where((evidence >= PRODUCT_LINE).any(0), (evidence >= PRODUCT_LINE).argmax(0) + 1 - past, NEVER)
            median, late = (float(np.quantile(delays, q, method="higher")) for q in (0.5, 0.9))
            texts.append(f"{past}: {days_text(median)}/{days_text(late)}")
            report.add(f"live, {name}: median days of the steered cell alone after {past} days of history", "shown", None, median, None,
                       runs, None, f"{labels:.0f} labels a day before, {many:.0f} after; p90 {days_text(late)}")  # fmt: skip
        print(f"    {name:6s} {', '.join(texts)}   ({labels:.0f} labels a day at {rates[0]:.0%} before, {many:.0f} at {rates[1]:.0%} after)")  # fmt: skip


def _promises(report: Report, found: dict[str, list[Outcome]]) -> None:
    """What must hold in every run."""
    every = [outcome for outcomes in found.values() for outcome in outcomes]
    calm = found["healthy"]
    alarms = [outcome.alarm for outcome in every if outcome.alarm is not None and outcome.job.name != "healthy"]
    tiers = sum(alarm.tier == TIERS[0] for alarm in alarms)
    false = sum(outcome.alarm is not None or bool(outcome.others) for outcome in calm)
    reviews = float(np.mean([outcome.reviews for outcome in every])) / scenario("half").reviews_per_day
    match = sum(outcome.draws_match for outcome in every)
    ledger = [outcome.watching for outcome in every]
    report.add("live: tier named right", "in all alarms", 1.0, tiers / len(alarms) if alarms else None, None, len(alarms),
               tiers == len(alarms) if alarms else None)  # fmt: skip
    report.add("live: alarms in healthy runs", "none", 0.0, false / len(calm), None, len(calm), false == 0)
    report.add("live: reviews a day over `review.per_day`", "within 10 %", REVIEWS_OFF, reviews, None, len(every),
               abs(reviews - 1.0) <= REVIEWS_OFF)  # fmt: skip
    report.add("live: runs whose draws match their probabilities", "all", 1.0, match / len(every), None, len(every), match == len(every))  # fmt: skip
    report.add("live: cost of watching in the ledger over what was spent", "shown", None, float(np.mean(ledger)), None, len(every), None)  # fmt: skip
    report.add("live: looks before the onset at which a cell is suspected", "shown", None,
               float(np.mean([outcome.wrongly for outcome in every])), None, len(every), None)  # fmt: skip
    report.add("live: looks that change the rates", "shown", None, float(np.mean([o.rates_changed for o in every])), None, len(every), None)  # fmt: skip
    print(f"  tier right in {tiers} of {len(alarms)} alarms; alarms in {false} of {len(calm)} healthy runs; reviews a day {reviews:.2f} of"
          f" per_day; draws match in {match} of {len(every)} runs; ledger {np.mean(ledger):.3f} of what watching cost;"
          f" suspected before the onset at {np.mean([o.wrongly for o in every]):.0%} of looks, rates changed at {np.mean([o.rates_changed for o in every]):.0%}")  # fmt: skip
    others = [f"{o.job.name} {o.job.seed}: {a.monitor} {a.kind} {a.tier} {a.segment} {a.cause}" for o in every for a in o.others]  # fmt: skip
    for line in others:
        print(f"    {line}")


def main() -> int:
    """Run all parts and write build/bench/live_loop.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short runs")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--runs", type=int, help="runs of each scenario")
    args = parser.parse_args()
    report = Report(args.seed, never=NEVER)
    bench(report, quick=args.quick, data=Path(), runs=args.runs)
    report.write("live_loop", Path("build/bench/live_loop.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
