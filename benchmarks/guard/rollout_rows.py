"""How long a healthy candidate takes through all stages, by evidence that may be looked at at any time and by group-sequential designs.

Both compare the same pairs (a reviewer sees both answers) with the same margin and stages, four looks a day. The rollout asks
`undertow.actions.rollout` at each look, with intervals as `undertow rollout` makes them of pairs; the second row is as
it is built: a bet that is tuned to the question shows the whole tier below the margin, too, at the same error altogether. The group-sequential design shows it once, at
one of five looks planned for its power, and then takes the stages as fast as their least number of labels allows. Its one-sided error is that of the rollout.
A candidate that it does not accept it never rolls out; here it is counted as if it had been, at the last look.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from detection.common import NEVER, in_processes, share_interval
from guard.group_sequential import GroupSequential, design
from report import Report
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.gates import LEAST_FRESH
from undertow.actions.rollout import begin, step
from undertow.actions.standing import moved, since_of
from undertow.records.guard import RolloutState
from undertow.records.serving import RolloutPlan
from undertow.services.rollout_evidence import BET_SHARE
from undertow.simulation.story import StoryModel
from undertow.stats.confidence import mean_interval
from undertow.stats.non_inferiority import log_shown_below

PAIRS_A_DAY = 180
LOOKS_A_DAY = 4
PAIRS_A_LOOK = PAIRS_A_DAY // LOOKS_A_DAY
DISCORDANT = 0.12
"""Share of pairs in which one answer fails and the other does not: both fail 6.4 % of the time, independently."""
MARGIN = 0.02
LEVEL = 0.975
"""Of the interval of a single tier: half of 5 % is kept for segments."""
ALPHA = (1.0 - LEVEL) / 2.0
"""Error of its upper side: what a design of comparison has."""
BET_ALPHA = BET_SHARE * ALPHA
"""Of that, for the tuned bet; the interval's upper end keeps the rest."""
POWER = 0.9
LONGEST_DAYS = 112
LOOKS_IN_ALL = LONGEST_DAYS * LOOKS_A_DAY
RATIO_BAR = 1.3
ENOUGH_SEEDS = 200
LOOKS = 5
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SHARES = np.asarray(StoryModel().segment_shares)
NAMES = ("", *(f"intent={i}" for i in range(len(SHARES))))
KINDS = {"obrien_fleming": "O'Brien-Fleming", "pocock": "Pocock"}


@dataclass(frozen=True)
class Candidate:
    """Pairs of one candidate by look and place: the whole tier, then its segments. Shapes (looks, 1 + S).

    Attributes:
        pairs: Compared.
        lost, won: In which only the cheap answer, or only the capable one, failed.
    """

    pairs: np.ndarray
    lost: np.ndarray
    won: np.ndarray


def draw(loss: float, rng: np.random.Generator) -> Candidate:
    """Pairs of a candidate with this loss in every segment."""
    pairs = rng.multinomial(PAIRS_A_LOOK, SHARES, LOOKS_IN_ALL)
    lost = rng.binomial(pairs, 0.5 * (DISCORDANT + loss))
    won = rng.binomial(pairs - lost, 0.5 * (DISCORDANT - loss) / (1.0 - 0.5 * (DISCORDANT + loss)))
    return Candidate(*(np.column_stack([x.sum(1), x]).astype(float) for x in (pairs, lost, won)))


@dataclass(frozen=True)
class Way:
    """Day on which the rollout left its first stage, and on which every place was exposed in full; NEVER if not."""

    left_first: float
    finished: float


