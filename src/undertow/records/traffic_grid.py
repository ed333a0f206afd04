"""Traffic of one segment as a dense grid over time, tier, arm and eligibility."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT, NO, AuditCells
from undertow.records.label_grid import ARM_AXIS

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrafficGrid:
    """Sums of `TrafficCells` of shape (T, tiers + 1, 3 arms, 2 eligibilities); the last tier stands for "nothing was served".

    Arms and eligibilities as in `LabelGrid`.
    """

    first_bucket: int
    decisions: FloatArray
    escalated: FloatArray
    errors: FloatArray
    cost_n: FloatArray
    cost_usd: FloatArray
    paired_cost_n: FloatArray
    paired_cost_usd: FloatArray
    baseline_cost_usd: FloatArray
    saved_sq: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray

    @property
    def served(self) -> FloatArray:
        """Decisions per bucket and tier, arms and eligibilities together; shape (T, tiers)."""
        return self.decisions[:, :-1].sum((2, 3))


def traffic_grid(cells: AuditCells, segment: int, *, first_bucket: int, buckets: int) -> TrafficGrid:
    """Traffic of one segment (code 0: all of it) over `buckets` buckets from `first_bucket`."""
    traffic = cells.traffic
    keep = (traffic.segment == segment) & (traffic.bucket >= first_bucket) & (traffic.bucket < first_bucket + buckets)
    part = traffic.take(keep)
    shape = (buckets, len(cells.tiers) + 1, 3, 2)
    arm = np.select(
        [part.arm == ARM_TREATMENT, part.arm == ARM_HOLDOUT],
        [ARM_AXIS["treatment"], ARM_AXIS["holdout"]],
        ARM_AXIS["unknown"],
    )
    tier = np.where(part.tier < 0, len(cells.tiers), part.tier)
    flat = np.ravel_multi_index((part.bucket - first_bucket, tier, arm, (part.eligible != NO).astype(np.int64)), shape)
    size = int(np.prod(shape))

    def total(name: str) -> FloatArray:
        values = getattr(part, name).astype(np.float64)
        return np.bincount(flat, weights=values, minlength=size).astype(np.float64).reshape(shape)

    arrays = {f.name: total(f.name) for f in fields(TrafficGrid) if f.name != "first_bucket"}
    return TrafficGrid(first_bucket=first_bucket, **arrays)


def bucket_range(cells: AuditCells) -> tuple[int, int]:
    """First bucket and number of buckets that cover all traffic and all labels by availability."""
    ends = [cells.traffic.bucket]
    if len(cells.labels):
        ends.append(cells.labels.available)
    first = int(cells.traffic.bucket.min())
    last = max(int(e.max()) for e in ends)
    return first, last - first + 1
