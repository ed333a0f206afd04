"""Where drift is watched: all traffic, segments with enough of it, and what is left of a key; and what each is worth of a budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.ewma import FIRST_DAYS
from undertow.detectors.multiplicity import RESERVE, late_share
from undertow.records.cells import AuditCells, Table
from undertow.records.segment import WHOLE, Segment
from undertow.services.log_days import LogDays

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_SEGMENT_N = 50
"""Decisions a day, on half the days of a fortnight, from which on a segment is watched by itself."""

MOST_SEGMENTS = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quantity is watched.

    Attributes:
        segment: The segment; `WHOLE` for all traffic and for what is left of a key.
        codes: Segments whose sums it is made of.
        rest_of: Key of which this is what is left, or empty.
        since: First day (from the log's first) with enough traffic; decides its part of the budget, never what comes later.
    """

    segment: Segment
    codes: tuple[int, ...]
    rest_of: str = ""
    since: int = 0


def watched_places(cells: AuditCells, first_day: int, days: int) -> tuple[Place, ...]:
    """All traffic, the segments with enough traffic, and what is left of each key, in that order.

    Args:
        cells: The log's sufficient statistics.
        first_day: First day of the log, since 1970.
        days: How many days it has.
    """
    axis = LogDays(first_day, days)
    every = tuple(Place(segment, (code,)) for code, segment in enumerate(cells.segments))
    n = place_sums(cells, axis, every, cells.traffic, "decisions")
    enough = (n >= MIN_SEGMENT_N).astype(np.float64)
    # A fortnight, half of whose days have enough.
    window = np.lib.stride_tricks.sliding_window_view(enough, min(14, days), axis=1).sum(-1) >= min(7, days / 2)
    busy = {code: int(np.argmax(window[code])) for code in range(1, len(every)) if window[code].any()}
    kept = sorted(busy, key=lambda code: (-n[code].sum(), code))[:MOST_SEGMENTS]
    places = [Place(WHOLE, (0,))]
    places += [Place(cells.segments[code], (code,), since=busy[code]) for code in sorted(kept)]
    for key in sorted({segment.key for segment in cells.segments if segment.key}):
        left = tuple(c for c, s in enumerate(cells.segments) if s.key == key and c not in kept)
        if left and n[list(left)].sum(0).max(initial=0) >= MIN_SEGMENT_N:
            places.append(Place(WHOLE, left, rest_of=key))
    return tuple(places)


def place_weights(places: Sequence[Place]) -> tuple[float, ...]:
    """Part of a quantity's budget of each place, in all at most 1.

    Examples:
        >>> some = (Place(WHOLE, (0,)), Place(Segment("a", "b"), (1,)), Place(Segment("a", "c"), (2,), since=40))
        >>> [round(weight, 4) for weight in place_weights(some)]
        [0.5, 0.475, 0.0125]
    """
    parts = [place for place in places if place.codes != (0,)]
    if not parts:
        return (1.0,) * len(places)
    known = [place for place in parts if place.since < FIRST_DAYS]
    later = sorted({place.since for place in parts if place.since >= FIRST_DAYS})

    def of(place: Place) -> float:
        if place.codes == (0,):
            return 0.5
        if place.since < FIRST_DAYS:
            return 0.5 * (1.0 - RESERVE) / len(known)
        together = sum(other.since == place.since for other in parts)
        return 0.5 * RESERVE * late_share(1 + later.index(place.since)) / together

    return tuple(of(place) for place in places)


def place_sums(
    cells: AuditCells, axis: LogDays, places: Sequence[Place], table: Table, column: str, bins: int = 0
) -> FloatArray:
    """Sums of a column per place and day (and bin), tiers together. Shape (P, T) or (P, T, B)."""
    of: IntArray = np.full(len(cells.segments), -1, dtype=np.int64)
    for i, place in enumerate(places):
        of[list(place.codes)] = i
    place = of[table.segment]  # type: ignore[attr-defined]
    row = axis.rows(table.bucket, cells.bucket_s)  # type: ignore[attr-defined]
    keep = (place >= 0) & (row >= 0) & (row < axis.size)
    shape = (len(places), axis.size, bins) if bins else (len(places), axis.size)
    at = (place[keep], row[keep], table.bin[keep]) if bins else (place[keep], row[keep])  # type: ignore[attr-defined]
    flat = np.ravel_multi_index(at, shape)
    weights = getattr(table, column)[keep].astype(np.float64)
    return np.bincount(flat, weights=weights, minlength=int(np.prod(shape))).astype(np.float64).reshape(shape)
