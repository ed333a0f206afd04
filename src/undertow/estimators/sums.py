"""Sums of a label grid over the cells that belong together, in the form that `stats.confidence` takes."""

from collections.abc import Sequence

import numpy as np

from undertow.records.label_grid import ALL_ARMS, ANY_ELIGIBILITY, LabelGrid
from undertow.stats.confidence import WeightedSums


def weighted_sums(
    grid: LabelGrid,
    tiers: Sequence[int],
    *,
    arms: Sequence[int] = ALL_ARMS,
    eligible: Sequence[int] = ANY_ELIGIBILITY,
) -> WeightedSums:
    """Sums over some tiers, arms and eligibilities, all buckets and strata together.

    Args:
        grid: Labels of one signal in one segment.
        tiers: Tier codes.
        arms: Positions on the arm axis (`ARM_AXIS`).
        eligible: Positions on the eligibility axis.
    """
    index = np.ix_(range(grid.buckets), list(tiers), list(arms), list(eligible), range(grid.strata))
    top = grid.weight_max[index]
    return WeightedSums(
        weight=grid.weight[index].sum(),
        weight_sq=grid.weight_sq[index].sum(),
        weighted_failures=grid.weighted_failures[index].sum(),
        weighted_failures_sq=grid.weighted_failures_sq[index].sum(),
        weight_weighted_failures=grid.weight_weighted_failures[index].sum(),
        n=grid.n[index].sum(),
        weight_max=np.asarray(top.max(initial=0.0)),
    )
