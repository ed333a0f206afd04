"""Where the next labels go: to the cells (segment by risk stratum) in which judge and people together see most evidence of a loss.

People's labels are few. Spread as the traffic is, most of them meet answers that nothing has happened to; sent to the cell that has
changed, the same number shows the loss several times as soon. What is suspected comes from an e-detector per cell over the judge's
verdicts and the human labels so far: the judge has the volume, and where people find nothing, their labels take the suspicion away
again, so a judge that drifts does not hold the labels for long.

**Why human evidence stays valid.** An allocation is computed from what was known before its labels were drawn, and within a cell
the answers to be labelled are drawn by chance. So whatever the allocation does, each label of cell c is a failure with probability at
most m_c given all that came before it, if c's null is true; a bet on it has conditional mean at most 1; and a product of such bets
is an e-value even though how many there are depends on earlier ones. Streams of several cells (a segment, a stratum, a tier)
multiply bets each made against its own cell's null rate: never a rate that was pooled under another allocation. Judge verdicts decide
where is looked, not what is seen. Two things would break this: an allocation made with the knowledge of labels of its own round, and a
sampler that picks, inside a cell, the answers that look bad.

**Why base labels remain.** Suspicion can be wrong, and a level (is the tier within its margin?) needs a sample of all traffic. So a part
of the labels always follows the base allocation, and the estimates of a tier use those alone (`records.sampling.EXTRA`).

References:
    Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), Anytime-valid off-policy inference, arXiv 2210.10768 (adaptive sampling
    with predictable probabilities). Garivier and Kaufmann (2016), Optimal best arm identification with fixed confidence, COLT,
    arXiv 1602.04589 (labels where they most raise the expected log-evidence).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STEERING_LINE = 20.0
"""Judge evidence of a cell from which labels are sent there by `steer_to_top`."""

STEERED_SHARE = 0.7
"""Share of the labels that goes to that cell."""

FOCUS = 0.8
"""Largest share of the labels that `steer_in_proportion` moves."""

CALM = 5.0
"""Evidence per cell that is taken for nothing: an e-detector's evidence is of this size in weeks without a change."""

TAIL_SHARE = 0.7
"""Share of base labels for the long tail, where failures that look confident gather."""

EVEN_SHARE = 0.5
"""Share of a stratum's base labels that is divided evenly over segments; the rest follows the traffic."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Labels of the next round per cell, in expectation.

    Attributes:
        base: Labels by base rates: what estimates of the whole tier use. Shape (..., C).
        extra: Labels that steering adds. Shape (..., C).
    """

    base: FloatArray
    extra: FloatArray

    @property
    def labels(self) -> FloatArray:
        """All labels of each cell. Shape (..., C)."""
        return self.base + self.extra


def base_shares(traffic: npt.ArrayLike, tail_share: float = TAIL_SHARE, even_share: float = EVEN_SHARE) -> FloatArray:
    """How labels divide over cells when nothing is suspected.

    Args:
        traffic: Share of the tier's traffic by segment and stratum (common, tail). Shape (S, 2).
        tail_share: Share of labels for the tail, in [0, 1].
        even_share: Share of a stratum's labels that is divided evenly over its segments, in [0, 1]: a small segment is else hardly
            ever looked at.

    Returns:
        Shares of labels, sum 1. Shape (S, 2).

    Examples:
        >>> base_shares([[0.64, 0.16], [0.16, 0.04]]).round(3).tolist()
        [[0.195, 0.455], [0.105, 0.245]]
    """
    share = np.asarray(traffic, dtype=np.float64)
    by_stratum = np.array([1.0 - tail_share, tail_share])
    within = share / np.maximum(share.sum(axis=0), 1e-300)
    return by_stratum * ((1.0 - even_share) * within + even_share / len(share))


