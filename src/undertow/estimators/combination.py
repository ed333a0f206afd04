"""Anytime-valid intervals for linear combinations of independent failure rates.

Each rate gets its own anytime-valid interval; the combination's ends are the root of the sum of squares of its parts'
distances (MOVER, "method of variance estimates recovery"): asymmetric where the parts are, no union bound. With one part it is
that part's interval. Coverage under continuous looking is measured in tests/statistical/test_combination_coverage.py.

References:
    Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27.
    Kish (1965), Survey Sampling, section 11.7 (effective sample size).
"""

import math
from dataclasses import dataclass

import numpy as np

from undertow.stats.confidence import (
    WeightedSums,
    beta_binomial_interval,
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


def rate_interval(sums: WeightedSums, level: float) -> tuple[float, float, float]:
    """Mean failure of one group with its anytime-valid interval: (mean, low, high).

    With enough effective failures an asymptotic confidence sequence around the Hajek mean; else the exact beta-binomial one
    on the effective number of labels (sum w)^2 / sum w^2, exact where weights are equal, approximate where they differ.
    """
    mean, variance = (float(x) for x in hajek_mean_variance(sums))
    if bool(enough_events(sums)):
        half = float(gaussian_mixture_radius(float(sums.n), level)) * math.sqrt(variance)
        return mean, max(mean - half, 0.0), min(mean + half, 1.0)
    effective = float(sums.weight) ** 2 / float(sums.weight_sq)
    found = beta_binomial_interval(mean * effective, effective, level)
    return mean, float(found.low), float(found.high)


def combine_rates(parts: list[tuple[float, WeightedSums]], level: float) -> Combination:
    """Interval for sum_g coef_g (mean failure of group g), groups independent.

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
    value = variance = below = above = 0.0
    for coef, sums in used:
        mean, low, high = rate_interval(sums, level)
        ends = sorted((coef * low, coef * high))
        value += coef * mean
        variance += coef**2 * max(float(hajek_mean_variance(sums)[1]), ((high - low) / 8) ** 2)
        below += (coef * mean - ends[0]) ** 2
        above += (ends[1] - coef * mean) ** 2
    return Combination(
        value, value - math.sqrt(below), value + math.sqrt(above), variance, min(float(s.n) for _, s in used)
    )


def equal_weights(failures: float, n: float) -> WeightedSums:
    """Sums of n labels of weight 1 with some failures of 0 or 1.

    Examples:
        >>> float(equal_weights(3, 10).weighted_failures)
        3.0
    """
    k, many = np.asarray(float(failures)), np.asarray(float(n))
    return WeightedSums(many, many, k, k, k, many, np.asarray(1.0))
