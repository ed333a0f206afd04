"""Labels of one signal in one segment as a dense grid over time, tier, arm, eligibility and sampling stratum.

`LabelCells` is what engines send; estimators and detectors want days in a row. A `SignalUnit` is a signal as one kind of
evidence: the same name given by a person after sampling and by a volunteer are two units, since they may not be mixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
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

LATEST_LABELS = 20.0
"""Labels of a stratum that show the largest weight of its design (`largest_weights`): of the latest buckets as many as hold them."""

_LARGEST = frozenset({"weight_max", "pair_weight_max"})
"""Columns that are largest values, not sums."""

STAYS = 28
"""Buckets for which a stratum counts as in use after its last label."""


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
        strata: Names of its strata in the order of their codes; empty: they are classes of probability, which have none.
        merged: Stratum in which those are counted that are not kept apart (`AuditCells.merged`), or None.
    """

    code: int
    name: str
    selection: str
    basis: LabelBasis
    labels: float
    pairs: float
    strata: tuple[str, ...] = ()
    merged: int | None = None

    @property
    def tails(self) -> int:
        """How many of its first strata are long tails, of this or of earlier divisions of a tier."""
        return sum(name.startswith("tail") for name in self.strata) if self.strata else 1

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
                strata=cells.strata.get(signal, ()),
                merged=cells.merged.get(signal),
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
    pair_weight: FloatArray
    weighted_loss_up: FloatArray
    pair_weight_max: FloatArray

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
            held = early.max(axis=2) if f.name in _LARGEST else early.sum(axis=2)
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
            if f.name not in _LARGEST:
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
    apart: bool = False,
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
        plain: Leave out labels that steering drew for other segments, and those of strata that are not kept apart: counted without
            weights, they would change what is counted.
        apart: Leave out labels of strata that are not kept apart.
    """
    labels = cells.labels
    keep = unit.mask(labels) & (labels.segment == segment) & (labels.tier >= 0)
    when = getattr(labels, by)
    keep &= (when >= first_bucket) & (when < first_bucket + buckets)
    if until_available is not None:
        keep &= labels.available < until_available
    if plain:
        keep &= (labels.steered == 0) | ((labels.steered == segment) & (segment != 0))
    if (plain or apart) and unit.merged is not None:
        keep &= labels.stratum != unit.merged
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
        if name in _LARGEST:
            out = np.zeros(size)
            np.maximum.at(out, flat, values)
            return out.reshape(shape)
        return np.bincount(flat, weights=values, minlength=size).astype(np.float64).reshape(shape)

    arrays = {f.name: gathered(f.name) for f in fields(LabelGrid) if f.name != "first_bucket"}
    return LabelGrid(first_bucket=first_bucket, **arrays)


def cells_by_segment(cells: AuditCells) -> Callable[[int], AuditCells]:
    """Cells with the labels of one segment alone, by its code: a grid of one among hundreds then need not look at the labels of all."""
    order = np.argsort(cells.labels.segment, kind="stable")
    ordered = cells.labels.segment[order]

    def of(segment: int) -> AuditCells:
        start, stop = np.searchsorted(ordered, [segment, segment + 1])
        return replace(cells, labels=cells.labels.take(order[start:stop]))

    return of


def own_steered(cells: AuditCells, unit: SignalUnit, segment: int, plain: LabelGrid) -> FloatArray:
    """How many labels of a segment's plain grid by availability steering drew for that very segment. Shape (T, tiers, strata)."""
    labels = cells.labels
    when = labels.available - plain.first_bucket
    keep = unit.mask(labels) & (labels.segment == segment) & (labels.steered == segment) & (labels.tier >= 0)
    keep &= labels.stratum != (-1 if unit.merged is None else unit.merged)
    part = labels.take(keep & (when >= 0) & (when < plain.buckets))
    shape = (plain.buckets, plain.n.shape[1], plain.strata)
    flat = np.ravel_multi_index((part.available - plain.first_bucket, part.tier, np.maximum(part.stratum, 0)), shape)
    counts = np.bincount(flat, weights=part.n, minlength=int(np.prod(shape)))
    return counts.astype(np.float64).reshape(shape)


