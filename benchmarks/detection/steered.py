"""Rows (f) and (g) as simulations: a judge says where to look, people look there, and only what people say can alarm.

Days (or parts of them) are drawn one by one for all runs at once, since each allocation depends on what was seen before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from detection.common import NEVER, PRODUCT_LINE, PUBLISHED_LINE
from undertow.detectors.e_detector import EDetector
from undertow.sampling.steering import Allocation, base_shares, steer_in_proportion, steer_to_top, whole_labels
from undertow.simulation.story import Scenario, StoryModel, baseline, cells, hidden_share, rollout, scenario
from undertow.simulation.story_judged import Returns, Reviewers, draw_verdicts, drifted, shadow_pairs
from undertow.stats.betting import BET_MULTIPLIERS, log_bernoulli_bets
from undertow.stats.day_effects import estimate_day_effect, log_overdispersed_bets

LINES = (PUBLISHED_LINE, PRODUCT_LINE)
SEGMENTS, CELLS = 6, 12
BASELINE_DAYS = 28
"""Days before routing from which the correlation of a day's labels is bounded."""

# Which cells (segment by stratum) each stream adds up: the tier, its tail, segments, single cells.
MEMBERS = np.concatenate(
    [
        np.ones((1, CELLS)),
        np.tile([0.0, 1.0], SEGMENTS)[None],
        np.repeat(np.eye(SEGMENTS), 2, axis=1),
        np.eye(CELLS),
    ]
)
TIER, TAIL, BY_SEGMENT, BY_CELL = 0, 1, slice(2, 2 + SEGMENTS), slice(2 + SEGMENTS, 2 + SEGMENTS + CELLS)

Steer = Callable[[np.ndarray, np.ndarray, float], Allocation]


@dataclass(frozen=True)
class Design:
    """How labels are spent and evidence is weighed.

    Attributes:
        name, text: Of the row.
        labels: Human labels of cheap-served answers a day.
        capable_labels: Human labels of capable answers: of served ones, and in (g) the other side of each pair.
        seen_hidden: Share of confident failures that a reviewer sees; .8 beside the shadow answer.
        rounds: Times a day that labels, evidence and allocation are brought up to date.
        pairs: Share of the model's shadow volume that the judge compares; the rest is for reviewed pairs.
        shadow_tail: Share of shadow pairs in the long tail; None: as the traffic is.
        base_tail, base_even: Of the base allocation (`sampling.steering.base_shares`).
        steer: Allocation from evidence per cell, base shares and labels.
        people_steer: Whether the suspicion takes human labels in, too.
        weights: Of tier, tail, segments, cells, capable tier; sum at most 1.
    """

    name: str
    text: str
    labels: int = 140
    capable_labels: int = 60
    seen_hidden: float = 0.5
    rounds: int = 1
    pairs: float = 1.0
    shadow_tail: float | None = None
    base_tail: float = 0.7
    base_even: float = 0.5
    steer: Steer = steer_to_top
    people_steer: bool = True
    weights: tuple[float, float, float, float, float] = (0.225, 0.225, 0.225, 0.225, 0.1)


F = Design("f", "judge steers, humans alarm")
F_PAIRS = replace(F, name="f2", text="(f) with pairwise review", seen_hidden=0.8)
G = replace(
    F_PAIRS,
    name="g",
    text="aim: 8 rounds a day, by evidence",
    labels=180,
    capable_labels=200,
    rounds=8,
    pairs=470 / 650,
    shadow_tail=0.6,
    steer=steer_in_proportion,
    # A fifth is kept back for streams that appear later.
    weights=(0.08, 0.12, 0.12, 0.40, 0.08),
)
"""Every review is a pair: 180 of cheap-served answers beside the capable one's, which also judges the capable tier, and 20 of answers that
the capable tier served. The 180 shadow answers come out of the same 2 % of traffic, which leaves the judge 470 pairs of its own."""


def hurried(design: Design, *, quick: bool) -> Design:
    """The design of a quick run: at most two rounds a day, since a simulation's time goes by rounds."""
    if not quick or design.rounds <= 2:
        return design
    return replace(design, rounds=2, text=design.text.replace(f"{design.rounds} rounds", "2 rounds"))


@dataclass(frozen=True)
class World:
    """What may be wrong with the labels.

    Attributes:
        rho: Intra-day correlation of human labels.
        rho_corrected: Bets that allow for it, its bound estimated from `BASELINE_DAYS` earlier days.
        judge_drift: Good answers that the judge flags in addition from day 30 on.
        reviewers: Several, of different strictness.
        by_reviewer: Each label is held against its own reviewer's rate.
        returns: Late and missing labels.
        window_closes: Labels count once their window has closed, and those that did not come back count as not flagged.
    """

    rho: float = 0.0
    rho_corrected: bool = True
    judge_drift: float = 0.0
    reviewers: Reviewers | None = None
    by_reviewer: bool = True
    returns: Returns | None = None
    window_closes: bool = False


