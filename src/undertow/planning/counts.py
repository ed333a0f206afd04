"""Daily counts of labels that a loss would bring, drawn for many runs at once.

The slice that is hit has share y of the cheap traffic. From the onset on a share x of its requests are failures of a kind that was not
there before (they replace ordinary requests, as hidden intents replaced easy ones in the reference incident); reviewers see a part of
them. Most of them look unusual: a share `tail_hit` lies in the long tail, which holds a fifth of ordinary traffic.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.records.power import Design, PlannedLoss

FloatArray = npt.NDArray[np.float64]

TAIL_TRAFFIC = 0.2
"""Share of ordinary traffic in the long tail."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Slice and rest of the cheap traffic by stratum (0 long tail, 1 the rest).

    Attributes:
        share: Share of the cheap traffic: row 0 the slice, row 1 everything else. Shape (2, 2), sums to 1.
        flagged: Probability that a reviewer flags an answer. Shape (2, 2).
        judged: Probability that the judge does. Shape (2, 2).
    """

    share: FloatArray
    flagged: FloatArray
    judged: FloatArray


def mix(design: Design, loss: PlannedLoss, progress: float) -> Mix:
    """Traffic and flag rates once a share `progress` of the loss has arrived.

    Examples:
        Half of a tenth of the traffic fails, and reviewers see half of that:

        >>> design = Design(30_000, 140, 0.5, (0.1,), 0.04, 0.5)
        >>> now = mix(design, PlannedLoss(0.5, 0.1), 1.0)
        >>> round(float((now.share * now.flagged).sum()), 4)
        0.063
    """
    y, x = loss.slice_share, loss.size * progress
    ordinary = np.array([TAIL_TRAFFIC, 1.0 - TAIL_TRAFFIC])
    failing = np.array([design.tail_hit, 1.0 - design.tail_hit])
    share = np.stack([y * ((1.0 - x) * ordinary + x * failing), (1.0 - y) * ordinary])
    bad = np.stack([y * x * failing, np.zeros(2)])
    part = np.divide(bad, share, out=np.zeros_like(share), where=share > 0.0)

    def rate(before: float, seen: float) -> FloatArray:
        return (1.0 - part) * before + part * seen

    judged_before = design.judge_false_rate
    return Mix(
        share,
        rate(design.failure_rate, max(design.sensitivity, design.failure_rate)),
        rate(judged_before, design.judge_sensitivity + (1.0 - design.judge_sensitivity) * judged_before),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Drawn counts; the last axis is the stratum. Shapes (days, runs, 2).

    Attributes:
        n, k: Plain reviews of the whole tier, and flags among them.
        slice_n, slice_k: Reviews in the slice, those that steering added included, and flags.
    """

    n: FloatArray
    k: FloatArray
    slice_n: FloatArray
    slice_k: FloatArray


def draw_judged(
    design: Design, loss: PlannedLoss, days: int, runs: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Judged pairs of the slice and how many are flagged, by stratum. Shapes (days, runs, 2)."""
    n = np.zeros((days, runs, 2))
    k = np.zeros_like(n)
    for day in range(days):
        now = mix(design, loss, float(day >= design.baseline_days))
        n[day] = rng.poisson(design.shadow_per_day * now.share[0], (runs, 2))
        k[day] = rng.binomial(n[day].astype(np.int64), now.judged[0])
    return n, k


def draw_reviews(
    design: Design,
    loss: PlannedLoss,
    days: int,
    steered: npt.NDArray[np.bool_],
    steer_share: float,
    rng: np.random.Generator,
) -> Counts:
    """Reviews, day by day.

    Args:
        design: Who looks at what.
        loss: What happens from day `baseline_days` on.
        days: Length of a run.
        steered: Days on which steering sends reviews to a stratum of the slice. Shape (days, runs, 2), at most one stratum a day.
        steer_share: Share of the reviews that it sends.
        rng: Source of randomness.
    """
    runs = steered.shape[1]
    shape = (days, runs, 2)
    n, k, slice_n, slice_k = (np.zeros(shape) for _ in range(4))
    by_stratum = (
        design.reviews_per_day * np.array([design.tail_share, 1.0 - design.tail_share])
        if design.tail_share > 0
        else None
    )
    for day in range(days):
        now = mix(design, loss, float(day >= design.baseline_days))
        quota = by_stratum if by_stratum is not None else design.reviews_per_day * now.share.sum(0)
        within = now.share[0] / now.share.sum(0)
        left = np.where(steered[day].any(1), 1.0 - steer_share, 1.0)[:, None]
        own = rng.poisson(left * quota * within, (runs, 2))
        rest = rng.poisson(left * quota * (1.0 - within), (runs, 2))
        extra = rng.poisson(steered[day] * steer_share * design.reviews_per_day)
        own_k = rng.binomial(own, now.flagged[0])
        n[day], k[day] = own + rest, own_k + rng.binomial(rest, now.flagged[1])
        slice_n[day], slice_k[day] = own + extra, own_k + rng.binomial(extra, now.flagged[0])
    return Counts(n, k, slice_n, slice_k)
