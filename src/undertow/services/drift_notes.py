"""What is told of drift: of the few segments that moved, else of all traffic once."""

from dataclasses import dataclass

import numpy as np

from undertow.attribution.changes import changes_near
from undertow.detectors.drift import Drift
from undertow.records.cells import AuditCells
from undertow.records.report import Alarm
from undertow.services.drift_places import Place
from undertow.services.drift_quantities import Quantity, percent_text
from undertow.services.log_days import DAY_S, LogDays

FORTNIGHT_DAYS = 14
"""Days after the first crossing in which another place has moved with it."""

FEW_PLACES = 3
"""If more segments than this drift together, the warning is about all traffic."""

MOVED_PART = 0.6
"""A segment that came this far towards its own line when another place crossed has moved with it."""

_NOTHING_LOST = "no loss is measured by that: it says where to look, and a running keeper draws more reviews and shadow answers there"


@dataclass(frozen=True, slots=True)
class PlaceDrift:
    """A quantity in one place over one stretch of days between versions.

    Attributes:
        quantity: Which.
        place: Where.
        drift: What its test says of the stretch.
        start: The stretch's first day, counted from the log's.
    """

    quantity: Quantity
    place: Place
    drift: Drift
    start: int

    @property
    def row(self) -> int:
        """Day on which it crossed its line, counted from the log's first; the stretch's first where it did not."""
        return self.start + (self.drift.day or 0)


def told_of(cells: AuditCells, axis: LogDays, tested: list[PlaceDrift]) -> list[Alarm]:
    """Warnings of one quantity and stretch: of the few segments that moved, else of all traffic once.

    Args:
        cells: The log's sufficient statistics.
        axis: Its days.
        tested: Every place, whether it crossed its line or not.
    """
    crossed = [f for f in tested if f.drift.day is not None]
    if not crossed:
        return []
    segments = [f for f in tested if not f.place.segment.is_whole]
    first = min(f.row for f in crossed) - crossed[0].start
    moved = [f for f in segments if _moves(f.drift, first)]
    named = [f for f in crossed if not f.place.segment.is_whole]
    whole = next((f for f in crossed if f.place.codes == (0,)), None)
    if named and len(moved) <= FEW_PLACES and (len(moved) < len(segments) or whole is None):
        return [_warning(cells, axis, f) for f in named]
    if whole is not None:
        also = f", in {len(moved)} of {len(segments)} segments by themselves too" if moved else ""
        return [_warning(cells, axis, whole, also)]
    if named:
        leader = min(named, key=lambda f: f.row)
        return [_warning(cells, axis, leader, f", and in {len(moved) - 1} other segments too")]
    return [_warning(cells, axis, f) for f in crossed]


def _moves(drift: Drift, since: int) -> bool:
    """Whether a place came most of the way to its line in the fortnight after the first place crossed its own."""
    shown = np.nan_to_num(drift.statistic[since : since + FORTNIGHT_DAYS])
    return drift.day is not None or bool(drift.enough_history and shown.max(initial=0.0) >= MOVED_PART * drift.line)


def _warning(cells: AuditCells, axis: LogDays, found: PlaceDrift, also: str = "") -> Alarm:
    drift, quantity, row = found.drift, found.quantity, found.row
    moved = "moved"
    if drift.before is not None and drift.now is not None:
        verb = "rose" if drift.direction == "up" else "fell"
        unit = percent_text if drift.what == "tail" else quantity.unit
        moved = f"{verb} from {unit(drift.before)} to {unit(drift.now)}"
    where = f" in what is left of the segments of {found.place.rest_of}" if found.place.rest_of else ""
    low = (axis.first + max(row - FORTNIGHT_DAYS, found.start)) * DAY_S // cells.bucket_s
    high = (axis.first + row) * DAY_S // cells.bucket_s
    return Alarm(
        monitor=quantity.monitor,
        signal=quantity.signal or quantity.name,
        tier=quantity.tier,
        segment=found.place.segment,
        cause="unknown",
        basis="behaviour",
        detected_at=axis.time(row + 1),
        onset=None,
        onset_interval=None,
        loss=None,
        interval=None,
        evidence=None,
        kind="drift",
        note=f"{quantity.told[drift.what or 'mean']}{where} {moved}{also}; {_NOTHING_LOST}",
        changed_nearby=changes_near(cells, quantity.tier, low, high),
    )
