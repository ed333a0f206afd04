"""What people's verdicts and a judge's say together of each tier and segment: the rows of the report."""

from undertow.estimators.anchored import anchored_loss
from undertow.records.anchor_grid import anchor_grid, judges_with_anchor
from undertow.records.cells import AuditCells
from undertow.records.report import AnchoredReport
from undertow.records.traffic_grid import bucket_range
from undertow.services.evidence import MIN_ANCHORED_LABELS, watched_segments


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
        sums = (grid.labelled[since:].sum(0), grid.unlabelled[since:].sum(0), grid.weight[since:].sum(0))
        estimate = anchored_loss(*sums, 1.0 - error / len(grids))
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