PLAIN = World()


@dataclass
class Trace:
    """What a simulation gave.

    Attributes:
        days: By line, moment of the first alarm in days since the start (parts of a day as fractions), NEVER if none. Shape (R,).
        judge_days: Moment at which a detector of the judge's verdicts alone would have alarmed at the product's line.
        parts: Weighted evidence at the alarm at the product's line: capable tier, then segments (with their cells). Shape (R, 1 + S).
        cell: Cell with most evidence then. Shape (R,).
        counts: Human flags, labels, judge flags, pairs, per day. Shape (T, R, 4, C).
        extra_share: Mean share of labels that steering moved.
    """

    days: dict[float, np.ndarray]
    judge_days: np.ndarray
    parts: np.ndarray
    cell: np.ndarray
    counts: np.ndarray
    extra_share: float = 0.0

    def delays(self, line: float, onset_day: int) -> np.ndarray:
        """Days from onset to alarm, begun days counted whole; alarms before the onset left out."""
        late = self.days[line][self.days[line] >= onset_day]
        return np.where(late >= NEVER, NEVER, np.ceil(late - onset_day - 1e-9).clip(1))


@dataclass
class _State:
    """Arrays over the runs that have not alarmed yet; `keep` drops rows."""

    ids: np.ndarray
    people: np.ndarray
    capable: np.ndarray
    suspicion: np.ndarray
    judge: np.ndarray
    mail: list[np.ndarray] = field(default_factory=list)
    rho: np.ndarray | None = None

    def keep(self, rows: np.ndarray) -> None:
        for name in ("ids", "people", "capable", "suspicion", "judge"):
            setattr(self, name, getattr(self, name)[rows])
        self.mail = [each[:, rows] for each in self.mail]
        self.rho = None if self.rho is None else self.rho[rows]


def day_factor(mean: float, rho: float, runs: int, rng: np.random.Generator) -> np.ndarray:
    """What multiplies all flag rates of a day, so that two labels of the tier correlate by rho. Shape (runs,)."""
    if rho <= 0.0:
        return np.ones(runs)
    return rng.beta(mean * (1.0 / rho - 1.0), (1.0 - mean) * (1.0 / rho - 1.0), runs) / mean


def scaled_rho(rho: np.ndarray, at: float, rate: np.ndarray) -> np.ndarray:
    """Correlation at another rate, if a day multiplies all rates alike; never below the one that was bounded."""
    odds = (1.0 - at) / at * rate / (1.0 - rate)
    return np.clip(np.maximum(rho, rho * odds), 0.0, 0.9)


