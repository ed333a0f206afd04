"""The distribution of the routing confidence, for people: its first fortnight beside its last."""

import numpy as np

from undertow.detectors.drift import population_stability_index, wasserstein_distance
from undertow.records.cells import CONFIDENCE_BINS, AuditCells
from undertow.records.report import Histogram
from undertow.records.segment import WHOLE, Segment
from undertow.services.drift_places import Place, place_sums
from undertow.services.log_days import DAY_S, LogDays

WINDOW_DAYS = 14
"""Length of the periods that the histogram compares."""


def confidence_histogram(cells: AuditCells, tier: str | None = None, segment: Segment = WHOLE) -> Histogram | None:
    """Distribution of the routing confidence (or score) in its first fortnight and in the last; None without any.

    Args:
        cells: The log's sufficient statistics.
        tier: That served; None: any.
        segment: Requests that are counted.
    """
    code = cells.segments.index(segment) if segment in cells.segments else -1
    keep = cells.confidence.segment == code
    if tier is not None:
        keep &= cells.confidence.tier == (cells.tiers.index(tier) if tier in cells.tiers else len(cells.tiers))
    table = cells.confidence.take(keep)
    if cells.confidence_column is None or not len(table):
        return None
    day = table.bucket * cells.bucket_s // DAY_S
    axis = LogDays(int(day.min()), int(day.max() - day.min()) + 1)
    counts = place_sums(cells, axis, (Place(segment, (code,)),), table, "n", CONFIDENCE_BINS)[0]
    window = max(1, min(WINDOW_DAYS, axis.size // 2))
    before, now = counts[:window].sum(0), counts[-window:].sum(0)
    if before.sum() <= 0 or now.sum() <= 0:
        return None
    edges = np.linspace(*cells.confidence_range, CONFIDENCE_BINS + 1)
    return Histogram(
        column=cells.confidence_column or "confidence",
        edges=tuple(edges.tolist()),
        baseline=tuple((before / before.sum()).tolist()),
        now=tuple((now / now.sum()).tolist()),
        baseline_period=(axis.time(0), axis.time(window)),
        now_period=(axis.time(axis.size - window), axis.time(axis.size)),
        psi=population_stability_index(before, now),
        wasserstein=wasserstein_distance(before, now),
    )
