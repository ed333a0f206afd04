"""Cells as they stood at an earlier time: what a log showed then, without reading it again."""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from undertow.records.cells import AuditCells, Table
from undertow.records.label_rows import LabelRows, no_label_rows

AnyTable = TypeVar("AnyTable", bound=Table)


def cut_cells(cells: AuditCells, bucket: int) -> AuditCells:
    """What was known before a bucket began: decisions made, and labels and outcomes that had come.

    As if the log had been read with `until` at that moment, but for what is of the whole log and has no time: latencies and counts of what was
    set aside stay as they are, and money by month is left out.

    Args:
        cells: Of the whole log.
        bucket: The first bucket that is left out.
    """
    until_s = float(bucket * cells.bucket_s)
    labels = cells.labels.take((cells.labels.available < bucket) & (cells.labels.decided < bucket))
    outcomes = cells.outcomes.take((cells.outcomes.available < bucket) & (cells.outcomes.bucket < bucket))
    traffic = _before(cells.traffic, bucket)
    last_event = min(cells.last_event, until_s - 1e-3)
    return replace(
        cells,
        traffic=traffic,
        confidence=_before(cells.confidence, bucket),
        models=_before(cells.models, bucket),
        labels=labels,
        calibration=_before(cells.calibration, bucket),
        outcomes=outcomes,
        exposure=_before(cells.exposure, bucket),
        calls=_before(cells.calls, bucket),
        skipped=_before(cells.skipped, bucket),
        anchors=cells.anchors.take(cells.anchors.available < bucket),
        watching=_before(cells.watching, bucket),
        review_time=_before(cells.review_time, bucket),
        money=None,
        behaviour=_before(cells.behaviour, bucket),
        novelty=_before(cells.novelty, bucket),
        scores=_before(cells.scores, bucket),
        rows=_rows_before(cells.rows, bucket),
        last_event=last_event,
        last_available=min(cells.last_available, until_s - 1e-3),
    )


def _before(table: AnyTable, bucket: int) -> AnyTable:
    return table.take(np.asarray(table.bucket) < bucket)  # type: ignore[attr-defined]


def _rows_before(rows: LabelRows, bucket: int) -> LabelRows:
    if not len(rows):
        return no_label_rows()
    keep = (rows.available < bucket) & (rows.decided < bucket)
    names = [name for name in LabelRows.__slots__ if isinstance(getattr(rows, name), np.ndarray)]
    return replace(rows, **{name: getattr(rows, name)[keep] for name in names})