def by_evidence(candidate: Candidate, *, bets: bool) -> Way:
    """The rollout, asked at each look."""
    plan = RolloutPlan(enabled=True, margin=MARGIN)
    start = begin("auto", "v1", plan, FIRST)
    state, trail = moved(None, start), [start]
    intervals = _intervals(candidate, bets=bets)
    left = float(NEVER)
    for look in range(LOOKS_IN_ALL):
        assert state is not None
        now = FIRST + timedelta(days=(look + 1) / LOOKS_A_DAY)
        entries = step(state, [_evidence(candidate, intervals, look, state)], (), plan, now, trail)
        for entry in entries:
            state = moved(state, entry) or state
        trail += entries
        if left >= NEVER and state.stage[""] > 0:
            left = (look + 1) / LOOKS_A_DAY
        if state.status == "finished":
            return Way(left, (look + 1) / LOOKS_A_DAY)
    return Way(left, float(NEVER))


def _intervals(candidate: Candidate, *, bets: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals of all places at all looks. Shapes (looks, 1 + S)."""
    lost, won, n = (x.cumsum(0) for x in (candidate.lost, candidate.won, candidate.pairs))
    level = np.full(len(NAMES), 1.0 - (1.0 - LEVEL) / len(SHARES))
    level[0] = LEVEL
    found = mean_interval(lost - won, lost + won, n, level, (-1.0, 1.0))
    low, high = found.low.copy(), found.high.copy()
    if bets:
        narrower = mean_interval(
            (lost - won)[:, 0], (lost + won)[:, 0], n[:, 0], 1.0 - 2.0 * (ALPHA - BET_ALPHA), (-1.0, 1.0)
        )
        high[:, 0] = narrower.high
        shown = log_shown_below(candidate.pairs[:, 0], candidate.lost[:, 0], candidate.won[:, 0], MARGIN)
        is_shown = np.maximum.accumulate(shown) >= -np.log(BET_ALPHA)
        high[:, 0] = np.where(is_shown, np.minimum(high[:, 0], np.nextafter(MARGIN, 0.0)), high[:, 0])
    return low, high


def _evidence(
    candidate: Candidate, intervals: tuple[np.ndarray, np.ndarray], look: int, state: RolloutState
) -> TierEvidence:
    segment_level = 1.0 - (1.0 - LEVEL) / len(SHARES)
    since = [since_of(state, name) for name in NAMES]
    begins = [round((datetime.fromisoformat(each) - FIRST) / timedelta(days=1 / LOOKS_A_DAY)) for each in since]
    fresh = {
        first: [x[first : look + 1].sum(0) for x in (candidate.lost, candidate.won, candidate.pairs)]
        for first in {*begins}
    }
    lost, won, n = (np.array([fresh[first][i][place] for place, first in enumerate(begins)]) for i in range(3))
    of_stage = [1.0 - (1.0 - level) / len(state.stages) for level in (LEVEL, *[segment_level] * len(SHARES))]
    lately = mean_interval(lost - won, lost + won, n, of_stage, (-1.0, 1.0))
    places = [
        PlaceEvidence(
            segment=name,
            share=1.0 if place == 0 else float(SHARES[place - 1]),
            n=int(candidate.pairs[: look + 1, place].sum()),
            loss=float((candidate.lost - candidate.won)[: look + 1, place].sum() / max(candidate.pairs[: look + 1, place].sum(), 1.0)),
            low=float(intervals[0][look, place]),
            high=float(intervals[1][look, place]),
            stage_since=since[place],
            fresh=int(n[place]),
            tier_fresh=int(fresh[begins[place]][2][0]),
            fresh_loss=float((lost[place] - won[place]) / n[place]) if n[place] else None,
            fresh_low=float(lately.low[place]),
        )
        for place, name in enumerate(NAMES)
    ]  # fmt: skip
    return TierEvidence("cheap", places[0], tuple(places[1:]), True, LEVEL, segment_level, PAIRS_A_DAY)


def by_design(candidate: Candidate, plan: GroupSequential) -> Way:
    """The group-sequential design, then the stages."""
    planned = plan.drift**2 * DISCORDANT / MARGIN**2
    further = (len(RolloutPlan().stages) - 2) * int(np.ceil(LEAST_FRESH / PAIRS_A_LOOK))
    pairs, lost, won = (x[:, 0].cumsum() for x in (candidate.pairs, candidate.lost, candidate.won))
    ends = [int(np.ceil(planned * k / plan.looks / PAIRS_A_LOOK)) for k in range(1, plan.looks + 1)]
    for end, boundary in zip(ends, plan.boundaries, strict=True):
        n, mean = pairs[end - 1], (lost[end - 1] - won[end - 1]) / pairs[end - 1]
        variance = (lost[end - 1] + won[end - 1]) / n - mean**2
        if (MARGIN - mean) / np.sqrt(variance / n) >= boundary:
            return Way(end / LOOKS_A_DAY, (end + further) / LOOKS_A_DAY)
    return Way(float(NEVER), (ends[-1] + further) / LOOKS_A_DAY)


WAYS = {
    "by evidence: intervals": partial(by_evidence, bets=False),
    "by evidence: tuned bet and intervals": partial(by_evidence, bets=True),
}


@dataclass(frozen=True)
class Job:
    """Candidates of one loss."""

    loss: float
    runs: int
    seed: tuple[int, ...]


def run_job(job: Job) -> dict[str, list[Way]]:
    """All candidates, each by the rollouts and by both designs."""
    rng = np.random.default_rng(job.seed)
    out: dict[str, list[Way]] = {name: [] for name in (*WAYS, *KINDS)}
    for _ in range(job.runs):
        candidate = draw(job.loss, rng)
        for name, way in WAYS.items():
            out[name].append(way(candidate))
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
    print(f"{'':40s} {'days, mean':>10s} {'median/p90':>11s} {'all through':>12s} {'losing the margin, left 5 %':>28s}")
    days = {name: np.minimum([way.finished for way in ways], LONGEST_DAYS) for name, ways in healthy.items()}
    texts = {name: name for name in WAYS} | {k: f"{v}, {LOOKS} looks, power {POWER:.0%}" for k, v in KINDS.items()}
    for name, text in texts.items():
        through = float(np.mean([way.left_first < NEVER for way in healthy[name]]))
        wrong = sum(way.left_first < NEVER for way in harmful[name])
        d, is_ours = days[name], name in WAYS
        print(f"{text:40s} {d.mean():10.1f} {np.median(d):6.1f}/{np.quantile(d, 0.9):<4.1f} {through:12.1%} {wrong / runs:28.2%}")  # fmt: skip
        report.add(
            "healthy candidate: days until all is exposed, mean", "shown", None, float(d.mean()), None, runs, None, text
        )
        report.add("healthy candidate: rolled out within 112 days", "shown", None, through, None, runs, None, text)
        report.add(f"candidate that loses the margin leaves the first stage within {LONGEST_DAYS} days",
                   f"at most {ALPHA:.2%}" if is_ours else "shown", ALPHA if is_ours else None, wrong / runs, share_interval(wrong, runs), runs,
                   share_interval(wrong, runs)[0] <= ALPHA if is_ours and runs >= ENOUGH_SEEDS else None, text)  # fmt: skip
    for name in WAYS:
        for kind in KINDS:
            ratio, interval = _ratio(days[name], days[kind])
            print(f"{name}, days over {texts[kind]}: {ratio:.2f} ({interval[0]:.2f} to {interval[1]:.2f})")
            report.add(f"days of a healthy candidate over a group-sequential design's, {name}", f"at most {RATIO_BAR}", RATIO_BAR, ratio,
                       interval, runs, ratio <= RATIO_BAR if runs >= ENOUGH_SEEDS else None, texts[kind])  # fmt: skip


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Ratio of mean days, and its 95 % interval by the delta method on the same candidates."""
    ratio = ours.mean() / theirs.mean()
    error = 1.96 * np.std(ours - ratio * theirs) / np.sqrt(len(ours)) / theirs.mean()
    return float(ratio), (float(ratio - error), float(ratio + error))