def steer_to_top(
    evidence: npt.ArrayLike,
    base: npt.ArrayLike,
    labels: float,
    *,
    line: float = STEERING_LINE,
    share: float = STEERED_SHARE,
) -> Allocation:
    """When a cell's evidence passes a line, most labels go to the cell with most of it.

    Args:
        evidence: e-detector of each cell (judge alone, or judge and people), from earlier rounds only. Shape (..., C).
        base: Shares of labels when nothing is suspected, sum 1. Shape (C,).
        labels: Labels of the next round.
        line: Evidence from which labels are moved.
        share: Share of labels that is moved.

    Returns:
        The allocation.

    Examples:
        >>> steer_to_top([3.0, 50.0], [0.5, 0.5], 100.0).labels.round(1).tolist()
        [15.0, 85.0]
        >>> steer_to_top([3.0, 5.0], [0.5, 0.5], 100.0).labels.tolist()
        [50.0, 50.0]
    """
    seen = np.asarray(evidence, dtype=np.float64)
    moved = np.where(seen.max(axis=-1) >= line, share, 0.0)[..., None]
    top = np.arange(seen.shape[-1]) == seen.argmax(axis=-1)[..., None]
    return Allocation((1.0 - moved) * labels * np.asarray(base, dtype=np.float64), moved * labels * top)


def steer_in_proportion(
    evidence: npt.ArrayLike, base: npt.ArrayLike, labels: float, *, focus: float = FOCUS, calm: float = CALM
) -> Allocation:
    """Labels in proportion to the evidence of each cell, from the first hint on and for several cells at once.

    With M_c the e-detector of cell c, `M_c / (sum M + C calm)` is about the probability that c is where something changed (a
    Bayesian's weights, if a change is as likely anywhere), and a label in c raises the expected log-evidence in proportion to it. So
    `focus` of the labels go by these weights; what they leave over (all of it, while no evidence stands out from what a calm week brings)
    follows the base allocation.

    Args:
        evidence: M_c, at least 0, from earlier rounds only. Shape (..., C).
        base: Shares of labels when nothing is suspected, sum 1. Shape (C,).
        labels: Labels of the next round.
        focus: Largest share of labels that is moved, below 1: the rest is the floor of every cell.
        calm: Evidence per cell that is taken for nothing.

    Returns:
        The allocation.

    Examples:
        >>> steer_in_proportion([1.0, 989.0], [0.5, 0.5], 100.0).labels.round(1).tolist()
        [10.5, 89.5]
        >>> steer_in_proportion([1.0, 1.0], [0.5, 0.5], 100.0).extra.round(1).tolist()
        [6.7, 6.7]
    """
    seen = np.asarray(evidence, dtype=np.float64)
    if not 0.0 <= focus < 1.0:
        raise StatisticalError(f"focus {focus!r}: expected a share in [0, 1), so that every cell keeps some labels")
    weight = seen / (seen.sum(axis=-1) + calm * seen.shape[-1])[..., None]
    extra = focus * weight
    left = 1.0 - extra.sum(axis=-1, keepdims=True)
    return Allocation(labels * left * np.asarray(base, dtype=np.float64), labels * extra)


def whole_labels(expected: npt.ArrayLike, offset: npt.ArrayLike) -> IntArray:
    """Whole numbers of labels with these expectations, whose sum is the whole number just below or above theirs.

    Systematic sampling: cumulative sums, moved by one random offset, rounded down.

    Args:
        expected: Labels per cell. Shape (..., C).
        offset: Uniform in [0, 1). Shape (...).

    Returns:
        Labels per cell. Shape (..., C).

    Examples:
        >>> whole_labels([2.5, 2.5, 5.0], 0.6).tolist()
        [3, 2, 5]
    """
    upper = np.cumsum(np.asarray(expected, dtype=np.float64), axis=-1) + np.asarray(offset, dtype=np.float64)[..., None]
    return np.diff(np.floor(upper + 1e-9), axis=-1, prepend=0.0).astype(np.int64)
