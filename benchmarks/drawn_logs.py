"""A support log drawn as counts: straight to sufficient statistics, or expanded into the very rows that have them.

Half a year of routing at 50,000 queries a day is nine million decisions; a null study of 500 seeds cannot write them. What the audit
uses of them are counts by day, tier, arm, segment and sampling stratum, and these can be drawn directly. `cells_of` gives them
to the core as an engine would; `write_log` writes rows with exactly these counts, so that both ways can be compared.

The traffic is that of `undertow simulate support` (`undertow.simulation.incidents`), without what raises no alarm (judge,
implicit signals, the suite) and without outcomes.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from undertow.adapters.simulated.canonical import connect, quoted, write_decisions, write_signals
from undertow.records.cells import (
    AuditCells,
    CalibrationCells,
    CallCells,
    ConfidenceCells,
    Coverage,
    ExposureCells,
    IntArray,
    LabelCells,
    ModelCells,
    OutcomeCells,
    Table,
    TrafficCells,
)
from undertow.records.segment import WHOLE, Segment
from undertow.simulation.incidents import (
    SUPPORT,
    TIERS,
    WEEKDAY_FACTORS,
    IncidentParameters,
    hidden_share,
    rollout_share,
)
from undertow.simulation.incidents_signals import review_quota

FloatArray = npt.NDArray[np.float64]

CHEAP, HELD, WAITING, OTHER, OTHER_HELD = range(5)
"""Groups of decisions: served by the cheap tier; eligible in the holdout; eligible and not rolled out; not eligible, by arm."""

GROUP_TIER = np.array([0, 1, 1, 1, 1])
GROUP_ARM = np.array([0, 1, 0, 0, 1])
GROUP_ELIGIBLE = np.array([1, 1, 1, 0, 0])

CHEAP_USD, CAPABLE_USD = 2.0**-11, 2.0**-7
"""Cost of one decision. Powers of two, so that sums of any order are the same number."""

REVIEW, THUMB = "review.accuracy", "thumb.helpful"
DAY_S = 86_400

AnyTable = TypeVar("AnyTable", bound=Table)
Effect = Literal["tier", "shared"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn.

    Attributes:
        parameters: Traffic, rates and labels.
        rho: Intra-day correlation of reviews: all reviews of answers of one day share a factor on their rate.
        effect: Whether each tier has a factor of its own (a wave of harder questions there) or all tiers share one (a strict
            reviewer that day).
        worse_from_day: Day of routing from which every tier fails more often, or None: a provider that changed.
        worse_by: Additional failure rate then, reached over `worse_ramp_days`.
        worse_ramp_days: Days until it has arrived.
    """

    parameters: IncidentParameters
    rho: float = 0.0
    effect: Effect = "tier"
    worse_from_day: int | None = None
    worse_by: float = 0.0
    worse_ramp_days: int = 14


def plans(weeks: int = 26) -> dict[str, Plan]:
    """The scenarios of the study.

    no_loss: the cheap tier fails as often as the capable one. inside: it fails more often everywhere, by 1.7 points as
    reviewers see it, which the margin of 2 points allows. story: hidden intents grow from 2 to 20 %, half of them in one
    segment. provider: both tiers and the holdout get worse together.
    """
    usual = replace(SUPPORT, weeks=weeks)
    even = tuple(replace(intent, hidden_share=intent.share) for intent in usual.intents)
    inside = replace(usual, hidden_after=usual.hidden_before, intents=even)
    return {
        "no_loss": Plan(usual.made_healthy()),
        "inside": Plan(inside),
        "story": Plan(usual),
        "provider": Plan(inside, worse_from_day=60, worse_by=0.06),
    }


def small(plan: Plan, queries_per_day: int, weeks: int | None = None) -> Plan:
    """The same plan with fewer decisions a day, as many reviews, and thumbs more often so that there are some."""
    p = plan.parameters
    factor = min(p.queries_per_day / queries_per_day, 20.0)
    return replace(
        plan,
        parameters=replace(
            p,
            queries_per_day=queries_per_day,
            weeks=weeks or p.weeks,
            thumbs_up=p.thumbs_up * factor,
            thumbs_down=p.thumbs_down * factor,
            thumbs_down_per_failure=p.thumbs_down_per_failure * factor,
        ),
    )


