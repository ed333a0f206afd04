"""Where a tier loses: conjunctions of segments, words and topics that bear a loss, found on one half of the labels and confirmed on the other.

A search among thousands of slices always finds one that looks bad. So labels are divided by a hash of their decision's id. The
discovery half proposes a few slices, in any way it likes. The confirmation half, which has had no part in that, tests each with an
e-value, and e-BH bounds the share of false ones among those named, however they overlap.

What is tested, for a slice S:

* `before` (there is a time before the onset with failures of its own): the part of the tier's failures that falls into S has not grown.
  A tier that gets worse everywhere keeps the parts as they are, so that no slice is named for it; both an
  intent that fails more often and one of which there is more are seen.
* `rest` (the tier was bad from its first day): requests in S fail no more often than the others.

Labels of one stratum are compared with labels of that stratum, and the evidence of the strata multiplied, so that drawing the long tail more
often moves nothing and costs nothing. Within a stratum labels count by their weight over the largest of their day (1 where all were
drawn alike): effective counts, see `stats.betting.log_ratio_bets`. Shares and rates are shown for the traffic: every label
counts 1 / inclusion probability.

References:
    Wang and Ramdas (2022), False discovery rate control with e-values, JRSS B 84 (e-BH: any dependence; weights that sum to the number of
    hypotheses, fixed beforehand, keep it valid). Chung, Kraska,
    Polyzotis, Tae, Whang (2019), Slice Finder, ICDE (search over conjunctions).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.stats.confidence import hajek_interval
from undertow.stats.contrast import log_contrast_bets

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Contrast = Literal["before", "rest"]

GAPS = (1.0, 0.6, 0.35)
"""The difference that the discovery half shows is bet on whole and in part: what was chosen for being large is smaller in truth."""

PRIOR_TRIALS = 5.0
"""Trials that the rates of all blocks together are worth, as a prior of each block's."""

