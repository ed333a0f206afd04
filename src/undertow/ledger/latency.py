"""How long a tier's callers waited: after a cheap answer had been withheld, with none, and where none was asked for on purpose.

An escalated request pays for the cheap answer in time as well as in money; a skipped one pays neither. The histogram's bins are those of
`undertow.records.cells.LatencyCells`; counts of bins add, so partitions of a log may be merged in any order.
"""

import numpy as np

from undertow.records.cells import (
    LATENCY_BINS_PER_DECADE,
    LATENCY_FIRST_MS,
    LATENCY_WAYS,
    AuditCells,
    IntArray,
    LatencyCells,
)
from undertow.records.report import LatencyEstimate, TierLatency


def tier_latency(cells: AuditCells, tier: int) -> TierLatency | None:
    """Latency of the decisions that a tier served, escalated, direct and skipped; None where there is none to compare.

    Args:
        cells: The log's sufficient statistics.
        tier: Its code.
    """
    mine = cells.latency.take(cells.latency.tier == tier)
    if not len(mine):
        return None
    direct, escalated, skipped = (
        _estimate(mine.take(mine.way == LATENCY_WAYS.index(way))) for way in ("direct", "escalated", "skipped")
    )
    return TierLatency(escalated, direct, skipped if skipped.n else None)


def histogram_quantile_ms(bins: IntArray, n: IntArray, share: float) -> float | None:
    """A quantile of a latency histogram, in milliseconds; None where it is empty.

    Args:
        bins: Codes of the bins, in any order, repeated where histograms were put together.
        n: Decisions in each.
        share: Which quantile, in (0, 1].

    Returns:
        The latency at the decision of rank `share * n`, those of a bin taken to lie evenly over its logarithm.

    Examples:
        A hundred decisions of a bit more than 100 ms, and five of a bit more than a second:

        >>> bins, n = np.array([120, 160]), np.array([100, 5])
        >>> [round(histogram_quantile_ms(bins, n, share)) for share in (0.5, 0.99)]
        [103, 1047]
    """
    counts = np.bincount(bins, weights=n)
    ranks = np.cumsum(counts)
    if not ranks.size or not ranks[-1]:
        return None
    rank = share * ranks[-1]
    place = int(np.searchsorted(ranks, rank))
    inside = 1.0 - (ranks[place] - rank) / counts[place]
    return float(LATENCY_FIRST_MS * 10 ** ((place + inside) / LATENCY_BINS_PER_DECADE))


def _estimate(cells: LatencyCells) -> LatencyEstimate:
    median, most = (histogram_quantile_ms(cells.bin, cells.n, share) for share in (0.5, 0.95))
    return LatencyEstimate(int(cells.n.sum()), median, most)
