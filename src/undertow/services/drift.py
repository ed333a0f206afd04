"""Drift of routing confidence and routing share: warnings, and the histogram that people look at."""

from datetime import UTC, datetime

import numpy as np

from undertow.estimators.periods import Periods
from undertow.records.cells import CONFIDENCE_BINS, AuditCells
from undertow.records.report import Alarm, Histogram

WINDOW_S = 14 * 86_400
"""Length of the periods that are compared: the first fortnight with a confidence, and the last."""


def confidence_histogram(cells: AuditCells, first: int) -> Histogram | None:
    """Distribution of the routing confidence (or score) in its first fortnight and in the last; None without any."""
    table = cells.confidence.take(cells.confidence.segment == 0)
    if cells.confidence_column is None or not len(table):
        return None
    begin, end = int(table.bucket.min()), int(table.bucket.max()) + 1
    window = max(1, min(WINDOW_S // cells.bucket_s, (end - begin) // 2))
    spans = ((begin, begin + window), (end - window, end))
    shares = []
    for low, high in spans:
        mask = (table.bucket >= low) & (table.bucket < high)
        counts = np.bincount(table.bin[mask], weights=table.n[mask].astype(float), minlength=CONFIDENCE_BINS)
        shares.append(counts / max(counts.sum(), 1.0))
    low_end, high_end = cells.confidence_range
    edges = np.linspace(low_end, high_end, CONFIDENCE_BINS + 1)
    periods = [
        (datetime.fromtimestamp(a * cells.bucket_s, UTC), datetime.fromtimestamp(b * cells.bucket_s, UTC)) for a, b in spans
    ]
    return Histogram(
        cells.confidence_column, tuple(edges.tolist()), tuple(shares[0].tolist()), tuple(shares[1].tolist()), *periods
    )


def drift_warnings(cells: AuditCells, periods: Periods, first: int, buckets: int) -> list[Alarm]:
    """Warnings of drift in confidence and share."""
    return []
