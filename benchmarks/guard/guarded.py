"""The guard in a simulated incident: steered reviews raise the alarm, `actions.placing` says where to act, and labels go on.

Until the alarm the runs are those of the detection benchmark (its designs, e-detectors and line). From then on days are drawn here: segments
that are routed back get no cheap answers, so nothing more is learnt of them and they stay there. The keeper does the same with what its audit counts
(`undertow.services.weighing`).
"""

from dataclasses import dataclass, field, replace

import numpy as np

from detection.common import NEVER, PRODUCT_LINE
from detection.steered import CELLS, PLAIN, SEGMENTS, Design, G, Simulation, Trace, World, day_factor
from guard.money import HORIZON_DAYS, failure_usd, saved_usd_request, seen_of_failures
from undertow.actions.placing import RECENT_DAYS, WINDOW_DAYS, PlacingRule, Worth, weigh
from undertow.detectors.onset import onset_posterior
from undertow.sampling.steering import base_shares, whole_labels
from undertow.simulation.story import StoryModel, baseline, cells, hidden_share, rollout
from undertow.simulation.story_judged import draw_verdicts, shadow_pairs
from undertow.stats.pooled_rises import RiseCounts

AFTER_TAIL = 0.5
"""Share of labels in the long tail once an alarm was answered: what counts then is a segment's whole loss."""


@dataclass(frozen=True)
class Guarding:
    """How alarms are answered.

    Attributes:
        text: For the table.
        design: How labels are spent until the alarm.
        where: `placed` by expected net value; `whole`: all of the tier, for good; `loudest`: the segment with most evidence, for good.
        at_day_end: Act at the end of the day of the alarm; else when its last label is there.
        cost_factor: What the guard takes a failure to cost, as a multiple of the truth; NaN: money is unknown to it.
        judge_scale_known: Whether it knows how much less than a reviewer the judge sees; else it takes them for alike.
        rule: What decides where money is unknown.
    """

    text: str
    design: Design = G
    where: str = "placed"
    at_day_end: bool = False
    cost_factor: float = 1.0
    judge_scale_known: bool = False
    rule: PlacingRule = field(default_factory=PlacingRule)


@dataclass
class Guarded:
    """What came of it.

    Attributes:
        exposed: Share of each day that a segment was served cheap. Shape (days, R, S).
        alarm: Moment of the alarm in days; NEVER. Shape (R,).
    """

    exposed: np.ndarray
    alarm: np.ndarray


class _Noted(Simulation):
    """Keeps the counts of the alarm's day as they were at the alarm."""

    def run(self) -> Trace:
        self.at_alarm = np.zeros((self.runs, 4, CELLS))
        return super().run()

    def _note_alarms(self, state, moment: float) -> None:  # noqa: ANN001
        days = self.trace.days[PRODUCT_LINE]
        before = days[state.ids] >= NEVER
        super()._note_alarms(state, moment)
        new = state.ids[before & (days[state.ids] < NEVER)]
        self.at_alarm[new] = self.trace.counts[int(np.ceil(moment - 1e-9)) - 1, new]


