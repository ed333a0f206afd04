"""The support incident as a model of daily counts, for benchmarks and statistical tests.

A reviewer or judge meets four kinds of cheap-tier traffic, by *segment* and *risk stratum* (0 common, 1 long tail): in each, a
share of queries has a hidden intent on which the cheap model fails confidently. A cell's flag rate follows from those shares;
everything a detector sees is a binomial or multinomial count of flags, so thousands of runs are drawn at once.

The incidents with texts and decisions of their own are in `undertow.simulation.incidents`; this is their arithmetic.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Scenario = Literal["story", "half", "slice", "healthy"]
SCENARIOS: tuple[Scenario, ...] = ("story", "half", "slice", "healthy")


@dataclass(frozen=True, slots=True)
class StoryModel:
    """Every parameter of the model; rates and shares are fractions in [0, 1].

    Attributes:
        days: Length of a run.
        queries_per_day: All traffic.
        eligible_share: Share of traffic that the classifier calls simple: cheap traffic at full rollout.
        rollout_by_week: Share of the eligible traffic sent to the cheap tier, by week; the last value stays.
        reviews_per_day: Human reviews.
        cheap_reviews: Of these, reviews of cheap-tier answers where reviews are split by tier.
        tail_reviews: Of the cheap ones, reviews of the long-tail stratum where reviews are stratified by risk.
        hidden_before, hidden_after: Share of cheap traffic with a hidden intent.
        onset_day: First day on which the share moves (day 0 is the first).
        ramp_days: Days until it has arrived; 1 is a step.
        fail_normal, fail_hidden: Failure rate of the cheap model.
        seen_normal, seen_hidden: Share of failures that a reviewer sees.
        flagged_falsely: Share of good answers that a reviewer flags.
        capable_fail: Failure rate of the capable model.
        judge_seen_normal, judge_seen_hidden, judge_flagged_falsely: The same for a pairwise judge on shadow pairs.
        shadow_share: Share of cheap traffic that is shadowed.
        segment_shares: Segments' shares of normal cheap traffic.
        hidden_segment_shares: Segments' shares of hidden intents.
        tail_share: Share of normal traffic in the top of the long-tail score.
        tail_hidden: Share of hidden intents there.
    """

    days: int = 180
    queries_per_day: int = 50_000
    eligible_share: float = 0.65
    rollout_by_week: tuple[float, ...] = (1.0,)
    reviews_per_day: int = 200
    cheap_reviews: int = 140
    tail_reviews: int = 70
    hidden_before: float = 0.02
    hidden_after: float = 0.20
    onset_day: int = 14
    ramp_days: int = 28
    fail_normal: float = 0.05
    fail_hidden: float = 0.90
    seen_normal: float = 0.90
    seen_hidden: float = 0.50
    flagged_falsely: float = 0.02
    capable_fail: float = 0.04
    judge_seen_normal: float = 0.80
    judge_seen_hidden: float = 0.70
    judge_flagged_falsely: float = 0.08
    shadow_share: float = 0.02
    segment_shares: tuple[float, ...] = (0.30, 0.25, 0.20, 0.10, 0.10, 0.05)
    hidden_segment_shares: tuple[float, ...] = (0.10, 0.10, 0.10, 0.50, 0.10, 0.10)
    tail_share: float = 0.20
    tail_hidden: float = 0.60

    @property
    def worst_segment(self) -> int:
        """Position of the segment with most hidden intents: what an alarm should name."""
        return int(np.argmax(self.hidden_segment_shares))

    @property
    def capable_flag_rate(self) -> float:
        """Share of capable answers that a reviewer flags."""
        return self.capable_fail * self.seen_normal + (1.0 - self.capable_fail) * self.flagged_falsely


def scenario(name: Scenario) -> StoryModel:
    """The model of a named scenario.

    story: the ramp of the incident during the rollout, from day 14. half: a step from 2 to 8 % at full rollout, on day 30.
    slice: a step from 2 to 5 %. healthy: the story's rollout, and nothing changes.

    Examples:
        >>> scenario("half").hidden_after, scenario("half").onset_day
        (0.08, 30)
    """
    base = StoryModel()
    rollout = (0.05, 0.10, 0.25, 0.50, 0.50, 1.0)
    match name:
        case "story":
            return replace(base, rollout_by_week=rollout)
        case "half":
            return replace(base, hidden_after=0.08, onset_day=30, ramp_days=1)
        case "slice":
            return replace(base, hidden_after=0.05, onset_day=30, ramp_days=1)
        case "healthy":
            return replace(base, rollout_by_week=rollout, hidden_after=base.hidden_before)


def healthy(model: StoryModel) -> StoryModel:
    """The same model with no loss: what false alarms are counted on."""
    return replace(model, hidden_after=model.hidden_before)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cheap traffic by segment and stratum.

    Attributes:
        share: Share of cheap traffic in each cell, sums to 1. Shape (segments, 2).
        flag_rate: Probability that a reviewer flags an answer of the cell. Shape (segments, 2).
        judge_rate: Probability that the judge flags it. Shape (segments, 2).
    """

    share: FloatArray
    flag_rate: FloatArray
    judge_rate: FloatArray

    def by_segment(self) -> FloatArray:
        """Reviewer's flag rate of each segment. Shape (segments,)."""
        return (self.share * self.flag_rate).sum(1) / self.share.sum(1)

    def by_stratum(self) -> FloatArray:
        """Reviewer's flag rate of each stratum. Shape (2,)."""
        return (self.share * self.flag_rate).sum(0) / self.share.sum(0)

    def whole(self) -> float:
        """Reviewer's flag rate of the cheap tier."""
        return float((self.share * self.flag_rate).sum())