class Simulation:
    """One design in one world; `run` draws many runs at once.

    Args:
        design: The design.
        model: The scenario; its reviewers' sensitivity is replaced by the design's.
        world: What may be wrong.
        runs: How many.
        rng: Source of randomness.
        days: Length; default the model's.
        record: Whether daily counts are kept.
    """

    def __init__(
        self,
        design: Design,
        model: StoryModel,
        world: World,
        runs: int,
        rng: np.random.Generator,
        *,
        days: int | None = None,
        record: bool = False,
    ) -> None:
        # Overdispersed bets weigh a day as one block, and need its size fixed before it begins.
        self.design = replace(design, rounds=1) if world.rho > 0.0 and world.rho_corrected else design
        self.model = replace(model, seen_hidden=design.seen_hidden)
        self.world, self.runs, self.rng = world, runs, rng
        self.total_days = days or model.days
        null = baseline(self.model).cells
        self.null, self.judge_null = null.flag_rate.ravel(), null.judge_rate.ravel()
        self.null_whole = null.whole()
        if world.reviewers is not None:
            by_reviewer = world.reviewers.flag_rates(self.model, self.model.hidden_before)
            self.null_by_reviewer = by_reviewer
            self.null = np.asarray(world.reviewers.usual_shares) @ by_reviewer
        self.base = base_shares(null.share, design.base_tail, design.base_even).ravel()
        sizes = MEMBERS.sum(1)
        self.sizes = sizes
        tier, tail, segment, cell, capable = design.weights
        self.weights = np.concatenate(
            [[tier, tail], np.full(SEGMENTS, segment / SEGMENTS), np.full(CELLS, cell / CELLS)]
        )
        self.capable_weight = capable
        self.moved: list[float] = []
        self.trace = Trace(
            {line: np.full(runs, float(NEVER)) for line in LINES},
            np.full(runs, float(NEVER)),
            np.zeros((runs, 1 + SEGMENTS)),
            np.zeros(runs, dtype=int),
            np.zeros((self.total_days if record else 0, runs, 4, CELLS), dtype=np.int32),
        )

    def run(self) -> Trace:
        """All days; runs leave once they have passed the highest line."""
        bets = len(BET_MULTIPLIERS)
        streams = (self.runs, len(MEMBERS), bets)
        state = _State(
            np.arange(self.runs), np.zeros(streams), np.zeros((self.runs, bets)),
            np.zeros((self.runs, CELLS, bets)), np.zeros((self.runs, CELLS, bets)),
        )  # fmt: skip
        if self.world.rho > 0.0 and self.world.rho_corrected:
            state.rho = self._bounded_rho()
        if self.world.returns is not None:
            state.mail = [np.zeros((2, self.runs, CELLS), dtype=np.int64) for _ in range(self.world.returns.window_days + 1)]  # fmt: skip
        for day in range(self.total_days):
            factor = day_factor(self.null_whole, self.world.rho, len(state.ids), self.rng)
            shares = None
            if self.world.reviewers is not None:
                shares = self.world.reviewers.day_shares(len(state.ids), self.rng)
            for part in range(self.design.rounds):
                self._round(state, day, part, factor, shares)
            waiting = self.trace.days[max(LINES)][state.ids] >= NEVER
            if not waiting.all():
                state.keep(np.flatnonzero(waiting))
            if not len(state.ids):
                break
        self.trace.extra_share = float(np.mean(self.moved))
        return self.trace

    def _round(self, state: _State, day: int, part: int, factor: np.ndarray, shares: np.ndarray | None) -> None:
        design, rng, runs = self.design, self.rng, len(state.ids)
        first = part == 0
        hidden = hidden_share(self.model, day)
        now = cells(self.model, hidden)
        # Allocation: from what was known before the round.
        suspicion = (state.suspicion if design.people_steer else state.judge).mean(-1)
        allocation = design.steer(suspicion, self.base, design.labels / design.rounds)
        self.moved.append(float(allocation.extra.sum() / (runs * design.labels / design.rounds)))
        volume = self.model.queries_per_day * self.model.eligible_share * rollout(self.model, day) / design.rounds
        expected = np.minimum(allocation.labels, volume * now.share.ravel())
        n = whole_labels(expected, rng.random(runs))
        flags, labels, log_bets = self._labels(state, day, first, n, now.flag_rate.ravel(), hidden, factor, shares)
        state.people = self._next(state.people, self._by_stream(state, flags, labels, log_bets), first)
        capable_n = np.full(runs, design.capable_labels // design.rounds)
        capable = rng.binomial(capable_n, np.minimum(self.model.capable_flag_rate * day_factor(self.model.capable_flag_rate, self.world.rho, runs, rng), 1.0))  # fmt: skip
        rho = np.zeros(runs) if state.rho is None else state.rho
        state.capable = self._next(state.capable, log_overdispersed_bets(capable, capable_n, self.model.capable_flag_rate, rho), first)  # fmt: skip
        # The judge: its verdicts reach the next allocation, and no alarm.
        judged = cells(drifted(self.model, day, self.world.judge_drift), hidden)
        where = now.share if design.shadow_tail is None else base_shares(now.share, design.shadow_tail, 0.0)
        verdicts, pairs = draw_verdicts(
            shadow_pairs(self.model, day) * design.pairs / design.rounds, where.ravel(), judged.judge_rate.ravel(), runs, rng
        )  # fmt: skip
        log_judge = log_bernoulli_bets(verdicts, pairs, self.judge_null)
        state.judge = self._next(state.judge, log_judge, first)
        if design.people_steer:
            state.suspicion = self._next(state.suspicion, log_judge + log_bets, first)
        if len(self.trace.counts):
            self.trace.counts[day, state.ids] += np.stack([flags, labels, verdicts, pairs], 1).astype(np.int32)
        self._note_alarms(state, day + (part + 1) / design.rounds)

    @staticmethod
    def _next(r: np.ndarray, log_bets: np.ndarray, first: bool) -> np.ndarray:
        return EDetector(r).update(log_bets, restart=first).r

    def _labels(
        self,
        state: _State,
        day: int,
        first: bool,
        n: np.ndarray,
        rate: np.ndarray,
        hidden: float,
        factor: np.ndarray,
        shares: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flags and labels that count in this round, and their bets per cell. Shapes (R, C), (R, C), (R, C, J)."""
        world = self.world
        if world.reviewers is not None and shares is not None:
            k, each = world.reviewers.draw(n, world.reviewers.flag_rates(self.model, hidden), shares, self.rng)
            if world.by_reviewer:
                return k.sum(-1), n, log_bernoulli_bets(k, each, self.null_by_reviewer.T).sum(-2)
            flags = k.sum(-1)
        else:
            flags = self.rng.binomial(n, np.minimum(rate * factor[:, None], 1.0))
        if world.returns is not None:
            flags, n = self._mail(state, day, first, flags, n)
        rho = 0.0 if state.rho is None else scaled_rho(state.rho[:, None], self.null_whole, self.null)
        return flags, n, log_overdispersed_bets(flags, n, self.null, rho)

    def _mail(
        self, state: _State, day: int, first: bool, flags: np.ndarray, n: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels that count now: late ones of earlier days (in a day's first round), and today's that are not late."""
        returns = self.world.returns
        assert returns is not None
        flagged, unflagged = returns.draw(flags, n, day, self.rng)
        if self.world.window_closes:
            came = flagged.sum(0)
            flagged, unflagged = np.zeros_like(flagged), np.zeros_like(unflagged)
            flagged[-1], unflagged[-1] = came, n - came
        due = state.mail[0] if first else np.zeros_like(state.mail[0])
        if first:
            state.mail = [*state.mail[1:], np.zeros_like(state.mail[0])]
        now = np.stack([flagged[0], unflagged[0]]) + due
        state.mail = [box + np.stack([flagged[i], unflagged[i]]) for i, box in enumerate(state.mail[:-1], start=1)] + state.mail[-1:]  # fmt: skip
        return now[0], now.sum(0)

    def _by_stream(self, state: _State, flags: np.ndarray, labels: np.ndarray, log_bets: np.ndarray) -> np.ndarray:
        """Bets of every stream. Shape (R, streams, J)."""
        if state.rho is None:
            return np.einsum("sc,rcj->rsj", MEMBERS, log_bets)
        # Cells of a day share its effect: their bets must not be multiplied, so a stream is weighed by its pooled counts.
        k, n = flags @ MEMBERS.T, labels @ MEMBERS.T
        rate = np.where(n > 0, (labels * self.null) @ MEMBERS.T / np.maximum(n, 1), 0.1)
        return log_overdispersed_bets(k, n, rate, scaled_rho(state.rho[:, None], self.null_whole, rate))

    def _note_alarms(self, state: _State, moment: float) -> None:
        streams = state.people.mean(-1) * self.weights
        capable = state.capable.mean(-1) * self.capable_weight
        total = streams.sum(1) + capable
        for line in LINES:
            new = (total >= line) & (self.trace.days[line][state.ids] >= NEVER)
            self.trace.days[line][state.ids[new]] = moment
            if line == PRODUCT_LINE and new.any():
                segment = streams[new, BY_SEGMENT] + streams[new, BY_CELL].reshape(-1, SEGMENTS, 2).sum(-1)
                self.trace.parts[state.ids[new]] = np.concatenate([capable[new, None], segment], 1)
                self.trace.cell[state.ids[new]] = streams[new, BY_CELL].argmax(1)
        judge = state.judge.mean((1, 2)) >= PRODUCT_LINE
        fresh = judge & (self.trace.judge_days[state.ids] >= NEVER)
        self.trace.judge_days[state.ids[fresh]] = moment

    def _bounded_rho(self) -> np.ndarray:
        """Upper bound of the tier's correlation from a month of base allocation before. Shape (R,)."""
        n = whole_labels(np.tile(self.design.labels * self.base, (self.runs, 1)), self.rng.random(self.runs))
        rate = float(self.base @ self.null)
        flags = np.zeros((BASELINE_DAYS, self.runs))
        for day in range(BASELINE_DAYS):
            factor = day_factor(self.null_whole, self.world.rho, self.runs, self.rng)
            flags[day] = self.rng.binomial(n, np.minimum(self.null * factor[:, None], 1.0)).sum(1)
        effects = [estimate_day_effect(flags[:, i], np.full(BASELINE_DAYS, n[i].sum())) for i in range(self.runs)]
        bound = np.array([e.rho_upper if e else 0.05 for e in effects])
        # Stated for the tier's own rate: a day multiplies all rates.
        return bound * (1.0 - rate) / rate * self.null_whole / (1.0 - self.null_whole)


def simulate(
    design: Design,
    name: Scenario,
    runs: int,
    rng: np.random.Generator,
    *,
    world: World = PLAIN,
    healthy_run: bool = False,
    record: bool = False,
) -> Trace:
    """A design in a scenario; `healthy_run`: nothing changes."""
    model = scenario(name)
    if healthy_run:
        model = replace(model, hidden_after=model.hidden_before)
    return Simulation(design, model, world, runs, rng, record=record).run()