class GuardedRuns:
    """Many runs of one way to answer alarms in one scenario.

    Args:
        guarding: How alarms are answered.
        model: The scenario.
        runs: How many.
        rng: Source of randomness.
        days: Length.
        world: What may be wrong with labels.
    """

    def __init__(
        self,
        guarding: Guarding,
        model: StoryModel,
        runs: int,
        rng: np.random.Generator,
        *,
        days: int = HORIZON_DAYS,
        world: World = PLAIN,
    ) -> None:
        self.guarding, self.runs, self.rng, self.days, self.world = guarding, runs, rng, days, world
        self.watched = _Noted(guarding.design, model, world, runs, rng, days=days, record=True)
        self.model = self.watched.model
        usual = baseline(self.model).cells
        self.usual, self.usual_whole = usual, usual.whole()
        self.within = usual.share / usual.share.sum(1, keepdims=True)
        seen = seen_of_failures(self.model)
        cost = guarding.cost_factor * failure_usd() / seen
        self.worth = Worth(np.full(SEGMENTS, saved_usd_request(model)), np.full(SEGMENTS, cost))
        self.judge_scale = seen_of_failures(self.model, judge=True) / seen if guarding.judge_scale_known else 1.0

    def run(self) -> Guarded:
        """All days."""
        trace = self.watched.run()
        moment = trace.days[PRODUCT_LINE]
        if self.guarding.at_day_end:
            moment = np.where(moment < NEVER, np.ceil(moment - 1e-9), moment)
        self.counts = trace.counts.astype(float)
        self.kept = np.ones((self.runs, SEGMENTS), dtype=bool)
        self.onset = np.zeros(self.runs, dtype=int)
        exposed = np.ones((self.days, self.runs, SEGMENTS))
        loudest = trace.parts[:, 1:].argmax(1)
        for day in range(self.days):
            exposed[day] = self.kept
            answered = np.flatnonzero(moment <= day)
            if len(answered) and self.guarding.where == "placed":
                self._label(answered, day)
            new = np.flatnonzero((moment > day) & (moment <= day + 1))
            if len(new):
                self._first(new, day, trace.cell, loudest)
                exposed[day, new] = np.where(self.kept[new], 1.0, (moment[new] - day)[:, None])
            known = np.concatenate([answered, new])
            if len(known) and self.guarding.where == "placed":
                self._decide(known, day + 1)
        return Guarded(exposed, moment)

    def _first(self, new: np.ndarray, day: int, cell: np.ndarray, loudest: np.ndarray) -> None:
        """At the alarm, with what was there then."""
        if self.guarding.where == "whole":
            self.kept[new] = False
        elif self.guarding.where == "loudest":
            self.kept[new, loudest[new]] = False
        else:
            partial = self.counts[day, new] if self.guarding.at_day_end else self.watched.at_alarm[new]
            for run, today in zip(new, partial, strict=True):
                self.onset[run] = self._onset_of(np.concatenate([self.counts[:day, run], today[None]]), int(cell[run]))
            self._decide(new, day, (self.onset[new] <= day)[:, None, None] * partial)

    def _onset_of(self, counts: np.ndarray, cell: int) -> int:
        """Most likely first day, from people and judge in the cell with most evidence."""
        people = onset_posterior(counts[:, 0, cell], counts[:, 1, cell], self.usual.flag_rate.ravel()[cell])
        judge = onset_posterior(counts[:, 2, cell], counts[:, 3, cell], self.usual.judge_rate.ravel()[cell])
        return int((people * judge).argmax())

    def _seen(self, ids: np.ndarray, until: int, days: int) -> RiseCounts:
        """Counts of runs since their onsets, at most of the last days before one."""
        start = np.maximum(self.onset[ids], until - days)
        first = max(int(start.min()), 0)
        counted = (np.arange(first, until)[:, None] >= start).astype(float)
        return self._counts(np.einsum("trkc,tr->rkc", self.counts[first:until, ids], counted))

    def _counts(self, counts: np.ndarray) -> RiseCounts:
        seen = counts.reshape(len(counts), 4, SEGMENTS, 2)
        return RiseCounts(
            self.within, seen[:, 0], seen[:, 1], self.usual.flag_rate, seen[:, 2], seen[:, 3], self.usual.judge_rate
        )

    def _decide(self, ids: np.ndarray, day: int, more: np.ndarray | float = 0.0) -> None:
        """With the labels before a day and some more, of shape (R, 4, C)."""
        since, recent = (self._seen(ids, day, days) for days in (WINDOW_DAYS, RECENT_DAYS))
        extra = self._counts(np.zeros((len(ids), 4, CELLS)) + more)
        since, recent = (
            replace(each, **{name: getattr(each, name) + getattr(extra, name) for name in ("failures", "labels", "flags", "pairs")})
            for each in (since, recent)
        )  # fmt: skip
        placing, _ = weigh(since, recent, self.worth, self.guarding.rule, judge_scale=self.judge_scale)
        # Nothing new is learnt of what was routed back, so it stays there.
        self.kept[ids] &= placing.kept

    def _label(self, ids: np.ndarray, day: int) -> None:
        """A day's labels and verdicts once the alarm was answered, by the base allocation."""
        design, rng, many = self.guarding.design, self.rng, len(ids)
        hidden = hidden_share(self.model, day)
        now = cells(self.model, hidden)
        base = base_shares(self.usual.share, AFTER_TAIL, design.base_even)
        shares = base.sum(1)[:, None] * np.array([1.0 - AFTER_TAIL, AFTER_TAIL])
        volume = self.model.queries_per_day * self.model.eligible_share * rollout(self.model, day) * now.share
        room = volume * self.kept[ids][:, :, None]
        n = whole_labels(np.minimum(design.labels * shares, room).reshape(many, -1), rng.random(many))
        factor = day_factor(self.usual_whole, self.world.rho, many, rng)
        flags = rng.binomial(n, np.minimum(now.flag_rate.ravel() * factor[:, None], 1.0))
        where = now.share if design.shadow_tail is None else base_shares(now.share, design.shadow_tail, 0.0)
        verdicts, pairs = draw_verdicts(
            shadow_pairs(self.model, day) * design.pairs, where.ravel(), now.judge_rate.ravel(), many, rng
        )
        open_cells = np.repeat(self.kept[ids], 2, axis=1).astype(int)
        self.counts[day, ids] = np.stack([flags, n, verdicts * open_cells, pairs * open_cells], 1)


def guarded(guarding: Guarding, model: StoryModel, runs: int, rng: np.random.Generator, **options: object) -> Guarded:
    """Runs of one way to answer alarms; see `GuardedRuns`."""
    return GuardedRuns(guarding, model, runs, rng, **options).run()


def healthy_model(model: StoryModel) -> StoryModel:
    """The same, and nothing changes."""
    return replace(model, hidden_after=model.hidden_before)
