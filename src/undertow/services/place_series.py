"""One segment over time: quality by week of all tiers together and of each, and which tier served it."""

from dataclasses import dataclass

from undertow.estimators.series import quality_series, share_series
from undertow.records.cells import AuditCells
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.report import AuditSettings, Series
from undertow.records.segment import Segment
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.audit import main_unit


@dataclass(frozen=True, slots=True)
class PlaceSeries:
    """A segment over time.

    Attributes:
        segment: Which.
        decisions: Live decisions in it.
        signal: What quality is by, or None: there is no signal.
        quality: All tiers together first, then each tier that has labels in it.
        share: Share of its served requests per tier and day.
    """

    segment: Segment
    decisions: int
    signal: str | None
    quality: tuple[Series, ...]
    share: tuple[Series, ...]


def find_segment(cells: AuditCells, text: str) -> int | None:
    """Code of a segment by its text (`key=value`; `whole tier` or nothing is the whole tier), or None: there is none.

    Examples:
        >>> from types import SimpleNamespace
        >>> from undertow.records.segment import WHOLE
        >>> log = SimpleNamespace(segments=(WHOLE, Segment("intent", "a=b")))
        >>> find_segment(log, "intent=a=b"), find_segment(log, ""), find_segment(log, "intent=c")
        (1, 0, None)
    """
    if not text:
        return 0
    return next((code for code, segment in enumerate(cells.segments) if str(segment) == text), None)


def place_series(cells: AuditCells, settings: AuditSettings, segment: int) -> PlaceSeries:
    """Everything that changes over time in one segment.

    Args:
        cells: The log's sufficient statistics.
        settings: Level of the intervals, each week on its own.
        segment: Its code.
    """
    first, buckets = bucket_range(cells)
    place = cells.segments[segment]
    traffic = traffic_grid(cells, segment, first_bucket=first, buckets=buckets)
    unit = main_unit(signal_units(cells), settings)
    lines: list[Series] = []
    if unit is not None:
        grid = label_grid(cells, unit, segment, by="decided", first_bucket=first, buckets=buckets)
        every = range(len(cells.tiers))
        groups = [("all tiers", None, every), *((tier, tier, [code]) for code, tier in enumerate(cells.tiers))]
        lines = [
            quality_series(grid, tiers, name, tier, place, unit.name, settings.level, cells.bucket_s)
            for name, tier, tiers in groups
            if grid.n[:, list(tiers)].sum() > 0
        ]
    return PlaceSeries(
        place,
        int(traffic.decisions.sum()),
        None if unit is None else unit.name,
        tuple(lines),
        share_series(traffic, cells.tiers, cells.bucket_s, place),
    )
