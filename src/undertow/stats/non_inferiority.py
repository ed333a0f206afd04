"""Shown to lose less than a margin: a bet that is tuned to a candidate which loses nothing, valid whenever one looks.

An interval that holds at all times is spread over all losses that there may be. A rollout asks one question: is the loss below the margin? So
it may bet on the answer that it hopes for. With d = reference value - value of each pair, in [-1, 1], and the null "the mean of d is at least
the margin", each pair's factor is

    1 + stake (margin - d),   0 <= stake <= 1/2

whose mean under the null, given the pairs before, is at most 1. Their product is an e-process: it reaches 1 / alpha with probability at
most alpha, however often one looks (Ville's inequality). Exact at any number of pairs; no variance is assumed. The stake that makes it grow fastest
for a candidate that loses nothing is about `margin / (E d^2 + margin^2)`; each block uses the mean square of the blocks before it, so that the
stake is known before its pairs are.

References:
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B 86(1), arXiv 2010.09686 (predictable
    stakes, section 5). Kelly (1956), Bell System Technical Journal 35 (the stake that grows fastest). Wald (1945), Annals of Mathematical
    Statistics 16 (no test with these errors decides sooner on average).
"""

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]

PRIOR_SQUARE, PRIOR_PAIRS = 0.15, 100.0
"""Mean of d^2 that is assumed before the first pair, and the number of pairs that this is worth."""

_LARGEST_STAKE = 0.5
"""A stake of at most this keeps every factor above 0, whatever the margin."""


def log_shown_below(pairs: npt.ArrayLike, lost: npt.ArrayLike, won: npt.ArrayLike, margin: float) -> FloatArray:
    """Log e-value against "the mean paired loss is at least the margin", after each block of pairs.

    Args:
        pairs: Pairs of each block, in the order in which they came, alike in weight. Shape (T, ...).
        lost: Sum of max(d, 0). Shape (T, ...).
        won: Sum of max(-d, 0). Shape (T, ...).
        margin: In (0, 1).

    Returns:
        Running sums. The loss is shown to lie below the margin once one of them has reached log(1 / alpha). Shape (T, ...).

    Raises:
        StatisticalError: The margin is not inside (0, 1), or a block has losses and wins beyond its pairs.

    Notes:
        The logarithm is concave in d, so it lies above its chords on [-1, 0] and [0, 1]: sums of losses and wins are enough, and exact where d is -1,
        0 or 1. Assumes that each pair's mean loss given earlier pairs is at least the margin under the null.

    Examples:
        Thirty days of 100 pairs with as many wins as losses, then whether a margin of 2 points is excluded at 1 %:

        >>> even = np.full(30, 6.0)
        >>> shown = log_shown_below(np.full(30, 100.0), even, even, 0.02)
        >>> int((shown >= np.log(100)).argmax()) + 1
        28
    """
    if not 0.0 < margin < 1.0:
        raise StatisticalError(f"margin {margin!r}: expected a loss inside (0, 1)")
    n, up, down = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (pairs, lost, won)))
    tied = n - up - down
    if np.any(tied < -1e-9 * np.maximum(n, 1.0)) or np.any(up < 0.0) or np.any(down < 0.0):
        raise StatisticalError("pairs: expected losses and wins of at least 0 and together at most as many as pairs")
    # |d| bounds d^2 where values are not 0 or 1; exact where they are.
    before_n = np.cumsum(n, axis=0) - n
    before = np.cumsum(up + down, axis=0) - (up + down)
    square = (before + PRIOR_SQUARE * PRIOR_PAIRS) / (before_n + PRIOR_PAIRS)
    stake = np.minimum(margin / (square + margin**2), _LARGEST_STAKE)
    log_e = np.maximum(tied, 0.0) * np.log1p(stake * margin)
    log_e += up * np.log1p(-stake * (1.0 - margin)) + down * np.log1p(stake * (1.0 + margin))
    return np.cumsum(log_e, axis=0)