def daily_effective(
    grid: LabelGrid,
    tiers: Sequence[int],
    *,
    arms: Sequence[int] = ALL_ARMS,
    eligible: Sequence[int] = ANY_ELIGIBILITY,
    stays: int = STAYS,
) -> tuple[FloatArray, FloatArray]:
    """Effective failures and labels per bucket: sum(w y) / W and sum(w) / W, W the group's largest weight at that time.

    With equal weights these are the plain counts. See `stats.betting.log_ratio_bets` for why an exact bet may use them.
    W is that of the design, not of the labels that happened to come: see `largest_weights`. Later labels never change earlier evidence.

    Args:
        grid: Labels of one signal in one segment.
        tiers: Tier codes.
        arms: Positions on the arm axis (`ARM_AXIS`).
        eligible: Positions on the eligibility axis.
        stays: Buckets for which a stratum counts as in use after its last label.

    Returns:
        Failures and labels, each of shape (T,).
    """
    index = np.ix_(range(grid.buckets), list(tiers), list(arms), list(eligible), range(grid.strata))
    by_stratum = grid.weight_max[index].max(axis=(2, 3), initial=0.0), grid.n[index].sum((2, 3))
    top = largest_weights(*by_stratum, stays).max(axis=(1, 2), initial=0.0)
    top = np.where(top > 0, top, 1.0)
    return (
        grid.weighted_failures[index].sum((1, 2, 3, 4)) / top,
        grid.weight[index].sum((1, 2, 3, 4)) / top,
    )


def effective_by_stratum(grid: LabelGrid, tier: int, stays: int = STAYS) -> tuple[FloatArray, FloatArray]:
    """Effective failures and labels of a tier, each stratum by its own largest weight: how labels divide over them is left as it is.

    Inside a stratum, decisions with different labels are drawn at different rates (least numbers, stakes, steering), and these rates move.
    Counted alike, such labels are another mix each time; weighted, they are always the traffic's.

    Args:
        grid: All labels, those that steering drew included.
        tier: Tier code.
        stays: As in `daily_effective`.

    Returns:
        Failures and labels, each of shape (T, arms, strata).
    """
    top = largest_weights(grid.weight_max[:, tier].max(axis=(1, 2)), grid.n[:, tier].sum((1, 2)), stays)
    top = np.where(top > 0, top, 1.0)[:, None, :]
    return grid.weighted_failures[:, tier].sum(2) / top, grid.weight[:, tier].sum(2) / top


def largest_weights(weight_max: FloatArray, n: FloatArray, stays: int = STAYS) -> FloatArray:
    """The largest weight that a design gives, as far as its latest labels show it.

    The largest weight of one bucket's own labels will not do: on a day on which none of the seldom drawn came, the others would
    count as if they were all of the traffic, and a bet on the mean of all would be one on theirs.

    Args:
        weight_max: Largest weight per bucket, 0 without labels. Shape (T, ...).
        n: Labels. Shape (T, ...).
        stays: Buckets for which it stays after the last label; then there is none.

    Returns:
        The largest among the fewest latest buckets that hold `LATEST_LABELS` labels, 0 before the first and `stays` after the last one. Row
        t uses rows up to t only. Shape (T, ...).

    Examples:
        >>> largest_weights(np.array([9.0, 0.0, 2.0, 0.0]), np.array([1.0, 0.0, 30.0, 0.0]), stays=9).tolist()
        [9.0, 9.0, 2.0, 2.0]
    """
    days, columns = len(n), int(np.prod(n.shape[1:], dtype=np.int64))
    found = np.zeros((days, columns))
    by_column = weight_max.reshape(days, columns).T, n.reshape(days, columns).T
    for column, (top, many) in enumerate(zip(*by_column, strict=True)):
        at = np.flatnonzero(many > 0)
        if not len(at):
            continue
        after = np.cumsum(many[at])
        begin = np.searchsorted(after - many[at], after - LATEST_LABELS, side="right") - 1
        largest = np.array([top[at[max(b, 0) : i + 1]].max() for i, b in enumerate(begin.tolist())])
        last = np.searchsorted(at, np.arange(days), side="right") - 1
        is_used = (last >= 0) & (np.arange(days) - at[last] < stays)
        found[:, column] = np.where(is_used, largest[last], 0.0)
    return found.reshape(n.shape)
