"""The days of a log, whatever its buckets, and those on which a new version began to serve."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.attribution.changes import dated_changes
from undertow.records.cells import AuditCells

IntArray = npt.NDArray[np.int64]

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class LogDays:
    """Days of a log; a row is a day counted from its first.

    Attributes:
        first: The first day, in days since 1970.
        size: How many there are.

    Examples:
        >>> days = LogDays(20_513, 30)
        >>> f"{days.time(0):%A %d %B %Y}", days.weekday(0), days.rows(np.array([20_515 * 24]), 3_600).tolist()
        ('Sunday 01 March 2026', 6, [2])
    """

    first: int
    size: int

    def rows(self, bucket: IntArray, bucket_s: int) -> IntArray:
        """Days of buckets (counted from 1970), from the log's first on."""
        return bucket * bucket_s // DAY_S - self.first

    def weekday(self, row: int) -> int:
        """0 = Monday (1970-01-01 was a Thursday)."""
        return (self.first + row + 3) % 7

    def time(self, row: int) -> datetime:
        """Start of a day, UTC."""
        return datetime.fromtimestamp((self.first + row) * DAY_S, UTC)


def version_starts(cells: AuditCells, axis: LogDays, kinds: frozenset[str]) -> list[int]:
    """Rows on which a version of one of these kinds began to serve."""
    rows = {int(c.at.timestamp()) // DAY_S - axis.first for c in dated_changes(cells) if c.kind in kinds}
    return sorted(row for row in rows if 0 < row < axis.size)
