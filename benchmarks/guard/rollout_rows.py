"""How long a healthy candidate takes through all stages, by evidence that may be looked at every day and by group-sequential designs.

Both compare the same pairs a day (a reviewer sees both answers) with the same margin, stages and looks at the end of a day. The rollout asks
`undertow.actions.rollout` each day, with intervals as `undertow rollout` makes them of pairs. The group-sequential design shows once that the loss
is below the margin, at one of five looks planned for its power, and then takes a stage a day, as the rollout does at best. Its one-sided error is that of the
rollout's upper bound: of the interval's two sides, each has half. What it does not accept it never rolls out; here it is counted as if it had been, at its last look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from detection.common import NEVER, in_processes, share_interval
from guard.group_sequential import GroupSequential, design
from report import Report
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.rollout import begin, step
from undertow.actions.standing import moved, since_of
from undertow.records.guard import RolloutState
from undertow.records.serving import RolloutPlan
from undertow.simulation.story import StoryModel
from undertow.stats.confidence import MeanInterval, mean_interval

PAIRS_A_DAY = 180
DISCORDANT = 0.12
"""Share of pairs in which one answer fails and the other does not: both fail 6.4 % of the time, independently."""
MARGIN = 0.02
LEVEL = 0.975
"""Of the interval of a single tier: half of 5 % is kept for segments."""
ALPHA = (1.0 - LEVEL) / 2.0
POWER = 0.9
LONGEST_DAYS = 112
RATIO_BAR = 1.3
LOOKS = 5
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
SHARES = np.asarray(StoryModel().segment_shares)
NAMES = ["", *(f"intent={i}" for i in range(len(SHARES)))]
SEGMENT_LEVEL = 1.0 - (1.0 - LEVEL) / len(SHARES)
LEVELS = np.array([LEVEL, *[SEGMENT_LEVEL] * len(SHARES)])
KINDS = {"obrien_fleming": "O'Brien-Fleming", "pocock": "Pocock"}


@dataclass(frozen=True)
class Candidate:
    """Pairs of one candidate by day and segment. Shapes (days, S).

    Attributes:
        pairs: Compared.
        lost, won: In which only the cheap answer, or only the capable one, failed.
    """

    pairs: np.ndarray
    lost: np.ndarray
    won: np.ndarray


def draw(loss: float, rng: np.random.Generator, days: int = LONGEST_DAYS) -> Candidate:
    """Pairs of a candidate with this loss in every segment."""
    pairs = rng.multinomial(PAIRS_A_DAY, SHARES, days)
    lost = rng.binomial(pairs, 0.5 * (DISCORDANT + loss))
    won = rng.binomial(pairs - lost, 0.5 * (DISCORDANT - loss) / (1.0 - 0.5 * (DISCORDANT + loss)))
    return Candidate(pairs, lost, won)


@dataclass(frozen=True)
class Way:
    """Day on which the rollout left its first stage, and on which every place was exposed in full; NEVER if not."""

    left_first: float
    finished: float


def by_evidence(candidate: Candidate) -> Way:
    """The rollout, asked at the end of each day."""
    plan = RolloutPlan(enabled=True, margin=MARGIN)
    start = begin("auto", "v1", plan, FIRST_DAY)
    state, trail = moved(None, start), [start]
    sums = _sums_until(candidate)
    found = mean_interval(*sums, LEVELS, (-1.0, 1.0))
    left = NEVER
    for day in range(LONGEST_DAYS):
        assert state is not None
        now = FIRST_DAY + timedelta(days=day + 1)
        entries = step(state, [_evidence(sums, found, day, state)], (), plan, now, trail)
        for entry in entries:
            state = moved(state, entry) or state
        trail += entries
        if left == NEVER and state.stage[""] > 0:
            left = day + 1
        if state.status == "finished":
            return Way(left, day + 1)
    return Way(left, NEVER)


def _sums_until(candidate: Candidate) -> np.ndarray:
    """Sum of losses, of their squares, and pairs, until the end of each day: the whole tier, then segments. Shape (3, days + 1, 1 + S)."""
    daily = np.stack([candidate.lost - candidate.won, candidate.lost + candidate.won, candidate.pairs]).astype(float)
    places = np.concatenate([daily.sum(-1, keepdims=True), daily], axis=-1)
    return np.concatenate([np.zeros_like(places[:, :1]), places.cumsum(1)], axis=1)


def _evidence(sums: np.ndarray, found: MeanInterval, day: int, state: RolloutState) -> TierEvidence:
    since = [since_of(state, name) for name in NAMES]
    first = np.array([(datetime.fromisoformat(each) - FIRST_DAY).days for each in since])
    until, fresh = sums[:, day + 1], sums[:, day + 1] - np.take_along_axis(sums, first[None, None], axis=1)[:, 0]
    tier_fresh = until[2, 0] - sums[2, first, 0]
    lately = mean_interval(*fresh, LEVELS, (-1.0, 1.0))
    places = [
        PlaceEvidence(
            segment=name,
            share=1.0 if i == 0 else float(SHARES[i - 1]),
            n=int(until[2, i]),
            loss=float(found.mean[day + 1, i]) if until[2, i] else None,
            low=float(found.low[day + 1, i]),
            high=float(found.high[day + 1, i]),
            stage_since=since[i],
            fresh=int(fresh[2, i]),
            tier_fresh=int(tier_fresh[i]),
            fresh_loss=float(lately.mean[i]) if fresh[2, i] else None,
            fresh_low=float(lately.low[i]),
        )
        for i, name in enumerate(NAMES)
    ]
    return TierEvidence("cheap", places[0], tuple(places[1:]), True, LEVEL, SEGMENT_LEVEL, PAIRS_A_DAY)


def by_design(candidate: Candidate, plan: GroupSequential) -> Way:
    """The group-sequential design, then a stage a day."""
    planned = plan.drift**2 * DISCORDANT / MARGIN**2
    stages = len(RolloutPlan().stages)
    pairs, lost, won = (x.sum(1).cumsum() for x in (candidate.pairs, candidate.lost, candidate.won))
    days = [int(np.ceil(planned * k / plan.looks / PAIRS_A_DAY)) for k in range(1, plan.looks + 1)]
    for day, boundary in zip(days, plan.boundaries, strict=True):
        n, mean = pairs[day - 1], (lost[day - 1] - won[day - 1]) / pairs[day - 1]
        variance = (lost[day - 1] + won[day - 1]) / n - mean**2
        if (MARGIN - mean) / np.sqrt(variance / n) >= boundary:
            return Way(day, day + stages - 2)
    return Way(NEVER, days[-1] + stages - 2)


@dataclass(frozen=True)
class Job:
    """Candidates of one loss."""

    loss: float
    runs: int
    seed: tuple[int, ...]


def run_job(job: Job) -> dict[str, list[Way]]:
    """All candidates by the rollout and by both designs."""
    rng = np.random.default_rng(job.seed)
    out: dict[str, list[Way]] = {"evidence": [], **{kind: [] for kind in KINDS}}
    for _ in range(job.runs):
        candidate = draw(job.loss, rng)
        out["evidence"].append(by_evidence(candidate))
        for kind in KINDS:
            out[kind].append(by_design(candidate, design(kind, LOOKS, ALPHA, POWER)))
    return out


def bench_rollout(report: Report, runs: int) -> None:
    """Days of a healthy candidate, and how often one that loses the margin leaves the first stage."""
    jobs = [Job(loss, runs, (report.seed, 11, i)) for i, loss in enumerate((0.0, MARGIN))]
    healthy, harmful = in_processes(run_job, jobs)
    stages = ", ".join(f"{stage:.0%}" for stage in RolloutPlan().stages)
    print(
        f"\nRollout of a healthy candidate through {stages}: {PAIRS_A_DAY} pairs a day, margin {MARGIN:g}, {runs} seeds"
    )
    print(f"{'':36s} {'days, mean':>10s} {'median/p90':>11s} {'all through':>12s} {'losing the margin, left 5 %':>28s}")
    finished = {name: _finished(ways) for name, ways in healthy.items()}
    texts = {"evidence": "by evidence, looked at every day"} | {k: f"{v}, {LOOKS} looks, power {POWER:.0%}" for k, v in KINDS.items()}  # fmt: skip
    for name, text in texts.items():
        days = finished[name]
        through = float(np.mean([way.left_first < NEVER for way in healthy[name]]))
        wrong = sum(way.left_first < NEVER for way in harmful[name])
        print(f"{text:36s} {days.mean():10.1f} {np.median(days):6.0f}/{np.quantile(days, 0.9):<4.0f} {through:12.1%} {wrong / runs:28.2%}")  # fmt: skip
        report.add("healthy candidate: days until all is exposed, mean", "shown", None, float(days.mean()), None, runs, None, text)  # fmt: skip
        report.add("healthy candidate: rolled out within 112 days", "shown", None, through, None, runs, None, text)
        bar = ALPHA if name == "evidence" else None
        report.add(f"candidate that loses the margin leaves the first stage within {LONGEST_DAYS} days",
                   f"at most {ALPHA:.2%}" if bar else "shown", bar, wrong / runs, share_interval(wrong, runs), runs,
                   share_interval(wrong, runs)[0] <= ALPHA if bar and runs >= 200 else None, text)  # fmt: skip
    for kind, text in KINDS.items():
        ratio, interval = _ratio(finished["evidence"], finished[kind])
        print(f"days by evidence over {text}: {ratio:.2f} ({interval[0]:.2f} to {interval[1]:.2f})")
        report.add(f"days of a healthy candidate over a group-sequential design's ({text})", f"at most {RATIO_BAR}", RATIO_BAR, ratio,
                   interval, runs, ratio <= RATIO_BAR if runs >= 200 else None, texts[kind])  # fmt: skip


def _finished(ways: Sequence[Way]) -> np.ndarray:
    return np.minimum([way.finished for way in ways], LONGEST_DAYS).astype(float)


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Ratio of mean days, and its 95 % interval by the delta method on the same candidates."""
    ratio = ours.mean() / theirs.mean()
    error = 1.96 * np.std(ours - ratio * theirs) / np.sqrt(len(ours)) / theirs.mean()
    return float(ratio), (float(ratio - error), float(ratio + error))
