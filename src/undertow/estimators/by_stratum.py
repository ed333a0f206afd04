"""Failure counts per stratum of labels that were not drawn alike: how many labels of equal weight would say as much.

Within a stratum of the sampling design requests are drawn at different rates: labels with higher stakes or a least number are drawn more
often, and what steering adds more often still. Counted plainly, such labels describe what was drawn and not the traffic. So the rate is
that of the weighted labels, and the count is Kish's: (sum w)^2 / sum w^2, which is the number of labels where all weigh alike.

Rates of drawing also move over time. Days are weighed by how many labels they brought, not by their traffic: each day's weights are
divided by the largest one of its design (`largest_weights`), which is the same for all its labels and so shifts no rate within it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from undertow.records.label_grid import LabelGrid, largest_weights

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StratumCounts:
    """What the labels of a window say, stratum by stratum, as equally many labels of equal weight. Shapes (H,).

    Attributes:
        n: Labels of equal weight that would say as much.
        failures: Failures among those.
        lost: Sum of their paired losses, where `paired` of them are pairs.
        paired: Share of the labels, by weight, that are pairs.
        requests: Requests that the labels stand for: sum of 1 / inclusion probability.
    """

    n: FloatArray
    failures: FloatArray
    lost: FloatArray
    paired: FloatArray
    requests: FloatArray


@dataclass(frozen=True, slots=True)
class StratumSums:
    """Sums over the labels of one tier by bucket and stratum; v = w / scale of the bucket and stratum. Shapes (T, H).

    Attributes:
        v: Sum of v.
        v_sq: Sum of v^2.
        failed: Sum of v times the failure.
        pairs: Sum of v over the pairs.
        lost: Sum of v times the paired loss.
        requests: Sum of w.
    """

    v: FloatArray
    v_sq: FloatArray
    failed: FloatArray
    pairs: FloatArray
    lost: FloatArray
    requests: FloatArray

    def minus(self, part: Self) -> Self:
        """The labels of a tier without those of a segment; both by the same scale."""
        strata = min(self.v.shape[1], part.v.shape[1])
        left = []
        for name in ("v", "v_sq", "failed", "pairs", "lost", "requests"):
            values = getattr(self, name).copy()
            values[:, :strata] -= getattr(part, name)[:, :strata]
            # What rounding leaves of nothing would be divided by itself.
            values[np.abs(values) < 1e-9 * np.abs(getattr(self, name))] = 0.0
            left.append(values)
        return type(self)(*left)

    def counts(self, since: int, until: int, strata: int | None = None) -> StratumCounts:
        """Counts of buckets `since` (included) to `until` (excluded).

        Args:
            since: First bucket.
            until: End.
            strata: Length H of the result; default as many as there are.
        """
        size = self.v.shape[1] if strata is None else strata
        v, v_sq, failed, pairs, lost, requests = (
            np.pad(getattr(self, name)[since:until].sum(0), (0, max(0, size - self.v.shape[1])))[:size]
            for name in ("v", "v_sq", "failed", "pairs", "lost", "requests")
        )
        total, of_pairs = (np.where(x > 0.0, x, 1.0) for x in (v, pairs))
        n = np.where(v_sq > 0.0, v**2 / np.where(v_sq > 0.0, v_sq, 1.0), 0.0)
        return StratumCounts(
            n, n * np.clip(failed / total, 0.0, 1.0), n * np.clip(lost / of_pairs, -1.0, 1.0), pairs / total, requests
        )


def design_scale(grid: LabelGrid, tier: int, stays: int) -> FloatArray:
    """The largest weight that the design gives in each bucket and stratum; 1 where there are no labels. Shape (T, H)."""
    top = largest_weights(grid.weight_max[:, tier].max(axis=(1, 2)), grid.n[:, tier].sum((1, 2)), stays)
    return np.where(top > 0.0, top, 1.0)


def stratum_sums(grid: LabelGrid, tier: int, scale: FloatArray) -> StratumSums:
    """Sums of a tier's labels by bucket and stratum, all arms and eligibilities together.

    Args:
        grid: All labels, those that steering drew included.
        tier: Tier code.
        scale: What weights are divided by (`design_scale` of this grid, or of the one it is a part of). Shape (T, H) or more strata.

    Examples:
        Nine in ten requests are seldom drawn and fail at .1, one in ten is drawn nine times as often and fails at .5. The plain rate would
        be .3:

        >>> from undertow.records.label_grid import LabelGrid
        >>> from dataclasses import fields
        >>> sums = {"n": 100.0, "failures": 30.0, "weight": 50 * 9.0 + 50, "weight_sq": 50 * 81.0 + 50, "weighted_failures": 5 * 9.0 + 25, "weight_max": 9.0}
        >>> grid = LabelGrid(0, *(np.full((1, 1, 1, 1, 1), sums.get(f.name, 0.0)) for f in fields(LabelGrid)[1:]))
        >>> found = stratum_sums(grid, 0, design_scale(grid, 0, 28)).counts(0, 1)
        >>> (found.failures / found.n).round(3).tolist(), found.n.round().tolist()
        ([0.14], [61.0])
    """
    by_bucket = scale[:, : grid.strata]

    def of(name: str, power: int = 1) -> FloatArray:
        return getattr(grid, name)[:, tier].sum((1, 2)) / by_bucket**power

    return StratumSums(
        of("weight"),
        of("weight_sq", 2),
        of("weighted_failures"),
        of("pair_weight"),
        of("weighted_loss"),
        grid.weight[:, tier].sum((1, 2)),
    )
