"""Which tier and segment a page is about: read from the address, and offered as choices of a form."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from starlette.requests import Request

from undertow.dashboard.pages import as_of, ui_of
from undertow.errors import UsageError
from undertow.records.cells import AuditCells
from undertow.records.cut import cut_cells
from undertow.records.segment import WHOLE, Segment
from undertow.reports.names import clip, plain, segment_name

MOST_SEGMENTS = 200
"""Segments that are offered, those with most traffic."""
MOST_OFFERED_TIERS = 50
LONGEST = 300
"""Characters of a name that an address holds; longer ones are offered nowhere."""

DAY_S = 86_400
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a form: as it stands in the address, and as it is shown."""

    value: str
    shown: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a page is about.

    Attributes:
        tier: The tier, or None: each of them.
        segment: The segment, or the whole tier.
        tiers, segments: What else may be chosen; the chosen ones are among them.
        left_out: Segments that are not offered.
    """

    tier: str | None
    segment: Segment
    tiers: tuple[Option, ...]
    segments: tuple[Option, ...]
    left_out: int

    @property
    def segment_value(self) -> str:
        """The segment as it stands in the address; empty: the whole tier."""
        return "" if self.segment.is_whole else str(self.segment)

    @property
    def words(self) -> str:
        """Where, for a heading."""
        tier = "every tier" if self.tier is None else f"tier {clip(self.tier, 28)}"
        return tier if self.segment.is_whole else f"{tier}, {segment_name(self.segment, 48)}"


def place_of(request: Request, cells: AuditCells) -> Place:
    """What the address asks for (`tier`, `segment`).

    Args:
        request: What was asked.
        cells: The log's sufficient statistics.

    Raises:
        UsageError: The log has no such tier or segment.
    """
    tier = request.query_params.get("tier") or None
    text = request.query_params.get("segment", "")
    key, _, value = text.partition("=")
    # A key may hold an equals sign itself.
    segment = WHOLE if not text else next((each for each in cells.segments if str(each) == text), Segment(key, value))
    if tier is not None and tier not in cells.tiers:
        raise UsageError(
            f"tier={plain(tier)[:60]!r}: the log has {', '.join(clip(name, 30) for name in cells.tiers[:6])}"
        )
    if segment not in cells.segments:
        raise UsageError(
            f"segment={plain(text)[:60]!r}: the log has no such segment; expected key=value, such as intent=billing"
        )
    traffic = cells.traffic
    n = np.bincount(traffic.segment, traffic.decisions, len(cells.segments))
    order = sorted(range(1, len(cells.segments)), key=lambda code: (-n[code], code))
    able = [code for code in order if len(str(cells.segments[code])) <= LONGEST]
    shown = [cells.segments[code] for code in able[:MOST_SEGMENTS]]
    if not segment.is_whole and segment not in shown:
        shown.append(segment)
    return Place(
        tier,
        segment,
        tuple(Option(name, clip(name, 40)) for name in cells.tiers[:MOST_OFFERED_TIERS] if len(name) <= LONGEST),
        tuple(Option(str(each), segment_name(each, 56)) for each in sorted(shown, key=str)),
        len(order) - len(shown),
    )


def cells_of(request: Request) -> AuditCells | None:
    """What the page's day knew: all cells, or those up to the end of the day in the address. None: nothing was read yet."""
    seen, day = ui_of(request).log.seen, as_of(request)
    if seen is None or day is None:
        return None if seen is None else seen.cells
    days = (day - EPOCH).days + 1
    return cut_cells(seen.cells, days * DAY_S // seen.cells.bucket_s)
