"""References that a tier's rise is held against: pairs, the regression suite, and other tiers on the same mix of segments."""

from collections.abc import Sequence

import numpy as np

from undertow.attribution.cause import Attribution, MeanWithError, attribute, mix_part
from undertow.detectors.quality_gap import STAYS_S
from undertow.estimators.by_stratum import design_scale, stratum_sums
from undertow.estimators.sums import weighted_sums
from undertow.records.cells import AuditCells
from undertow.records.label_grid import HOLDOUT_ARM, LabelGrid, signal_units
from undertow.records.stream import MonitoredStream
from undertow.services.alarm_scene import Scene
from undertow.services.evidence import watched_segments
from undertow.stats.confidence import WeightedSums, hajek_mean_variance

MIN_SUITE_LABELS = 100
"""Suite results of the capable tier on each side of the onset that make it a reference."""

PAIRED = 0.9
"""Share of a stratum's labels, before and after, that must be pairs for the other answers to be a reference."""

MIN_CELL_LABELS = 5
"""Reference labels in a segment on each side of the onset; segments with fewer are left out of the standardised rate."""


def compare_with_pairs(
    scene: Scene, stream: MonitoredStream, known_before: int | None, split: int
) -> Attribution | None:
    """The other tier's answers to the very same requests, before and after, where people see both; None where they do not.

    Stratum by stratum, each worth as much as its smaller side has labels, so that what steering drew after the onset is set against the
    same stratum before it. Inside a stratum labels are weighted: more of some requests may be drawn after the onset than before.
    """
    grid = scene.labels(stream.unit, stream.segment, known_before)
    scale = design_scale(grid, stream.tier, max(1, STAYS_S // scene.cells.bucket_s))
    sums = stratum_sums(grid, stream.tier, scale)
    sides = [sums.counts(scene.periods.routing_start, split), sums.counts(split, scene.buckets)]
    both = np.minimum(*(np.where(side.paired >= PAIRED, side.n, 0.0) for side in sides))
    if both.sum() <= 0:
        return None
    worth = both / both.sum()
    means = []
    for side in sides:
        n = np.maximum(side.n, 1.0)
        # The loss of a pair is the failure of the one answer less that of the other.
        for failed in (side.failures, np.clip(side.failures - side.lost, 0.0, side.n)):
            share, rate = failed / np.where(side.n > 0, side.n, 1.0), (failed + 1.0) / (side.n + 2.0)
            variance = float((worth**2 * rate * (1.0 - rate) / n).sum())
            means.append(MeanWithError(float((worth * share).sum()), variance, float(side.n[both > 0].sum())))
    own_before, other_before, own_after, other_after = means
    return attribute(
        own_before, own_after, other_before, other_after, reference_name="the other tier's answers to the same requests"
    )


def reference_before(scene: Scene, grid: LabelGrid, split: int, *, has_holdout: bool) -> LabelGrid:
    """Labels that show the reference before the onset.

    Before routing began everybody was served as the holdout is now, so all labels of that time count as the holdout's.
    """
    start = scene.periods.routing_start
    if not has_holdout:
        return grid.window(start, split)
    return grid.window(0, split).as_holdout(start)


def suite_reference(scene: Scene, known_before: int | None, split: int) -> tuple[MeanWithError, MeanWithError] | None:
    """The capable tier on the regression suite before and after; None without enough runs of it."""
    capable = len(scene.cells.tiers) - 1
    for unit in signal_units(scene.cells, ("suite",)):
        grid = scene.labels(unit, 0, known_before)
        parts = [
            weighted_sums(w, [capable])
            for w in (grid.window(scene.periods.routing_start, split), grid.window(split, scene.buckets))
        ]
        if min(float(p.n) for p in parts) >= MIN_SUITE_LABELS:
            return mean_with_error(parts[0]), mean_with_error(parts[1])
    return None


def like_for_like(
    scene: Scene,
    stream: MonitoredStream,
    known_before: int | None,
    split: int,
    pick: Sequence[int],
    arms: Sequence[int],
    eligible: Sequence[int],
) -> tuple[MeanWithError, MeanWithError, float] | None:
    """The reference's failure rates on the alarmed tier's own mix of segments, before and after, and the part due to mix.

    Uses the segment key that covers most of the tier's labels; None where no key covers most of them.
    """
    key = main_key(scene.cells)
    if key is None:
        return None
    codes = [code for code in watched_segments(scene.cells) if code and scene.cells.segments[code].key == key]
    start, stop = scene.periods.routing_start, scene.buckets
    shares: list[list[float]] = [[], []]
    means: list[list[MeanWithError]] = [[], []]
    for code in codes:
        grid = scene.labels(stream.unit, code, known_before)
        traffic = scene.traffic(code)
        windows = ((start, split), (split, stop if known_before is None else known_before))
        reference = [
            weighted_sums(
                reference_before(scene, grid, split, has_holdout=arms == HOLDOUT_ARM),
                pick,
                arms=arms,
                eligible=eligible,
            ),
            weighted_sums(grid.window(split, stop), pick, arms=arms, eligible=eligible),
        ]
        if min(float(r.n) for r in reference) < MIN_CELL_LABELS:
            continue
        for side, (a, b) in enumerate(windows):
            shares[side].append(float(traffic.served[a:b, stream.tier].sum()))
            means[side].append(mean_with_error(reference[side]))
    totals = [sum(s) for s in shares]
    if min(totals, default=0.0) <= 0 or len(shares[0]) < 2:
        return None
    weights = [[s / total for s in side] for side, total in zip(shares, totals, strict=True)]
    pooled = [
        MeanWithError(
            sum(w * m.mean for w, m in zip(ws, ms, strict=True)),
            sum(w**2 * m.variance for w, m in zip(ws, ms, strict=True)),
            sum(m.n for m in ms),
        )
        for ws, ms in zip(weights, means, strict=True)
    ]
    moved = mix_part(weights[0], weights[1], [m.mean for m in means[0]], [m.mean for m in means[1]])
    return pooled[0], pooled[1], moved


def main_key(cells: AuditCells) -> str | None:
    """The segment key that most labels bear."""
    labels = cells.labels
    counts: dict[str, float] = {}
    for code in watched_segments(cells):
        if code != 0:
            key = cells.segments[code].key
            counts[key] = counts.get(key, 0.0) + float(labels.n[labels.segment == code].sum())
    total = float(labels.n[labels.segment == 0].sum())
    best = max(counts, key=lambda k: (counts[k], k), default=None)
    return best if best is not None and counts[best] >= 0.8 * total else None


def mean_with_error(sums: WeightedSums) -> MeanWithError:
    """Mean failure with a variance that is not 0 where all labels agree (one more failure and one more success)."""
    n = float(sums.n)
    if n <= 0:
        return MeanWithError(0.0, 0.0, 0.0)
    mean, variance = (float(x) for x in hajek_mean_variance(sums))
    smoothed = (mean * n + 1.0) / (n + 2.0)
    return MeanWithError(mean, max(variance, smoothed * (1 - smoothed) / n), n)
