"""Judged pairs of one judge in one segment as dense counts over time: with people's verdicts, and without."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.records.cells import AuditCells
from undertow.records.label_grid import largest_weights

FloatArray = npt.NDArray[np.float64]

OUTCOMES = 3
"""Paired losses -1, 0 and +1: the cheaper answer is better, as good, worse."""


@dataclass(frozen=True, slots=True)
class AnchorGrid:
    """Effective counts by the bucket of the decision: those of pairs that were all drawn alike within their stratum.

    They are not: segments have rates of their own, and steering sends people's reviews to some of them. A pair of weight w counts w / W, W the
    largest weight of its stratum; and as labelled only in that proportion in which the least often labelled are, the rest of it as
    unlabelled. So in each bucket and stratum the labelled are a fair sample of the judged, and these of the traffic. Where all are drawn
    alike these are the plain counts.

    Attributes:
        labelled: Pairs with both verdicts, by stratum, people's outcome and judge's outcome. Shape (T, H, 3, 3).
        unlabelled: Pairs with the judge's verdict alone. Shape (T, H, 3).
        weight: Sum of 1 / inclusion probability of the judged pairs: what they stand for. Shape (T, H).
    """

    labelled: FloatArray
    unlabelled: FloatArray
    weight: FloatArray


def judges_with_anchor(cells: AuditCells) -> tuple[int, ...]:
    """Signals of judges some of whose pairs people judged too, most such pairs first."""
    anchors = cells.anchors
    both = anchors.human >= 0
    counts = {int(j): float(anchors.n[both & (anchors.judge == j)].sum()) for j in np.unique(anchors.judge[both])}
    return tuple(sorted(counts, key=lambda judge: (-counts[judge], judge)))


def anchor_grid(
    cells: AuditCells,
    judge: int,
    tier: int,
    segment: int,
    *,
    first_bucket: int,
    buckets: int,
    settling: int | None = None,
) -> AnchorGrid:
    """Counts of one judge, tier and segment, whatever drew the pairs.

    Args:
        cells: The log's sufficient statistics.
        judge: The judge's signal.
        tier: Tier code.
        segment: Segment code, 0 for the whole tier.
        first_bucket: First bucket of the grid.
        buckets: Number of buckets T.
        settling: Buckets after the decision within which a verdict must have come to count; None: all count.
    """
    table = cells.anchors
    keep = (table.judge == judge) & (table.tier == tier) & (table.segment == segment)
    keep &= (table.decided >= first_bucket) & (table.decided < first_bucket + buckets)
    late = np.zeros(len(table), dtype=np.bool_)
    if settling is not None:
        late = table.available > table.decided + settling
    # A verdict of people that came too late leaves a pair with the judge's alone, if that was there in time: when it came is not known,
    # so such a pair is left out. That moves nothing as long as how late people are does not depend on what they say.
    part = table.take(keep & ~late)
    strata = int(part.stratum.max()) + 1 if len(part) else 1
    day, labelled = part.decided - first_bucket, part.human >= 0

    def summed(shape: tuple[int, ...], index: tuple[npt.NDArray[np.int64], ...], values: FloatArray) -> FloatArray:
        flat = np.ravel_multi_index(index, shape)
        return np.bincount(flat, weights=values, minlength=int(np.prod(shape))).astype(np.float64).reshape(shape)

    by_stratum = (buckets, strata)

    def largest(values: FloatArray, n: FloatArray) -> FloatArray:
        top = np.zeros(by_stratum)
        np.maximum.at(top, (day, part.stratum), values)
        found = largest_weights(top, summed(by_stratum, (day, part.stratum), n))
        return np.where(found > 0.0, found, 1.0)[day, part.stratum]

    heaviest = largest(part.weight_max, part.n)
    judged = part.weight / heaviest
    known = part.human_weight / heaviest / largest(part.ratio_max, part.n * labelled)
    return AnchorGrid(
        summed(
            (*by_stratum, OUTCOMES, OUTCOMES),
            (day[labelled], part.stratum[labelled], part.human_outcome[labelled], part.judge_outcome[labelled]),
            known[labelled],
        ),
        summed((*by_stratum, OUTCOMES), (day, part.stratum, part.judge_outcome), np.maximum(judged - known, 0.0)),
        summed(by_stratum, (day, part.stratum), part.weight),
    )