@dataclass(frozen=True, slots=True)
class DrawnLog:
    """Counts by day, group, tail (0 long tail, 1 body) and intent. Shapes (T, 5, 2, S) unless said otherwise.

    Attributes:
        parameters: What they were drawn from.
        decisions: Live decisions.
        reviews, flagged: Reviews decided on that day (written on the next one), and how many found the answer wrong.
        probability: Inclusion probability of a review. Shape (T, 5, 2).
        thumbs, down: Thumbs of that day, and how many point down.
    """

    parameters: IncidentParameters
    decisions: IntArray
    reviews: IntArray
    flagged: IntArray
    probability: FloatArray
    thumbs: IntArray
    down: IntArray

    @property
    def first_bucket(self) -> int:
        """Days from 1970 to the first day."""
        return (np.datetime64(self.parameters.start) - np.datetime64("1970-01-01")).astype(int).item()


def draw_log(plan: Plan, seed: int) -> DrawnLog:
    """Draw one log."""
    p, rng = plan.parameters, np.random.default_rng([seed, 77])
    shape = (p.days, 5, 2, len(p.intents), 2)
    expected = np.stack([_shares(p, day, rng) for day in range(p.days)])
    weekday = (p.start.weekday() + np.arange(p.days)) % 7
    total = rng.poisson(p.queries_per_day * np.asarray(WEEKDAY_FACTORS)[weekday])
    decisions = rng.multinomial(total, expected.reshape(p.days, -1)).reshape(shape)
    fails = _failure_rates(plan)
    reviews, probability = _draw_reviews(p, decisions, rng)
    confident = np.zeros(shape[1:], dtype=bool)
    confident[CHEAP, :, :, 1] = True
    sees = np.where(confident, p.review_sees_hidden, p.review_sees_normal)
    flag_rate = fails * sees + (1 - fails) * p.review_false_flag
    flag_rate = np.minimum(flag_rate * _day_factors(plan, flag_rate, decisions, rng), 1.0)
    flagged = rng.binomial(reviews, flag_rate)
    down_rate = p.thumbs_down + p.thumbs_down_per_failure * fails
    thumb_rate = np.minimum(down_rate + p.thumbs_up, 1.0)
    thumbs = rng.binomial(decisions, thumb_rate)
    down = rng.binomial(thumbs, np.minimum(down_rate / thumb_rate, 1.0))
    hidden = -1
    return DrawnLog(
        p, *(x.sum(hidden) for x in (decisions, reviews, flagged)), probability, thumbs.sum(hidden), down.sum(hidden)
    )


def _shares(p: IncidentParameters, day: int, rng: np.random.Generator) -> FloatArray:
    """Expected share of each cell in a day's decisions, sums to 1. Shape (5, 2, S, 2), last axis normal and hidden."""
    hidden = hidden_share(p, day)
    noisy = np.array([i.share for i in p.intents]) * np.exp(p.mix_noise * rng.standard_normal(len(p.intents)))
    concealed = np.array([i.hidden_share for i in p.intents])
    tail = np.array([p.tail_share, 1 - p.tail_share])[:, None]
    tail_hidden = np.array([p.tail_hidden_share, 1 - p.tail_hidden_share])[:, None]
    normal, bad = tail * noisy / noisy.sum(), tail_hidden * concealed / concealed.sum()
    eligible = np.stack([(1 - hidden) * normal, hidden * bad], axis=-1)
    other = np.stack([normal, np.zeros_like(normal)], axis=-1)
    rolled = rollout_share(p, day)
    groups = [(1 - p.holdout) * rolled, p.holdout, (1 - p.holdout) * (1 - rolled), 1 - p.holdout, p.holdout]
    kinds = [eligible, eligible, eligible, other, other]
    part = [p.eligible_share] * 3 + [1 - p.eligible_share] * 2
    return np.stack([a * g * k for a, g, k in zip(part, groups, kinds, strict=True)])


def _failure_rates(plan: Plan) -> FloatArray:
    """Probability that an answer fails. Shape (T, 5, 1, 1, 2)."""
    p = plan.parameters
    rates = np.full((p.days, 5, 1, 1, 2), p.capable_fail)
    rates[:, CHEAP, :, :, 0], rates[:, CHEAP, :, :, 1] = p.cheap_fail_normal, p.cheap_fail_hidden
    if plan.worse_from_day is not None:
        since = np.arange(p.days) - p.pre_days - plan.worse_from_day + 1
        rates += plan.worse_by * np.clip(since / plan.worse_ramp_days, 0, 1)[:, None, None, None, None]
    return np.minimum(rates, 1.0)