MIN_FAILURES_BEFORE = 15.0
"""Failures before the onset, in each half, that make the contrast `before` possible."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How slices are searched.

    Attributes:
        level: Largest expected share of false ones among the slices named.
        depth: Most parts of a conjunction.
        min_share: A slice holds at least this share of the tier's labels since the onset.
        min_failures: ... and this many failures in the discovery half.
        gain: Log-likelihood that each further part must add.
        beam: Conjunctions of each depth that are extended.
        tested: Most slices that are put to the test.
        overlap: Slices that share more of their failures than this (intersection over union) are one; the better one is tested.
    """

    level: float = 0.05
    depth: int = 3
    min_share: float = 0.005
    min_failures: float = 3.0
    gain: float = 1.5
    beam: int = 20
    tested: int = 10
    overlap: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SliceLabels:
    """Labels of one tier and signal. Arrays of shape (n,).

    Attributes:
        failure: 1 - value, in [0, 1].
        weight: 1 / inclusion probability.
        is_after: The decision was made since the onset.
        is_discovery: Which half, by a hash of the decision's id.
        block: Labels of one block were drawn alike (a stratum): slices are compared within blocks.
        top: Largest weight of the labels of the same block and day.
    """

    failure: FloatArray
    weight: FloatArray
    is_after: BoolArray
    is_discovery: BoolArray
    block: IntArray
    top: FloatArray

    @classmethod
    def drawn_alike(
        cls, failure: FloatArray, weight: FloatArray, is_after: BoolArray, is_discovery: BoolArray
    ) -> "SliceLabels":
        """Labels of one block."""
        return cls(
            failure,
            weight,
            is_after,
            is_discovery,
            np.zeros(len(failure), dtype=np.int64),
            np.full(len(failure), weight.max(initial=1e-300)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """Something that a slice can be made of: a segment, a word, a topic.

    Attributes:
        key: Features of one key are not combined (two values of one segment key, two clusters).
        name: For people.
        members: Labels that have it. Shape (n,).
    """

    key: str
    name: str
    members: BoolArray


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean failure with an interval that holds at all times; None where there are no labels."""

    mean: float | None
    interval: tuple[float, float] | None
    n: int


@dataclass(frozen=True, slots=True)
class FoundSlice:
    """A slice that the confirmation half bears out.

    Attributes:
        parts: Positions of its features.
        contrast: What was tested.
        share, share_before: Estimated share of the tier's requests, since the onset and before (None: no labels then).
        inside, outside: Failure rate since the onset in the slice and in the rest of the tier; both halves.
        inside_before: The slice's failure rate before the onset.
        part_of_failures, part_before: Part of the tier's failures that falls into it.
        log10_evidence: log10 of its e-value.
    """

    parts: tuple[int, ...]
    contrast: Contrast
    share: float
    share_before: float | None
    inside: Rate
    outside: Rate
    inside_before: Rate
    part_of_failures: float
    part_before: float | None
    log10_evidence: float


def find_slices(
    labels: SliceLabels, features: Sequence[Feature], options: SearchOptions | None = None, interval_level: float = 0.95
) -> tuple[FoundSlice, ...]:
    """Slices that bear a loss, strongest evidence first.

    Args:
        labels: Labels of one tier and signal.
        features: What slices are made of.
        options: See `SearchOptions`.
        interval_level: Level of the intervals shown.

    Returns:
        The slices; among them at most `options.level` false ones on average. Their order and number do not depend on the order
        of the labels.

    Examples:
        A hundred requests of each kind before and after; since then refunds fail, and what fails else is spread evenly:

        >>> n = 4000; at = np.arange(n)
        >>> refund, after = at % 10 == 0, at >= n // 2
        >>> failed = (at % 17 == 0) | (refund & after & (at % 4 == 0))
        >>> labels = SliceLabels.drawn_alike(failed.astype(float), np.ones(n), after, (at * 7919) % 13 < 6)
        >>> features = [Feature("intent", "intent=refund", refund), Feature("plan", "plan=free", at % 3 == 0)]
        >>> [features[part].name for found in find_slices(labels, features) for part in found.parts]
        ['intent=refund']
    """
    options = options or SearchOptions()
    if not features or not labels.is_after.any():
        return ()
    contrast = _contrast(labels)
    members = np.stack([feature.members for feature in features], axis=1)
    half = labels.is_discovery
    proposed = _propose(labels, half, contrast, members[half], [feature.key for feature in features], options)
    if not proposed:
        return ()
    tested = [_inside(members, parts) for parts in proposed]
    log_e = [
        _confirm(_rows(labels, half, contrast), inside[half], _rows(labels, ~half, contrast), inside[~half])
        for inside in tested
    ]
    # The discovery half's order is worth something: its first proposals get the larger shares of the level.
    share = 1.0 / np.arange(1, len(log_e) + 1)
    named = e_bh(np.asarray(log_e) + np.log(share / share.mean()), options.level)
    found = [
        _describe(labels, parts, inside, contrast, value, interval_level)
        for parts, inside, value, is_named in zip(proposed, tested, log_e, named, strict=True)
        if is_named
    ]
    return tuple(sorted(found, key=lambda each: (-each.log10_evidence, each.parts)))


def e_bh(log_e: FloatArray, level: float) -> BoolArray:
    """e-BH: which hypotheses to reject so that the expected share of true ones among them is at most `level`.

    Args:
        log_e: Natural logarithms of e-values, one a hypothesis; dependence does not matter. Shape (M,).
        level: Bound of the false discovery rate.

    Returns:
        Rejected. Shape (M,).

    References:
        Wang and Ramdas (2022), JRSS B 84, section 4.

    Examples:
        >>> e_bh(np.log([100.0, 45.0, 3.0]), 0.05).tolist()
        [True, True, False]
    """
    many = len(log_e)
    order = np.argsort(-log_e, kind="stable")
    rank = np.arange(1, many + 1)
    passing = np.flatnonzero(log_e[order] >= np.log(many / (rank * level))) if many else np.zeros(0, dtype=np.int64)
    rejected = np.zeros(many, dtype=np.bool_)
    if len(passing):
        rejected[order[: passing[-1] + 1]] = True
    return rejected


def _contrast(labels: SliceLabels) -> Contrast:
    before = ~labels.is_after
    known = min(
        float(labels.failure[before & labels.is_discovery].sum()),
        float(labels.failure[before & ~labels.is_discovery].sum()),
    )
    return "before" if known >= MIN_FAILURES_BEFORE else "rest"


def _inside(members: BoolArray, parts: tuple[int, ...]) -> BoolArray:
    """Labels that have all parts. Shape (n,)."""
    return np.logical_and.reduce(members[:, list(parts)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One half of the labels as trials with an outcome, all in effective counts.

    `before`: a trial is a failure; the two groups are after and before, the outcome is "in the slice".
    `rest`: a trial is a label since the onset; the groups are inside and outside, the outcome is the failure.

    Attributes:
        trial: Effective trials of each label, 0 where it is none. Shape (n,).
        outcome: `rest`: effective failures. Shape (n,).
        is_after: Shape (n,).
        in_block: Shape (n, B).
        size: Weight of each label since the onset, for shares; 0 before. Shape (n,).
        fails: Failures since the onset, unweighted. Shape (n,).
        contrast: Which of the two.
    """

    trial: FloatArray
    outcome: FloatArray
    is_after: BoolArray
    in_block: BoolArray
    size: FloatArray
    fails: FloatArray
    contrast: Contrast


def _rows(labels: SliceLabels, half: BoolArray, contrast: Contrast) -> _Rows:
    y, w, after = labels.failure[half], labels.weight[half], labels.is_after[half]
    effective = w / labels.top[half]
    blocks = np.unique(labels.block)
    trial = effective * y if contrast == "before" else np.where(after, effective, 0.0)
    return _Rows(
        trial,
        trial * y,
        after,
        labels.block[half][:, None] == blocks,
        np.where(after, w, 0.0),
        np.where(after, y, 0.0),
        contrast,
    )


def _groups(rows: _Rows, inside: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Outcomes and trials of the two groups, the suspected one first, by block. Shapes (B, ..., 2), for members of shape (n, ...)."""
    m = inside.astype(np.float64)
    if rows.contrast == "before":
        sides = [np.where(rows.is_after == side, rows.trial, 0.0)[:, None] * rows.in_block for side in (True, False)]
        k = np.stack([np.tensordot(side.T, m, axes=1) for side in sides], axis=-1)
        totals = np.stack([side.sum(axis=0) for side in sides], axis=-1)
        return k, np.broadcast_to(totals.reshape(len(totals), *([1] * (k.ndim - 2)), 2), k.shape)
    outcome, trial = ((values[:, None] * rows.in_block).T for values in (rows.outcome, rows.trial))
    k, n = (np.stack([values @ m, values @ (1.0 - m)], axis=-1) for values in (outcome, trial))
    return k, n


def _log_gain(k: FloatArray, n: FloatArray) -> FloatArray:
    """Log-likelihood gain of two rates over one in each block, negative where the first group's is lower, summed. Shape (B, ..., 2) -> (...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, pooled = k / n, (k.sum(-1) / n.sum(-1))[..., None]
        up = np.where(k > 0, k * np.log(rate / pooled), 0.0)
        down = np.where(n - k > 1e-12, (n - k) * np.log((1.0 - rate) / (1.0 - pooled)), 0.0)
    gain = np.where((n > 0).all(-1), np.nan_to_num((up + down).sum(-1)), 0.0)
    rises = np.nan_to_num(rate[..., 0]) > np.nan_to_num(rate[..., 1])
    return np.where(rises, gain, -gain).sum(axis=0)


@dataclass(frozen=True, slots=True)
class _Score:
    """How a slice stands out in the discovery half: by its part of the failures, and by how often it fails."""

    gain: float
    contrast: float


def _propose(
    labels: SliceLabels,
    half: BoolArray,
    contrast: Contrast,
    members: BoolArray,
    keys: list[str],
    options: SearchOptions,
) -> list[tuple[int, ...]]:
    """Slices worth a test, by the discovery half, best first: a beam search over conjunctions."""
    rows, rest = _rows(labels, half, contrast), _rows(labels, half, "rest")
    total = float(rows.size.sum())

    def scores(inside: BoolArray) -> list[_Score]:
        m = inside.astype(np.float64)
        fit = (rows.size @ m >= options.min_share * total) & (rows.fails @ m >= options.min_failures)
        gain = np.where(fit, _log_gain(*_groups(rows, inside)), -np.inf)
        return [_Score(*pair) for pair in zip(gain.tolist(), _log_gain(*_groups(rest, inside)).tolist(), strict=True)]

    scored: dict[tuple[int, ...], _Score] = {(i,): score for i, score in enumerate(scores(members)) if score.gain > 0.0}
    layer = _best(scored)[: options.beam]
    for _ in range(1, options.depth):
        deeper: dict[tuple[int, ...], _Score] = {}
        for parts in layer:
            used = {keys[part] for part in parts}
            open_to = [i for i, key in enumerate(keys) if key not in used]
            if not open_to:
                continue
            found = scores(_inside(members, parts)[:, None] & members[:, open_to])
            for i, score in zip(open_to, found, strict=True):
                joined = tuple(sorted((*parts, i)))
                shorter = [
                    scored[each] for at in range(len(joined)) if (each := joined[:at] + joined[at + 1 :]) in scored
                ]
                if (better := _earned(score, shorter, options.gain)) is not None:
                    deeper[joined] = better
        scored |= deeper
        layer = _best(deeper)[: options.beam]
    return _distinct(_best(scored), rows.fails, members, options)


def _best(scored: dict[tuple[int, ...], _Score]) -> list[tuple[int, ...]]:
    return sorted(scored, key=lambda parts: (-scored[parts].gain, len(parts), parts))


def _earned(score: _Score, shorter: list[_Score], least: float) -> _Score | None:
    """The score of a conjunction whose every part earns its place, else None: shorter slices are told more easily.

    It stands out by more than the shorter ones do; or about as much, and its requests fail clearly more often: the failures before the
    onset are few, and leave open which of two slices grew.
    """
    best = max((each.gain for each in shorter), default=0.0)
    if score.gain >= best + least:
        return score
    if (
        score.gain >= 0.8 * best
        and score.contrast >= max((each.contrast for each in shorter), default=0.0) + 2.0 * least
    ):
        return _Score(best + least, score.contrast)
    return None


def _distinct(
    ranked: list[tuple[int, ...]], fails: FloatArray, members: BoolArray, options: SearchOptions
) -> list[tuple[int, ...]]:
    """The best slices that do not overlap much in their failures."""
    kept: list[tuple[int, ...]] = []
    areas: list[BoolArray] = []
    for parts in ranked:
        if len(kept) == options.tested:
            break
        inside = _inside(members, parts)
        if all(
            float(fails[inside & other].sum()) <= options.overlap * float(fails[inside | other].sum())
            for other in areas
        ):
            kept.append(parts)
            areas.append(inside)
    return kept


def _confirm(found: _Rows, inside_found: BoolArray, held: _Rows, inside_held: BoolArray) -> float:
    """Log of the slice's e-value on the confirmation half, betting on what the discovery half shows."""
    k, n = _groups(found, inside_found)
    # A block with few labels of its own is bet on by what all of them show.
    together = (k.sum(0) + 0.5) / (n.sum(0) + 1.0)
    rates = (k + PRIOR_TRIALS * together) / (n + PRIOR_TRIALS)
    middle = ((rates * n).sum(-1) + 1e-9) / (n.sum(-1) + 1e-9 / together.mean())
    alternatives = np.stack([middle[:, None] + gap * (rates - middle[:, None]) for gap in GAPS], axis=1)
    k_held, n_held = _groups(held, inside_held)
    log_bets = log_contrast_bets(k_held, n_held, np.array([1.0, -1.0]), np.zeros(len(k_held)), alternatives)
    is_empty = n_held.min(axis=-1) <= 0.0
    total = np.where(is_empty[:, None], 0.0, log_bets).sum(axis=0)
    return float(np.logaddexp.reduce(total) - np.log(len(GAPS)))


def _describe(
    labels: SliceLabels, parts: tuple[int, ...], inside: BoolArray, contrast: Contrast, log_e: float, level: float
) -> FoundSlice:
    after = labels.is_after
    w, mass = labels.weight, labels.weight * labels.failure
    before = ~after

    def part(values: FloatArray, where: BoolArray) -> float | None:
        total = float(values[where].sum())
        return float(values[where & inside].sum()) / total if total > 0.0 else None

    return FoundSlice(
        parts=parts,
        contrast=contrast,
        share=part(w, after) or 0.0,
        share_before=part(w, before),
        inside=_rate(labels, after & inside, level),
        outside=_rate(labels, after & ~inside, level),
        inside_before=_rate(labels, before & inside, level),
        part_of_failures=part(mass, after) or 0.0,
        part_before=part(mass, before),
        log10_evidence=log_e / float(np.log(10.0)),
    )


def _rate(labels: SliceLabels, where: BoolArray, level: float) -> Rate:
    y, w = labels.failure[where], labels.weight[where]
    if not len(y):
        return Rate(None, None, 0)
    sums = (w.sum(), (w * w).sum(), (w * y).sum(), (w * y * w * y).sum(), (w * w * y).sum())
    found = hajek_interval(*sums, len(y), level, weight_max=w.max())
    return Rate(float(found.mean), (float(found.low), float(found.high)), len(y))
