"""Daily counts of labels that a loss would bring, drawn for many runs at once, a day at a time: steering follows from the days before.

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
    """Drawn counts of a day; the last axis is the stratum. Shapes (runs, 2).

    Attributes:
        n, k: Plain reviews of the whole tier, and flags among them.
        slice_n, slice_k: Reviews in the slice, those that steering added included, and flags.
    """

    n: FloatArray
    k: FloatArray
    slice_n: FloatArray
    slice_k: FloatArray


def draw_judged(
    design: Design, now: Mix, runs: int, rng: np.random.Generator, tail_share: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """A day's judged pairs of the slice and how many are flagged, by stratum.

    Args:
        design: Who looks at what.
        now: The day's traffic.
        runs: Runs to draw.
        rng: Source of randomness.
        tail_share: Share of the pairs that are taken from the long tail; None: as the traffic is.

    Returns:
        Pairs and flags. Shapes (runs, 2).
    """
    where = now.share[0]
    if tail_share is not None:
        where = np.array([tail_share, 1.0 - tail_share]) * now.share[0] / now.share.sum(0)
    n = rng.poisson(design.shadow_per_day * where, (runs, 2))
    return n.astype(np.float64), rng.binomial(n, now.judged[0]).astype(np.float64)


def draw_reviews(design: Design, now: Mix, extra: FloatArray, rng: np.random.Generator) -> Counts:
    """A day's reviews.

    Args:
        design: Who looks at what.
        now: The day's traffic.
        extra: Reviews that steering moves to each stratum of the slice, in expectation; no more than there are requests. Shape (runs, 2).
        rng: Source of randomness.
    """
    runs = len(extra)
    shares = np.array([design.tail_share, 1.0 - design.tail_share]) if design.tail_share > 0 else now.share.sum(0)
    within = now.share[0] / now.share.sum(0)
    left = np.maximum(design.reviews_per_day - extra.sum(1, keepdims=True), 0.0) * shares
    own = rng.poisson(left * within, (runs, 2))
    rest = rng.poisson(left * (1.0 - within), (runs, 2))
    more = rng.poisson(np.minimum(extra, design.cheap_per_day * now.share[0]))
    own_k = rng.binomial(own, now.flagged[0])
    k, slice_k = own_k + rng.binomial(rest, now.flagged[1]), own_k + rng.binomial(more, now.flagged[0])
    return Counts(*(x.astype(np.float64) for x in (own + rest, k, own + more, slice_k)))
