"""Anytime-valid intervals for linear combinations of independent failure rates, and of paired losses."""

import math
from dataclasses import dataclass


from undertow.stats.confidence import (
    WeightedSums,
    beta_binomial_interval,
    effective_counts,
    enough_events,
    gaussian_mixture_radius,
    hajek_mean_variance,
)


@dataclass(frozen=True, slots=True)
class Combination:
    """An estimated combination sum_g c_g p_g.

    Attributes:
        value: The estimate, or None where a component has no labels.
        low: Lower end of the interval, or None.
        high: Upper end, or None.
        variance: Of the estimate, 0 where unknown.
        n: Labels of the component that has fewest.
    """

    value: float | None
    low: float | None
    high: float | None
    variance: float
    n: float


NOTHING = Combination(None, None, None, 0.0, 0.0)


def combine_rates(parts: list[tuple[float, WeightedSums]], level: float) -> Combination:
    """Interval for sum_g coef_g (mean failure of group g), groups independent.

    With enough failures in every group the variances add and one asymptotic confidence sequence covers the sum; otherwise
    each group gets an exact interval at its share of the error, and the ends add up (union bound).

    Args:
        parts: Coefficient and sums per group; groups with coefficient 0 are left out.
        level: Confidence level, valid at all times at once.

    Examples:
        >>> same = WeightedSums(*[np.float64(x) for x in (1000, 1000, 80, 80, 80, 1000, 1)])
        >>> c = combine_rates([(1.0, same), (-1.0, same)], 0.95)
        >>> round(c.value, 3), round(c.low, 3), round(c.high, 3)
        (0.0, -0.037, 0.037)
    """
    used = [(c, s) for c, s in parts if c != 0.0]
    if not used or any(float(s.weight) <= 0.0 for _, s in used):
        return NOTHING
    value, variance = 0.0, 0.0
    for coef, sums in used:
        mean, mean_variance = hajek_mean_variance(sums)
        value += coef * float(mean)
        variance += coef**2 * float(mean_variance)
    n = min(float(s.n) for _, s in used)
    if all(bool(enough_events(s)) for _, s in used):
        half = float(gaussian_mixture_radius(n, level)) * math.sqrt(variance)
        return Combination(value, value - half, value + half, variance, n)
    low = high = 0.0
    each = 1.0 - (1.0 - level) / len(used)
    for coef, sums in used:
        interval = beta_binomial_interval(*effective_counts(sums), each)
        ends = (coef * float(interval.low), coef * float(interval.high))
        low, high = low + min(ends), high + max(ends)
    return Combination(value, low, high, variance, n)