def hidden_share(model: StoryModel, day: int) -> float:
    """Share of hidden intents on a day.

    Examples:
        >>> story = scenario("story")
        >>> hidden_share(story, 13), round(hidden_share(story, 41), 3)
        (0.02, 0.2)
    """
    progress = min(1.0, max(0.0, (day - model.onset_day + 1) / model.ramp_days))
    return model.hidden_before + (model.hidden_after - model.hidden_before) * progress


def rollout(model: StoryModel, day: int) -> float:
    """Share of eligible traffic on the cheap tier on a day."""
    return model.rollout_by_week[min(day // 7, len(model.rollout_by_week) - 1)]


def cells(model: StoryModel, hidden: float) -> Cells:
    """Shares and flag rates of the cells when a share `hidden` of cheap traffic has a hidden intent."""
    stratum_normal = np.array([1.0 - model.tail_share, model.tail_share])
    stratum_hidden = np.array([1.0 - model.tail_hidden, model.tail_hidden])
    normal = (1.0 - hidden) * np.asarray(model.segment_shares)[:, None] * stratum_normal
    bad = hidden * np.asarray(model.hidden_segment_shares)[:, None] * stratum_hidden
    share = normal + bad

    def _flags(seen_normal: float, seen_hidden: float, false: float) -> FloatArray:
        flag_normal = model.fail_normal * seen_normal + (1.0 - model.fail_normal) * false
        flag_hidden = model.fail_hidden * seen_hidden + (1.0 - model.fail_hidden) * false
        return (normal * flag_normal + bad * flag_hidden) / share

    return Cells(
        share,
        _flags(model.seen_normal, model.seen_hidden, model.flagged_falsely),
        _flags(model.judge_seen_normal, model.judge_seen_hidden, model.judge_flagged_falsely),
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The true rates before onset: the nulls of a detector that knows its baseline.

    Attributes:
        cells: Cells at `hidden_before`.
        capable: Flag rate of the capable tier.
    """

    cells: Cells
    capable: float


def baseline(model: StoryModel) -> Baseline:
    """Rates before onset."""
    return Baseline(cells(model, model.hidden_before), model.capable_flag_rate)


def mixed_rate(model: StoryModel, day: int, hidden: float) -> float:
    """Flag rate of a review drawn from all traffic, both tiers, on a day."""
    cheap = model.eligible_share * rollout(model, day)
    return cheap * cells(model, hidden).whole() + (1.0 - cheap) * model.capable_flag_rate


@dataclass(frozen=True, slots=True)
class UnsplitCounts:
    """Reviews drawn from all traffic, tier not recorded. Shapes (days, runs) and (days,).

    Attributes:
        flags: Flags a day.
        n: Reviews a day.
        null_rate: Flag rate on the day if nothing had changed (it moves with the rollout).
    """

    flags: IntArray
    n: int
    null_rate: FloatArray


@dataclass(frozen=True, slots=True)
class TierCounts:
    """Reviews split by tier, and by risk stratum too if `stratified`.

    Attributes:
        flags, n: Flags and reviews of cheap answers. Shape (days, runs, segments, 2).
        capable_flags: Flags of capable answers. Shape (days, runs).
        capable_n: Reviews of capable answers a day.
    """

    flags: IntArray
    n: IntArray
    capable_flags: IntArray
    capable_n: int


def _overdispersed(rate: FloatArray, rho: float, size: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Rates of the day: the given ones, or Beta-distributed around them with intra-day correlation rho."""
    if rho <= 0.0:
        return np.broadcast_to(rate, size)
    return rng.beta(rate * (1.0 / rho - 1.0), (1.0 - rate) * (1.0 / rho - 1.0), size)


def draw_unsplit(model: StoryModel, runs: int, rng: np.random.Generator) -> UnsplitCounts:
    """Reviews as most teams take them: uniformly from all traffic."""
    rates = np.array([mixed_rate(model, day, hidden_share(model, day)) for day in range(model.days)])
    null = np.array([mixed_rate(model, day, model.hidden_before) for day in range(model.days)])
    flags = rng.binomial(model.reviews_per_day, rates[:, None], (model.days, runs))
    return UnsplitCounts(flags, model.reviews_per_day, null)


def draw_by_tier(
    model: StoryModel, runs: int, rng: np.random.Generator, *, stratified: bool, rho: float = 0.0
) -> TierCounts:
    """Reviews split by tier: uniformly within the cheap tier, or with a fixed quota for the long tail.

    Args:
        model: The scenario.
        runs: How many runs at once.
        rng: Source of randomness.
        stratified: Take `tail_reviews` of the cheap reviews from the long-tail stratum, the rest from the other.
        rho: Intra-day correlation: all cheap labels of a day share a multiplier of their odds of being flagged, drawn so that
            two labels of the tier correlate by rho. 0: independent.

    Returns:
        Counts by segment and stratum.
    """
    segments = len(model.segment_shares)
    flags = np.zeros((model.days, runs, segments, 2), dtype=np.int64)
    n = np.zeros_like(flags)
    for day in range(model.days):
        now = cells(model, hidden_share(model, day))
        if stratified:
            for stratum, quota in ((0, model.cheap_reviews - model.tail_reviews), (1, model.tail_reviews)):
                within = now.share[:, stratum] / now.share[:, stratum].sum()
                n[day, :, :, stratum] = rng.multinomial(quota, within, runs)
        else:
            n[day] = rng.multinomial(model.cheap_reviews, now.share.ravel(), runs).reshape(runs, segments, 2)
        rate = np.broadcast_to(now.flag_rate, (runs, segments, 2))
        if rho > 0.0:
            mean = now.whole()
            factor = _overdispersed(np.asarray(mean), rho, (runs,), rng) / mean
            rate = np.minimum(rate * factor[:, None, None], 1.0)
        flags[day] = rng.binomial(n[day], rate)
    capable_n = model.reviews_per_day - model.cheap_reviews
    rate_capable = _overdispersed(np.asarray(model.capable_flag_rate), rho, (model.days, runs), rng)
    return TierCounts(flags, n, rng.binomial(capable_n, rate_capable), capable_n)


def draw_shadow(model: StoryModel, runs: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Judge flags on shadow pairs.

    Returns:
        Flags and pairs by day, run, segment and stratum. Shapes (days, runs, segments, 2).
    """
    segments = len(model.segment_shares)
    flags = np.zeros((model.days, runs, segments, 2), dtype=np.int64)
    n = np.zeros_like(flags)
    for day in range(model.days):
        now = cells(model, hidden_share(model, day))
        pairs = int(model.queries_per_day * model.eligible_share * rollout(model, day) * model.shadow_share)
        n[day] = rng.multinomial(pairs, now.share.ravel(), runs).reshape(runs, segments, 2)
        flags[day] = rng.binomial(n[day], now.judge_rate)
    return flags, n


def information(model: StoryModel, *, stratified: bool, by_tier: bool = True) -> FloatArray:
    """Relative entropy (nats) that a day's labels carry about the change: the denominator of Lorden's bound.

    Args:
        model: The scenario.
        stratified: With the long-tail quota, cells by segment and stratum; else by segment.
        by_tier: False: unsplit reviews of all traffic.

    Returns:
        Nats per day, 0 before onset. Shape (days,).
    """
    before = cells(model, model.hidden_before)
    out = np.zeros(model.days)
    for day in range(model.days):
        hidden = hidden_share(model, day)
        now = cells(model, hidden)
        if not by_tier:
            out[day] = model.reviews_per_day * _bernoulli_entropy(
                np.asarray(mixed_rate(model, day, hidden)), np.asarray(mixed_rate(model, day, model.hidden_before))
            )
        elif stratified:
            quota = np.array([model.cheap_reviews - model.tail_reviews, model.tail_reviews])
            labels = quota * now.share / now.share.sum(0)
            out[day] = np.sum(labels * _bernoulli_entropy(now.flag_rate, before.flag_rate))
        else:
            labels = model.cheap_reviews * now.share.sum(1)
            out[day] = np.sum(labels * _bernoulli_entropy(now.by_segment(), before.by_segment()))
    return out


def _bernoulli_entropy(p: FloatArray, q: FloatArray) -> FloatArray:
    return p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))


def lorden_bound(info: FloatArray, onset_day: int, line: float) -> float:
    """Least mean delay that a detector with mean time to false alarm `line` can have: days until the information reaches log(line).

    Examples:
        >>> lorden_bound(np.full(10, 2.0), 0, float(np.exp(7.0)))
        3.5
    """
    gathered = np.concatenate([[0.0], np.cumsum(info[onset_day:])])
    target = np.log(line)
    return float("inf") if gathered[-1] < target else float(np.interp(target, gathered, np.arange(len(gathered))))
