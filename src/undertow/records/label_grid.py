"""Labels of one signal in one segment as a dense grid over time, tier, arm, eligibility and sampling stratum.

`LabelCells` is what engines send; estimators and detectors want days in a row. A `SignalUnit` is a signal as one kind of
evidence: the same name given by a person after sampling and by a volunteer are two units, since they may not be mixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from undertow.records.cells import (
    ARM_HOLDOUT,
    ARM_TREATMENT,
    BASIS_CODES,
    NO,
    SELECTION_CODES,
    AuditCells,
    LabelCells,
)

FloatArray = npt.NDArray[np.float64]

LabelBasis = Literal["human", "exact", "judge", "behaviour"]

QUALITY_KINDS = ("thumb", "rating", "review", "judge", "shadow", "implicit")
"""Kinds of signal about live traffic. `suite` is a fixed test set and `outcome` belongs to the ledger."""

ARM_AXIS = {"treatment": 0, "holdout": 1, "unknown": 2}
ALL_ARMS = tuple(ARM_AXIS.values())
ROUTED_ARMS = (ARM_AXIS["treatment"], ARM_AXIS["unknown"])
"""Arms in which the policy decided: treatment, and rows of a log without arms."""
HOLDOUT_ARM = (ARM_AXIS["holdout"],)
ELIGIBLE = (1,)
ANY_ELIGIBILITY = (0, 1)


@dataclass(frozen=True, slots=True)
class SignalUnit:
    """One signal as one kind of evidence.

    Attributes:
        code: Position in `AuditCells.signals`.
        name: `kind.name`.
        selection: `census`, `sampled`, `volunteered` or `unknown`.
        basis: `human`, `exact`, `judge` or `behaviour`.
        labels: How many there are, pairs included.
        pairs: How many carry a reference value.
    """

    code: int
    name: str
    selection: str
    basis: LabelBasis
    labels: float
    pairs: float

    @property
    def kind(self) -> str:
        """The signal's kind, `review` in `review.accuracy`."""
        return self.name.split(".", 1)[0]

    @property
    def shows_level(self) -> bool:
        """Whether the labels were taken with known probabilities. Volunteered and unknown ones show change, never a level."""
        return self.selection in {"census", "sampled"}

    def mask(self, labels: LabelCells) -> npt.NDArray[np.bool_]:
        """Cells of `labels` that belong to this unit."""
        return (
            (labels.signal == self.code)
            & (labels.selection == SELECTION_CODES.index(self.selection))
            & (labels.basis == BASIS_CODES.index(self.basis))
        )


def signal_units(cells: AuditCells, kinds: tuple[str, ...] = QUALITY_KINDS) -> tuple[SignalUnit, ...]:
    """The units of evidence in a log, most labels first; ties by name, so that the order never depends on the engine."""
    labels = cells.labels
    whole = labels.segment == 0
    found = []
    combos = {
        (int(s), int(c), int(b))
        for s, c, b in zip(labels.signal[whole], labels.selection[whole], labels.basis[whole], strict=True)
    }
    for signal, selection, basis in combos:
        name = cells.signals[signal]
        if name.split(".", 1)[0] not in kinds:
            continue
        mask = whole & (labels.signal == signal) & (labels.selection == selection) & (labels.basis == basis)
        found.append(
            SignalUnit(
                code=signal,
                name=name,
                selection=SELECTION_CODES[selection],
                basis=BASIS_CODES[basis],
                labels=float(labels.n[mask].sum()),
                pairs=float(labels.pairs[mask].sum()),
            )
        )
    return tuple(sorted(found, key=lambda u: (-u.labels, u.name, u.selection, u.basis)))


