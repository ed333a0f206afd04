"""Segments that appear mid-way, vanish, split or are renamed: told in words, since no chart of theirs can be compared across it.

A label is a name that somebody gives. When `billing` becomes `refund` on a Tuesday, nothing happened to the answers; the old name's chart ends
and the new one's begins. A segment is new if it is first seen after the log's first week, with a real share of the traffic; it is said to
come from another segment of the same key if that one lost about as many requests in the same days.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.records.cells import AuditCells
from undertow.records.segment import Segment

FloatArray = npt.NDArray[np.float64]

WINDOW_DAYS = 14
"""Days before and after that shares are compared over."""

SETTLING_DAYS = 7
"""In its first week a log shows what there is."""

MIN_SHARE = 0.005
"""Share of the traffic that bears the key from which on a new segment is worth a sentence."""

MIN_PER_DAY = 5.0
SAME_SHARE = 0.5
"""A segment lost the same share if it lost at least this part of the requests that the new one holds."""

MOST = 5
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """One segment that appeared or vanished.

    Attributes:
        segment: Which.
        at: First day on which it was seen, or the day after the last.
        appeared: It appeared; else it vanished.
        share: Its share of the key's traffic in the fortnight since (or before).
        from_segment: Segment that lost the same share then, or None.
        is_gone: That segment vanished with it: a rename; else it kept a part: a split.
    """

    segment: Segment
    at: datetime
    appeared: bool
    share: float
    from_segment: Segment | None = None
    is_gone: bool = False


def segment_changes(cells: AuditCells) -> tuple[SegmentChange, ...]:
    """What appeared and vanished, largest share first; a vanished segment that a new one explains is told with that one."""
    traffic = cells.traffic
    day = traffic.bucket * cells.bucket_s // _DAY_S
    first = int(day.min())
    size = int(day.max()) - first + 1
    if size <= SETTLING_DAYS + 1:
        return ()
    flat = traffic.segment * size + (day - first)
    counts = np.bincount(flat, weights=traffic.decisions.astype(np.float64), minlength=len(cells.segments) * size)
    n = counts.astype(np.float64).reshape(len(cells.segments), size)
    found: list[SegmentChange] = []
    for key in sorted({segment.key for segment in cells.segments if segment.key}):
        codes = [code for code, segment in enumerate(cells.segments) if segment.key == key]
        found += _of_key(cells, codes, n[codes], first)
    return tuple(sorted(found, key=lambda change: (-change.share, change.segment)))


def _of_key(cells: AuditCells, codes: list[int], n: FloatArray, first_day: int) -> list[SegmentChange]:
    size = n.shape[1]
    total = n.sum(0)
    seen = n > 0
    start = np.where(seen.any(1), seen.argmax(1), size)
    stop = np.where(seen.any(1), size - seen[:, ::-1].argmax(1), 0)

    def share(i: int, low: int, high: int) -> float:
        low, high = max(low, 0), min(high, size)
        whole = total[low:high].sum()
        return float(n[i, low:high].sum() / whole) if whole > 0 else 0.0

    def daily(i: int, low: int, high: int) -> float:
        low, high = max(low, 0), min(high, size)
        return float(n[i, low:high].sum() / max(high - low, 1))

    def at(row: int) -> datetime:
        return datetime.fromtimestamp((first_day + row) * _DAY_S, UTC)

    found: list[SegmentChange] = []
    explained: set[int] = set()
    for i, code in enumerate(codes):
        row = int(start[i])
        now, now_daily = share(i, row, row + WINDOW_DAYS), daily(i, row, row + WINDOW_DAYS)
        if not SETTLING_DAYS <= row < size or now < MIN_SHARE or now_daily < MIN_PER_DAY:
            continue
        # Requests, not shares: traffic that comes on top takes shares from everybody, and requests from nobody.
        lost = [daily(j, row - WINDOW_DAYS, row) - daily(j, row, row + WINDOW_DAYS) for j in range(len(codes))]
        lost[i] = 0.0
        givers = [j for j in range(len(codes)) if lost[j] >= SAME_SHARE * now_daily]
        if not givers:
            found.append(SegmentChange(cells.segments[code], at(row), True, now))
            continue
        # A name that ended there and then explains more than one that lost as much by chance.
        giver = max(givers, key=lambda j: (int(stop[j]) <= row + 1, lost[j]))
        gone = int(stop[giver]) <= row + 1
        explained |= {giver} if gone else set()
        found.append(SegmentChange(cells.segments[code], at(row), True, now, cells.segments[codes[giver]], gone))
    for i, code in enumerate(codes):
        row = int(stop[i])
        before = share(i, row - WINDOW_DAYS, row)
        # A segment seen now and then may only be between two visits.
        settled = size - row >= SETTLING_DAYS and daily(i, row - WINDOW_DAYS, row) >= MIN_PER_DAY
        if i not in explained and row > 0 and settled and before >= MIN_SHARE:
            found.append(SegmentChange(cells.segments[code], at(row), False, before))
    return found


def in_words(change: SegmentChange) -> str:
    """The change as a person would say it.

    Examples:
        >>> day = datetime(2026, 5, 3, tzinfo=UTC)
        >>> billing, refund = Segment("intent", "billing"), Segment("intent", "refund")
        >>> in_words(SegmentChange(refund, day, True, 0.1, billing, True))
        'segment intent=refund first seen on 3 May; intent=billing was last seen then and had the same share (10 %): a rename?'
        >>> in_words(SegmentChange(refund, day, True, 0.04, billing, False))
        'segment intent=refund first seen on 3 May; intent=billing lost the same share then (4 %): a split?'
        >>> in_words(SegmentChange(refund, day, False, 0.04))
        'segment intent=refund was last seen before 3 May (4 % of the traffic until then)'
    """
    when = f"{change.at.day} {change.at:%B}"
    share = f"{100 * change.share:.2g} %"
    if not change.appeared:
        return f"segment {change.segment} was last seen before {when} ({share} of the traffic until then)"
    told = f"segment {change.segment} first seen on {when}"
    if change.from_segment is None:
        return f"{told} ({share} of the traffic since then)"
    if change.is_gone:
        return f"{told}; {change.from_segment} was last seen then and had the same share ({share}): a rename?"
    return f"{told}; {change.from_segment} lost the same share then ({share}): a split?"


def notes_on_segments(cells: AuditCells) -> tuple[str, ...]:
    """Sentences for the report, the largest changes first."""
    changes = segment_changes(cells)
    told = [
        f"{in_words(change)} Each name is compared with its own days only." if change.from_segment else in_words(change)
        for change in changes[:MOST]
    ]
    left = len(changes) - len(told)
    return (*told, *([f"and {left} more segments appeared or vanished"] if left > 0 else []))
