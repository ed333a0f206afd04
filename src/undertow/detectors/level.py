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
    buckets = len(bound)
    out = np.zeros(buckets)
    failures = np.stack([g.failures for g in groups], axis=-1)
    n = np.stack([g.n for g in groups], axis=-1)
    coef = np.stack([g.coef for g in groups], axis=-1)
    needed = (np.abs(coef) > 0.02).any(axis=0)
    r = np.zeros(len(LOSSES))
    past_k, past_n = np.zeros(len(groups)), np.zeros(len(groups))
    start = 0
    for t in range(buckets):
        held = n[start : t + 1].sum(0)
        if np.all(held[needed] >= BLOCK_LABELS):
            k = failures[start : t + 1].sum(0)
            # Coefficients and bound of a block are means over its buckets, weighted by the suspected group's labels.
            weight = n[start : t + 1, 0] / max(held[0], 1e-12)
            c = (weight[:, None] * coef[start : t + 1]).sum(0)
            b = float((weight * bound[start : t + 1]).sum())
            rates = (past_k + PRIOR_RATE * PRIOR_LABELS) / (past_n + PRIOR_LABELS)
            log_bets = log_contrast_bets(k, held, c, np.array(b), _alternatives(rates, c, b))
            r = np.minimum((r + 1.0) * np.exp(np.minimum(log_bets, 300.0)), 1e130)
            past_k, past_n = past_k + k, past_n + held
            start = t + 1
        out[t] = r.mean()
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
