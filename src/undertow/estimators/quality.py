"""Mean quality per tier, and over all tiers as a plain dashboard would show it."""

from collections.abc import Sequence

from undertow.estimators.combination import rate_interval
from undertow.estimators.sums import weighted_sums
from undertow.records.label_grid import ALL_ARMS, LabelGrid
from undertow.records.report import SignalEstimate
from undertow.stats.confidence import WeightedSums


def quality_estimate(sums: WeightedSums, level: float) -> SignalEstimate:
    """Mean quality (1 is best) with its anytime-valid interval.

    Examples:
        >>> from undertow.estimators.combination import equal_weights
        >>> sums = equal_weights(5, 100)
        >>> estimate = quality_estimate(sums, 0.95)
        >>> estimate.n, estimate.mean, tuple(round(x, 3) for x in estimate.interval)
        (100, 0.95, (0.844, 0.993))
    """
    n = round(float(sums.n))
    if float(sums.weight) <= 0.0:
        return SignalEstimate(n, None, None)
    mean, low, high = rate_interval(sums, level)
    return SignalEstimate(n, 1.0 - mean, (1.0 - high, 1.0 - low))


def tier_quality(grid: LabelGrid, tiers: Sequence[int], level: float, arms: Sequence[int] = ALL_ARMS) -> SignalEstimate:
    """Quality of some tiers together over the whole grid."""
    return quality_estimate(weighted_sums(grid, tiers, arms=arms), level)