def _draw_reviews(p: IncidentParameters, decisions: IntArray, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """A simple random sample of known size in each stratum of each day, as `incidents_signals.draw_reviews` takes it."""
    reviews = np.zeros_like(decisions)
    probability = np.ones(decisions.shape[:3])
    # Strata in the order of `incidents_signals.STRATA`: groups, and long tail or body (None: both).
    strata: list[tuple[list[int], list[int]]] = [
        ([group], [tail]) for group in (CHEAP, HELD, WAITING) for tail in (0, 1)
    ]
    strata.append(([OTHER, OTHER_HELD], [0, 1]))
    for day in range(p.days):
        parts = [decisions[day][np.ix_(groups, tails)] for groups, tails in strata]
        sizes = np.array([part.sum() for part in parts])
        for (groups, tails), part, size, quota in zip(strata, parts, sizes, review_quota(p, sizes), strict=True):
            if quota:
                drawn = rng.multivariate_hypergeometric(part.ravel(), int(quota)).reshape(part.shape)
                reviews[(day, *np.ix_(groups, tails))] = drawn
                probability[(day, *np.ix_(groups, tails))] = quota / size
    return reviews, probability


def _day_factors(plan: Plan, rate: FloatArray, decisions: IntArray, rng: np.random.Generator) -> FloatArray:
    """Factor on the flag rate per day and group, of mean 1; two reviews of one tier and day correlate by about rho."""
    days = len(decisions)
    if plan.rho <= 0:
        return np.ones((days, 1, 1, 1, 1))
    groups = (slice(0, 1), slice(1, 5))
    rate = np.broadcast_to(rate, decisions.shape)
    means = [(rate[:, g] * decisions[:, g]).sum() / decisions[:, g].sum() for g in groups]
    if plan.effect == "shared":
        means = [float(np.mean(means))] * 2
    s = 1.0 / plan.rho - 1.0
    factors = [rng.beta(m * s, (1 - m) * s, days) / m for m in means]
    if plan.effect == "shared":
        factors[1] = factors[0]
    return np.stack([factors[0], *[factors[1]] * 4], axis=1)[:, :, None, None, None]


# --- to sufficient statistics ----------------------------------------------------------------------------------------


def cells_of(log: DrawnLog) -> AuditCells:
    """The sufficient statistics that an engine would find in the rows of `write_log`."""
    p = log.parameters
    first = log.first_bucket
    last = first + p.days - 1
    values = sorted(intent.name for intent in p.intents)
    # Codes are in order of the value's name.
    order = [[intent.name for intent in p.intents].index(name) for name in values]
    decisions = log.decisions[..., order]
    reviews = _label_table(
        log.reviews[..., order], log.flagged[..., order], 1.0 / log.probability, _review_strata(log), first, 0, delay=1
    )
    thumbs = _label_table(
        log.thumbs[..., order],
        log.down[..., order],
        np.ones_like(log.probability),
        np.zeros(log.probability.shape, dtype=np.int64),
        first,
        1,
        delay=0,
    )
    signals = int(log.reviews.sum() + log.thumbs.sum())
    return AuditCells(
        bucket_s=DAY_S,
        tiers=TIERS,
        segments=(WHOLE, *(Segment("intent", name) for name in values)),
        signals=(REVIEW, THUMB),
        outcome_names=(),
        change_values=(),
        first_event=float(first * DAY_S),
        last_event=float((last + 1) * DAY_S),
        last_available=float((last + 2) * DAY_S),
        traffic=_traffic_table(decisions.sum(2), first),
        confidence=_empty(ConfidenceCells),
        confidence_column=None,
        confidence_range=(0.0, 1.0),
        models=_empty(ModelCells),
        labels=reviews.concat(thumbs),
        calibration=_empty(CalibrationCells),
        outcomes=_empty(OutcomeCells),
        exposure=_empty(ExposureCells),
        calls=_empty(CallCells),
        coverage=Coverage(decisions=int(decisions.sum()), signals=signals, joined=signals),
    )


def _empty(kind: type[AnyTable]) -> AnyTable:
    return kind(
        **{
            name: np.empty(0, dtype=np.int64 if f.type == IntArray else np.float64)
            for name, f in kind.__dataclass_fields__.items()
        }
    )


def _with_whole(values: npt.NDArray) -> npt.NDArray:
    """Segments on the last axis, preceded by their sum: code 0 is the whole tier."""
    return np.concatenate([values.sum(-1, keepdims=True), values], axis=-1)


def _traffic_table(decisions: IntArray, first: int) -> TrafficCells:
    """Decisions of shape (T, 5, S)."""
    counts = _with_whole(decisions)
    day, group, segment = np.nonzero(counts)
    n = counts[day, group, segment]
    tier = GROUP_TIER[group]
    usd = np.where(tier == 0, CHEAP_USD, CAPABLE_USD)
    zero = np.zeros(len(n))
    return TrafficCells(
        bucket=first + day,
        tier=tier,
        segment=segment,
        arm=GROUP_ARM[group],
        eligible=GROUP_ELIGIBLE[group],
        decisions=n,
        escalated=np.zeros_like(n),
        errors=np.zeros_like(n),
        cost_n=n,
        cost_usd=n * usd,
        paired_cost_n=n,
        paired_cost_usd=n * usd,
        baseline_cost_usd=n * CAPABLE_USD,
        saved_sq=n * (CAPABLE_USD - usd) ** 2,
        input_tokens=zero,
        output_tokens=zero,
        latency_ms=zero,
        latency_n=np.zeros_like(n),
    )


def _review_strata(log: DrawnLog) -> IntArray:
    """Classes of inclusion probability within a day, tier and arm, most heavily sampled first. Shape (T, 5, 2).

    Probabilities within a tenth of each other are one class: the rule of the reader, written down a second time on purpose.
    """
    strata = np.zeros(log.probability.shape, dtype=np.int64)
    drawn = log.reviews.sum(-1) > 0
    for day in range(len(strata)):
        for groups in ([CHEAP], [WAITING, OTHER], [HELD, OTHER_HELD]):
            place = [(g, t) for g in groups for t in (0, 1) if drawn[day, g, t]]
            found = sorted({log.probability[day, g, t] for g, t in place}, reverse=True)
            codes, code = {}, 0
            for before, value in zip([None, *found], found, strict=False):
                code += int(before is not None and before > 1.1 * value)
                codes[value] = code
            for g, t in place:
                strata[day, g, t] = codes[log.probability[day, g, t]]
    return strata


def _label_table(
    n: IntArray, failures: IntArray, weight: FloatArray, strata: IntArray, first: int, signal: int, *, delay: int
) -> LabelCells:
    """Labels of one signal. `n` and `failures` of shape (T, 5, 2, S), `weight` and `strata` of shape (T, 5, 2)."""
    most = int(strata.max()) + 1
    shape = (len(n), 2, 2, 2, most, n.shape[-1])  # day, tier, arm, eligible, stratum, segment
    day, group = np.indices(strata.shape)[:2]
    flat = np.ravel_multi_index((day, GROUP_TIER[group], GROUP_ARM[group], GROUP_ELIGIBLE[group], strata), shape[:5])

    def summed(values: FloatArray) -> FloatArray:
        out = np.zeros((int(np.prod(shape[:5])), shape[5]))
        np.add.at(out, flat.ravel(), values.reshape(-1, shape[5]))
        return _with_whole(out)

    w, count, k = weight[..., None], n.astype(float), failures.astype(float)
    sums = {
        "n": summed(count),
        "failures": summed(k),
        "failures_sq": summed(k),
        "weight": summed(w * count),
        "weight_sq": summed(w**2 * count),
        "weighted_failures": summed(w * k),
        "weighted_failures_sq": summed(w**2 * k),
        "weight_weighted_failures": summed(w**2 * k),
    }
    top = np.zeros((int(np.prod(shape[:5])), shape[5]))
    np.maximum.at(top, flat.ravel(), np.where(n > 0, w, 0.0).reshape(-1, shape[5]))
    top = np.concatenate([top.max(-1, keepdims=True), top], axis=-1)
    cell, segment = np.nonzero(sums["n"])
    bucket, tier, arm, eligible, stratum = np.unravel_index(cell, shape[:5])
    zero = np.zeros(len(cell))
    sampled = signal == 0
    return LabelCells(
        available=first + bucket + delay,
        decided=first + bucket,
        tier=tier,
        segment=segment,
        arm=arm,
        eligible=eligible,
        signal=np.full(len(cell), signal),
        selection=np.full(len(cell), 1 if sampled else 2),
        basis=np.zeros(len(cell), dtype=np.int64),
        stratum=stratum,
        steered=np.zeros(len(cell), dtype=np.int64),
        **{name: values[cell, segment] for name, values in sums.items()},
        weight_max=top[cell, segment],
        pairs=zero,
        loss_up=zero,
        loss_down=zero,
        loss_sq=zero,
        weighted_loss=zero,
        weighted_loss_sq=zero,
        pair_weight=zero,
        weighted_loss_up=zero,
        pair_weight_max=zero,
    )


# --- to files --------------------------------------------------------------------------------------------------------


def write_log(log: DrawnLog, folder: Path, seed: int) -> None:
    """Write decisions and signals as Parquet, in order of time: rows whose counts are those of the log.

    Which of a cell's decisions bears which label is drawn anew; the sufficient statistics do not depend on it.
    """
    rng = np.random.default_rng([seed, 78])
    p = log.parameters
    sizes = log.decisions.ravel()
    cell = np.repeat(np.arange(sizes.size), sizes)
    day, group, tail, intent = np.unravel_index(cell, log.decisions.shape)
    # A random order within each cell: its first rows are reviewed, its last rows get thumbs.
    shuffled = np.lexsort((rng.random(len(cell)), cell))
    rank = np.empty(len(cell), dtype=np.int64)
    rank[shuffled] = np.arange(len(cell)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    at_ms = day * DAY_S * 1000 + rng.integers(0, DAY_S * 1000 - 120_000, len(cell))
    number = np.empty(len(cell), dtype=np.int64)
    by_time = np.argsort(at_ms, kind="stable")
    number[by_time] = np.arange(len(cell))
    names = ", ".join(quoted(i.name) for i in p.intents)
    start = f"TIMESTAMP {quoted(p.start.isoformat() + ' 00:00:00')}"
    connection = connect()
    write_decisions(
        connection,
        folder / "decisions" / "log.parquet",
        {
            "number": number[by_time],
            "at_ms": at_ms[by_time],
            "intent": intent[by_time],
            "tier": GROUP_TIER[group][by_time],
            "arm": GROUP_ARM[group][by_time],
            "eligible": GROUP_ELIGIBLE[group][by_time],
        },
        {
            "decision_id": "'d' || number",
            "event_time": f"{start} + to_milliseconds(at_ms)",
            "segment": f"MAP {{'intent': [{names}][intent + 1]}}",
            "origin": "'live'",
            "eligible": "eligible = 1",
            "arm": "['treatment', 'holdout'][arm + 1]",
            "tier": f"[{', '.join(quoted(t) for t in TIERS)}][tier + 1]",
            "cost_usd": f"CASE tier WHEN 0 THEN {CHEAP_USD!r} ELSE {CAPABLE_USD!r} END",
            "baseline_cost_usd": repr(CAPABLE_USD),
            "status": "'ok'",
        },
    )
    reviewed = rank < log.reviews.ravel()[cell]
    thumbed = rank >= sizes[cell] - log.thumbs.ravel()[cell]
    bad = rank < log.flagged.ravel()[cell]
    is_down = rank >= sizes[cell] - log.down.ravel()[cell]
    review_ms = (day + 1) * DAY_S * 1000 + rng.integers(8 * 3_600_000, 18 * 3_600_000, len(cell))
    thumb_ms = at_ms + rng.integers(1_000, 120_000, len(cell))
    rows = [
        (reviewed, np.zeros(len(cell), dtype=np.int64), review_ms, bad),
        (thumbed, np.ones(len(cell), dtype=np.int64), thumb_ms, is_down),
    ]
    arrays = {
        "number": np.concatenate([number[m] for m, *_ in rows]),
        "thumb": np.concatenate([s[m] for m, s, *_ in rows]),
        "at_ms": np.concatenate([t[m] for m, _, t, _ in rows]),
        "value": np.concatenate([1.0 - b[m] for m, *_, b in rows]),
        "probability": np.concatenate([log.probability[day, group, tail][m] for m, *_ in rows]),
    }
    order = np.argsort(arrays["at_ms"], kind="stable")
    write_signals(
        connection,
        folder / "signals" / "signals.parquet",
        {name: values[order] for name, values in arrays.items()},
        {
            "signal_id": "['r', 't'][thumb + 1] || number",
            "event_time": f"{start} + to_milliseconds(at_ms)",
            "decision_id": "'d' || number",
            "kind": "['review', 'thumb'][thumb + 1]",
            "name": "['accuracy', 'helpful'][thumb + 1]",
            "value": "value",
            "selection": "['sampled', 'volunteered'][thumb + 1]",
            "inclusion_probability": "CASE thumb WHEN 0 THEN probability END",
            "source": "['human', 'user'][thumb + 1]",
        },
    )
    connection.close()
