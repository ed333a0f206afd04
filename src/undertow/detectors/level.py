"""Level monitors: is a tier worse than its reference by more than the margin, whenever that began?

A change monitor cannot see a tier that was bad from its first day. A level monitor compares with something from elsewhere:
labels of the randomised holdout from the same days, or an upper bound of the failure rate before routing
(`contrast_evidence`), or pairs of answers to the same request (`pairs_evidence`).

Each is an e-detector over the blocks of the log, so it can be summed with all other streams into one alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.e_detector import run_e_detector
from undertow.stats.betting import log_pair_bets
from undertow.stats.contrast import log_contrast_bets

FloatArray = npt.NDArray[np.float64]

LOSSES: tuple[float, ...] = (0.01, 0.02, 0.035, 0.055, 0.08, 0.12, 0.18, 0.28, 0.45)
"""Losses beyond the margin that are bet on."""

BLOCK_LABELS = 5.0
"""A block ends once every group has this many (effective) labels. Blocks depend on counts only, never on values."""

NEGLIGIBLE = 0.02
"""A group with a smaller coefficient than this need not have labels: whatever its rate, it moves the contrast by less."""

PRIOR_RATE, PRIOR_LABELS = 0.08, 10.0
"""Failure rate assumed of a group before its first label, and the number of labels that this is worth."""


@dataclass(frozen=True, slots=True)
class Group:
    """One side of a contrast, per bucket.

    Attributes:
        failures: Effective failures. Shape (T,).
        n: Effective labels. Shape (T,).
        coef: Coefficient in the null, share of traffic or -1 for a reference. Shape (T,).
    """

    failures: FloatArray
    n: FloatArray
    coef: FloatArray


def contrast_evidence(groups: Sequence[Group], bound: FloatArray) -> FloatArray:
    """E-detector against `sum_g coef_g p_g <= bound` in every block.

    The first group is the one under suspicion: alternatives raise its rate until the sum exceeds the bound by each of
    `LOSSES` times its coefficient; the other groups keep the rate that their past suggests.

    Args:
        groups: Sides of the contrast.
        bound: Right-hand side per bucket. Shape (T,).

    Returns:
        M_t per bucket, at most the number of blocks so far on average under the null. Shape (T,).
    """
    failures = np.stack([g.failures for g in groups], axis=-1)
    n = np.stack([g.n for g in groups], axis=-1)
    coef = np.stack([g.coef for g in groups], axis=-1)
    ends, k, held, c, b, alternatives = [], [], [], [], [], []
    past_k, past_n = np.zeros(len(groups)), np.zeros(len(groups))
    start = 0
    for t in range(len(bound)):
        block = slice(start, t + 1)
        labels = n[block].sum(0)
        # Coefficients and bound of a block are means over its buckets, weighted by the suspected group's labels.
        weight = n[block, 0] / max(labels[0], 1e-12)
        mean_coef = (weight[:, None] * coef[block]).sum(0)
        needed = np.abs(mean_coef) > NEGLIGIBLE
        if labels[0] > 0 and np.all(labels[needed] >= BLOCK_LABELS):
            rates = (past_k + PRIOR_RATE * PRIOR_LABELS) / (past_n + PRIOR_LABELS)
            ends.append(t)
            k.append(failures[block].sum(0))
            held.append(labels)
            c.append(mean_coef)
            b.append(float((weight * bound[block]).sum()))
            alternatives.append(_alternatives(rates, c[-1], b[-1]))
            past_k, past_n = past_k + k[-1], past_n + labels
            start = t + 1
    out = np.zeros(len(bound))
    if not ends:
        return out
    # All blocks at once: what is bet in a block depends on earlier ones, but not on what earlier bets won.
    log_bets = log_contrast_bets(np.stack(k), np.stack(held), np.stack(c), np.asarray(b), np.stack(alternatives))
    r = np.zeros(len(LOSSES))
    for end, until, won in zip(ends, [*ends[1:], len(bound)], log_bets, strict=True):
        r = np.minimum((r + 1.0) * np.exp(np.minimum(won, 300.0)), 1e130)
        out[end:until] = r.mean()
    return out


def _alternatives(rates: FloatArray, coef: FloatArray, bound: float) -> FloatArray:
    """Rates bet on, shape (J, G): the first group's raised until the contrast exceeds the bound by each loss."""
    others = float((coef[1:] * rates[1:]).sum())
    lead = max(float(coef[0]), 1e-9)
    first = (bound - others) / lead + np.asarray(LOSSES)
    alternatives = np.tile(rates, (len(LOSSES), 1))
    alternatives[:, 0] = np.clip(first, 1e-4, 0.98)
    return alternatives


def pairs_evidence(pairs: FloatArray, loss_up: FloatArray, loss_down: FloatArray, margin: float) -> FloatArray:
    """E-detector against "the mean paired loss is at most the margin". Arguments and result of shape (T,)."""
    return run_e_detector(log_pair_bets(pairs, loss_up, loss_down, margin))