@dataclass(frozen=True, slots=True)
class LabelGrid:
    """Sums of `LabelCells` as arrays of shape (T, tiers, 3 arms, 2 eligibilities, strata).

    Axis 0 counts buckets from `first_bucket`; arms are treatment, holdout, unknown; eligibility 0 means that constraints
    forbade the cheap tier, 1 that they allowed it or that the log does not say. Sums over any axes are plain sums.
    """

    first_bucket: int
    n: FloatArray
    failures: FloatArray
    failures_sq: FloatArray
    weight: FloatArray
    weight_sq: FloatArray
    weighted_failures: FloatArray
    weighted_failures_sq: FloatArray
    weight_weighted_failures: FloatArray
    weight_max: FloatArray
    pairs: FloatArray
    loss_up: FloatArray
    loss_down: FloatArray
    loss_sq: FloatArray
    weighted_loss: FloatArray
    weighted_loss_sq: FloatArray

    @property
    def buckets(self) -> int:
        """Number of buckets T."""
        return self.n.shape[0]

    @property
    def strata(self) -> int:
        """Number of classes of inclusion probability; 0 is the most heavily sampled one."""
        return self.n.shape[4]

    def window(self, start: int, stop: int) -> Self:
        """Buckets start (included) to stop (excluded), counted from the grid's first bucket."""
        start, stop = max(start, 0), max(stop, start, 0)
        arrays = {f.name: getattr(self, f.name)[start:stop] for f in fields(self) if f.name != "first_bucket"}
        return type(self)(first_bucket=self.first_bucket + start, **arrays)

    def as_holdout(self, buckets: int) -> Self:
        """This grid with all labels of its first `buckets` buckets moved to the holdout arm.

        For the time before routing, when every request was served as the holdout's are.
        """
        arrays = {}
        for f in fields(self):
            if f.name == "first_bucket":
                continue
            moved = getattr(self, f.name).copy()
            early = moved[:buckets]
            held = early.max(axis=2) if f.name == "weight_max" else early.sum(axis=2)
            early[:] = 0.0
            early[:, :, ARM_AXIS["holdout"]] = held
            arrays[f.name] = moved
        return type(self)(first_bucket=self.first_bucket, **arrays)

    def minus(self, part: Self) -> Self:
        """This grid without the labels of a part of it (a segment of the tier)."""
        strata = part.strata
        arrays = {}
        for f in fields(self):
            if f.name == "first_bucket":
                continue
            left = getattr(self, f.name).copy()
            if f.name != "weight_max":
                left[..., :strata] -= getattr(part, f.name)
            arrays[f.name] = left
        return type(self)(first_bucket=self.first_bucket, **arrays)


def label_grid(
    cells: AuditCells,
    unit: SignalUnit,
    segment: int,
    *,
    by: str = "available",
    first_bucket: int,
    buckets: int,
    until_available: int | None = None,
    plain: bool = False,
) -> LabelGrid:
    """Labels of one unit in one segment as a dense grid.

    Args:
        cells: The log's sufficient statistics.
        unit: Which signal.
        segment: Segment code, 0 for the whole tier.
        by: `available` (when the system had the label: detection) or `decided` (when the request was made: onset, mix).
        first_bucket: First bucket of the grid; earlier labels are left out.
        buckets: Number of buckets T.
        until_available: Leave out labels that became available in this bucket or later (to see what was known then).
        plain: Leave out labels that steering drew for other segments: counted without weights, they would change what is counted.
    """
    labels = cells.labels
    keep = unit.mask(labels) & (labels.segment == segment) & (labels.tier >= 0)
    when = getattr(labels, by)
    keep &= (when >= first_bucket) & (when < first_bucket + buckets)
    if until_available is not None:
        keep &= labels.available < until_available
    if plain:
        keep &= (labels.steered == 0) | ((labels.steered == segment) & (segment != 0))
    part = labels.take(keep)
    strata = int(part.stratum.max()) + 1 if len(part) else 1
    shape = (buckets, len(cells.tiers), 3, 2, strata)
    arm = np.select(
        [part.arm == ARM_TREATMENT, part.arm == ARM_HOLDOUT],
        [ARM_AXIS["treatment"], ARM_AXIS["holdout"]],
        ARM_AXIS["unknown"],
    )
    eligible = (part.eligible != NO).astype(np.int64)
    flat = np.ravel_multi_index(
        (getattr(part, by) - first_bucket, part.tier, arm, eligible, np.maximum(part.stratum, 0)), shape
    )
    size = int(np.prod(shape))

    def gathered(name: str) -> FloatArray:
        values = getattr(part, name).astype(np.float64)
        if name == "weight_max":
            out = np.zeros(size)
            np.maximum.at(out, flat, values)
            return out.reshape(shape)
        return np.bincount(flat, weights=values, minlength=size).astype(np.float64).reshape(shape)

    arrays = {f.name: gathered(f.name) for f in fields(LabelGrid) if f.name != "first_bucket"}
    return LabelGrid(first_bucket=first_bucket, **arrays)


def daily_effective(
    grid: LabelGrid, tiers: Sequence[int], *, arms: Sequence[int] = ALL_ARMS, eligible: Sequence[int] = ANY_ELIGIBILITY
) -> tuple[FloatArray, FloatArray]:
    """Effective failures and labels per bucket: sum(w y) / W and sum(w) / W, W the group's largest weight in that bucket.

    With equal weights these are the plain counts. See `stats.betting.log_ratio_bets` for why an exact bet may use them.
    W belongs to the design of that bucket's sampling, so later labels never change earlier evidence.

    Returns:
        Failures and labels, each of shape (T,).
    """
    index = np.ix_(range(grid.buckets), list(tiers), list(arms), list(eligible), range(grid.strata))
    top = grid.weight_max[index].max(axis=(1, 2, 3, 4), initial=0.0)
    top = np.where(top > 0, top, 1.0)
    return (
        grid.weighted_failures[index].sum((1, 2, 3, 4)) / top,
        grid.weight[index].sum((1, 2, 3, 4)) / top,
    )
