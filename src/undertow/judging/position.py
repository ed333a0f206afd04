"""How much a judge favours the first place, with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undertow.stats.confidence import beta_binomial_interval, mean_interval


@dataclass(frozen=True, slots=True)
class PositionBias:
    """Mean lean to the first place (`undertow.judging.orders.lean`).

    Attributes:
        n: Pairs.
        mean: In [-1, 1]; 1: it always says A, 0: the place does not matter. None without pairs.
        low, high: Interval, valid at every moment at once; None without pairs.
    """

    n: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether 0 lies outside the interval: the judge does favour a place."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def position_bias(leans: Sequence[float], level: float = 0.95) -> PositionBias:
    """Estimate the bias from one number a pair.

    Args:
        leans: Lean of each pair, in [-1, 1].
        level: Of the interval, in (0, 1).

    Notes:
        Unbiased where both orders were asked, and where one was drawn with probability one half: then what the judge thinks
        of the answers has mean 0 given the pair. Two intervals, each for half of the error, are cut with each other: one is narrow
        where most pairs do not lean, the other after a few pairs that all do.

    Examples:
        >>> bias = position_bias([1.0] * 60)
        >>> bias.mean, bias.is_shown
        (1.0, True)
        >>> position_bias([1.0, -1.0] * 30).is_shown
        False
    """
    if not leans:
        return PositionBias(0)
    values = np.asarray(leans, dtype=np.float64)
    n, each = len(values), 0.5 + level / 2
    spread = mean_interval(np.sum(values), np.sum(values**2), n, each, (-1.0, 1.0))
    shares = beta_binomial_interval(np.sum((values + 1.0) / 2.0), n, each)
    low, high = max(spread.low, 2.0 * shares.low - 1.0), min(spread.high, 2.0 * shares.high - 1.0)
    return PositionBias(n, float(np.mean(values)), float(low), float(high))
