"""Level monitor on pairs: is the mean paired loss beyond the margin, by people's verdicts narrowed by a judge's?

As `detectors.anchored`, for losses -1, 0 and +1 and a known null, the margin. Pairs are counted by the bucket of their decision, once its
verdicts had `settling` buckets to come: labelled and unlabelled pairs of a block are then drawn from the same traffic and were scored by
the same judge, so the judge's part cancels, however it drifts from block to block.

What it assumes: within a stratum and block, whether people judge a pair does not depend on the pair, nor does how late they are.

References:
    Csillag, Struchiner, Goedert (2025), Prediction-Powered E-Values, arXiv 2502.04294. Shin, Ramdas, Rinaldo (2022), arXiv 2203.03532.
"""

import numpy as np
import numpy.typing as npt

from undertow.detectors.level import LOSSES
from undertow.stats.ppi import MIN_LABELS_FOR_TAU, fit_tau, log_anchored_bets

FloatArray = npt.NDArray[np.float64]

SCORES = np.array([-1.0, 0.0, 1.0])
"""The losses. A tie is 0, so that the many pairs on which both say so add nothing to the variance."""

BLOCK_LABELS = 5.0
"""A block ends once every stratum that has traffic has so many pairs with people's verdicts."""

ENDED_DAYS = 3
"""A stratum from which nothing came for so many buckets is none any more (a tail was cut anew): a block does not wait for it."""

PRIOR_LABELS = 10.0
"""Labels' worth of a judge that knows nothing, from which the variance of the first block is guessed."""


def anchored_pairs_evidence(
    labelled: npt.ArrayLike, unlabelled: npt.ArrayLike, weight: npt.ArrayLike, margin: float, settling: int
) -> FloatArray:
    """E-detector against "the mean paired loss is at most the margin in every block".

    Args:
        labelled: Pairs with both verdicts, by bucket of the decision, stratum, people's outcome and judge's. Shape (T, H, 3, 3).
        unlabelled: Pairs with the judge's alone. Shape (T, H, 3).
        weight: What the judged pairs stand for. Shape (T, H).
        margin: Largest accepted loss, in [0, 1).
        settling: Buckets after which a bucket's verdicts are in, at least 0.

    Returns:
        M_t at the end of each bucket, from decisions up to bucket t - settling. Shape (T,).

    Examples:
        A quarter of the answers lose from day 30 on, and the judge agrees with people:

        >>> lost = np.where(np.arange(60) < 30, 0.02, 0.25)
        >>> judged = np.stack([0 * lost, 1 - lost, lost], axis=-1)[:, None]
        >>> labelled = 5.0 * np.einsum("thj,ij->thij", judged, np.eye(3))
        >>> m = anchored_pairs_evidence(labelled, 95.0 * judged, np.ones((60, 1)), 0.02, settling=2)
        >>> bool(m[31] < 60.0), bool(m[45] > 7200.0)
        (True, True)
    """
    both, alone, mass = (np.asarray(x, dtype=np.float64) for x in (labelled, unlabelled, weight))
    days = len(both)
    null = max(margin, 1e-6)
    multipliers = 1.0 + np.asarray(LOSSES) / null
    out = np.zeros(days)
    r = np.zeros(len(LOSSES))
    past_both, past_alone = np.zeros(both.shape[1:]), np.zeros(alone.shape[1:])
    start = 0
    for day in range(days):
        block = slice(start, day + 1)
        # Whether a stratum goes on depends on how many pairs come of it, on no verdict.
        goes_on = mass[max(0, day + 1 - ENDED_DAYS) : day + 1].sum(0) > 0.0
        now_both, now_alone = both[block].sum(0) * goes_on[:, None, None], alone[block].sum(0) * goes_on[:, None]
        stands_for = mass[block].sum(0) * goes_on
        n = now_both.sum((-1, -2))
        if stands_for.sum() > 0.0 and np.all((n >= BLOCK_LABELS) | (stands_for <= 0.0)):
            log_bets = _block(now_both, now_alone, stands_for, past_both, past_alone, null, multipliers)
            r = np.minimum((r + 1.0) * np.exp(np.minimum(log_bets, 300.0)), 1e130)
            past_both, past_alone = past_both + now_both, past_alone + now_alone
            start = day + 1
        if day + settling < days:
            out[day + settling] = r.mean()
    return out


def _block(
    both: FloatArray,
    alone: FloatArray,
    weight: FloatArray,
    past_both: FloatArray,
    past_alone: FloatArray,
    null: float,
    multipliers: FloatArray,
) -> FloatArray:
    """Log bets on one block; tau and the guessed variance come from earlier blocks. Shape (J,)."""
    n, judged = both.sum((-1, -2)), both.sum((-1, -2)) + alone.sum(-1)
    used = weight > 0.0
    tau = judge_weight(past_both)
    share = np.where(used, weight / weight.sum(), 0.0)
    scale = share * judged.sum() / np.maximum(judged, 1e-12)
    part = np.where(used, n / np.maximum(judged, 1e-12), 1.0)
    y, f = SCORES[:, None], SCORES[None, :]
    t = tau[:, None, None]
    of_both = scale[:, None, None] * (t * f + (y - t * f) / part[:, None, None])
    of_alone = scale[:, None] * tau[:, None] * SCORES
    values = np.concatenate([of_both.reshape(len(n), -1), of_alone], axis=-1)
    counts = np.concatenate([both.reshape(len(n), -1), alone], axis=-1)
    counts = np.where(used[:, None], counts, 0.0)
    guess = np.concatenate(
        [
            _guess(past_both.reshape(len(n), -1)) * n[:, None],
            _guess(past_alone) * (judged - n)[:, None],
        ],
        axis=-1,
    )
    variance = max(float((guess * values**2).sum() / max(judged.sum(), 1e-12)) - null**2, 1e-4)
    return log_anchored_bets(counts.ravel(), np.where(used[:, None], values, null).ravel(), null, variance, multipliers)


def _guess(past: FloatArray) -> FloatArray:
    """Shares of the outcomes so far, beside a few of every sort. Sum 1 per stratum."""
    size = past.shape[-1]
    return (past + PRIOR_LABELS / size) / (past.sum(-1, keepdims=True) + PRIOR_LABELS)


def judge_weight(labelled: FloatArray) -> FloatArray:
    """Weight of the judge by stratum, from pairs with both verdicts; 0 until there are enough of them.

    Args:
        labelled: By stratum, people's outcome and judge's. Shape (H, 3, 3).
    """
    y, f = SCORES[:, None], SCORES[None, :]
    n = labelled.sum((-1, -2))
    tau = fit_tau(n, *((labelled * x).sum((-1, -2)) for x in (f + 0 * y, y + 0 * f, f * y, f**2 + 0 * y)))
    return np.where(n >= MIN_LABELS_FOR_TAU, tau, 0.0)
