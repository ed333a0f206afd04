"""What people's verdicts and a judge's say together of each tier and segment: the rows of the report."""

import numpy as np
import numpy.typing as npt

from undertow.estimators.anchored import anchored_loss
from undertow.records.anchor_grid import AnchorGrid, anchor_grid, judges_with_anchor
from undertow.records.cells import AuditCells
from undertow.records.report import AnchoredReport
from undertow.records.traffic_grid import bucket_range
from undertow.services.evidence import MIN_ANCHORED_LABELS, watched_segments

FloatArray = npt.NDArray[np.float64]


PERIOD_LABELS = 50.0
"""Labelled pairs of each stratum in a period: the judge's part cancels in each by itself, so that a judge that drifts while people's
share of the pairs moves does no harm."""


def by_period(grid: AnchorGrid, since: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Counts from a bucket on, the strata of each period as strata of their own: what `anchored_loss` takes.

    A period ends once every stratum that it has traffic of has `PERIOD_LABELS` labelled pairs; what is left over goes to the last one.
    """
    labelled = grid.labelled[since:].sum((-1, -2))
    ends: list[int] = []
    start = 0
    for bucket in range(len(labelled)):
        block = slice(start, bucket + 1)
        is_used = grid.weight[since:][block].sum(0) > 0.0
        if is_used.any() and np.all(labelled[block].sum(0)[is_used] >= PERIOD_LABELS):
            ends.append(bucket + 1)
            start = bucket + 1
    begins = [0, *ends[:-1]]

    def summed(values: FloatArray) -> FloatArray:
        parts = np.add.reduceat(values[since:], begins, axis=0)
        return parts.reshape(-1, *values.shape[2:])

    return summed(grid.labelled), summed(grid.unlabelled), summed(grid.weight)


def anchored_losses(cells: AuditCells, error: float, since: int) -> tuple[AnchoredReport, ...]:
    """Losses on pairs by people and judge together.

    Args:
        cells: The log's sufficient statistics.
        error: That all intervals together may have; it is divided over those that are shown.
        since: First bucket, counted from the log's first, whose decisions count: the start of routing.

    Returns:
        Whole tiers first, then segments, largest loss first. Places with fewer than `MIN_ANCHORED_LABELS` pairs that people judged
        are left out.
    """
    judges = judges_with_anchor(cells)
    if not judges:
        return ()
    first, buckets = bucket_range(cells)
    judge = judges[0]
    human = int(cells.anchors.human[(cells.anchors.judge == judge) & (cells.anchors.human >= 0)][0])
    grids = {}
    for tier in range(len(cells.tiers) - 1):
        for segment in watched_segments(cells):
            grid = anchor_grid(cells, judge, tier, segment, first_bucket=first, buckets=buckets)
            if grid.labelled[since:].sum() >= MIN_ANCHORED_LABELS:
                grids[tier, segment] = grid
    found = []
    for (tier, segment), grid in grids.items():
        estimate = anchored_loss(*by_period(grid, since), 1.0 - error / len(grids))
        if estimate is not None:
            found.append(
                AnchoredReport(
                    tier=cells.tiers[tier],
                    segment=cells.segments[segment],
                    signal=cells.signals[human],
                    judge=cells.signals[judge],
                    loss=estimate.loss,
                    interval=(estimate.low, estimate.high),
                    human_interval=(estimate.human_low, estimate.human_high),
                    judge_loss=estimate.judge_loss,
                    labelled=round(estimate.labelled),
                    judged=round(estimate.judged),
                    worth=estimate.worth,
                )
            )
    return tuple(sorted(found, key=lambda row: (not row.segment.is_whole, -row.loss, str(row.segment))))
