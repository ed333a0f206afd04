"""What the alarms of one log are told from: its cells, cut to what was known at a time."""

from dataclasses import dataclass
from datetime import UTC, datetime

from undertow.estimators.periods import Periods
from undertow.records.cells import AuditCells
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import TrafficGrid, traffic_grid


@dataclass(frozen=True, slots=True)
class Scene:
    """What the alarms of one log are told from."""

    cells: AuditCells
    settings: AuditSettings
    periods: Periods
    first: int
    buckets: int
    level: float

    def at(self, bucket: int) -> datetime:
        """Start of a bucket (counted from the log's first) as a time."""
        return datetime.fromtimestamp((self.first + bucket) * self.cells.bucket_s, UTC)

    def labels(self, unit: SignalUnit, segment: int, known_before: int | None, *, plain: bool = False) -> LabelGrid:
        """Labels by decision time, as known before a bucket (None: all); `plain` as in `label_grid`."""
        until = None if known_before is None else self.first + known_before
        return label_grid(
            self.cells,
            unit,
            segment,
            by="decided",
            first_bucket=self.first,
            buckets=self.buckets,
            until_available=until,
            plain=plain,
        )

    def traffic(self, segment: int) -> TrafficGrid:
        """Traffic of a segment."""
        return traffic_grid(self.cells, segment, first_bucket=self.first, buckets=self.buckets)
