"""Quality over time of any signal, tier and segment: what the audit draws of its main signal, for whatever a reader asks for."""

from undertow.estimators.series import WEEK_S, quality_series
from undertow.records.cells import AuditCells
from undertow.records.label_grid import SignalUnit, label_grid, signal_units
from undertow.records.report import AuditSettings, Series
from undertow.records.segment import WHOLE, Segment
from undertow.records.traffic_grid import bucket_range
from undertow.services.audit import main_unit

MOST_TIERS = 7
"""Tiers of which each has a line."""


def line_unit(cells: AuditCells, settings: AuditSettings, signal: str) -> SignalUnit | None:
    """The labels of a signal that a line is drawn of, or None: there are none.

    A name may stand for several kinds of evidence, which are never mixed: that which the audit rests on, else that with most labels.

    Args:
        cells: The log's sufficient statistics.
        settings: Of the audit.
        signal: Its name, `kind.name`.
    """
    units = signal_units(cells)
    main = main_unit(units, settings)
    if main is not None and main.name == signal:
        return main
    return next((unit for unit in units if unit.name == signal), None)


def quality_lines(
    cells: AuditCells,
    unit: SignalUnit,
    level: float,
    tier: str | None = None,
    segment: Segment = WHOLE,
    step_s: int = WEEK_S,
) -> tuple[Series, ...]:
    """Mean quality per period of decision, a line a tier, all tiers together first.

    Args:
        cells: The log's sufficient statistics.
        unit: Labels that are counted.
        level: Of all bands of all lines together: with this probability every one of them holds, whenever one looks.
        tier: Of this tier alone, beside a line to compare it with: all tiers together, or the whole tier where a segment is asked for.
            None: of each tier.
        segment: Requests that are counted.
        step_s: Length of a period in seconds.

    Returns:
        Lines with at least one label; none where the log does not know the tier or the segment.
    """
    if segment not in cells.segments or (tier is not None and tier not in cells.tiers):
        return ()
    first, buckets = bucket_range(cells)
    every = tuple(range(len(cells.tiers)))
    places: list[tuple[str | None, Segment, tuple[int, ...]]] = []
    if tier is None:
        places.append((None, segment, every))
        places += [(name, segment, (code,)) for code, name in enumerate(cells.tiers[:MOST_TIERS])]
    else:
        code = (cells.tiers.index(tier),)
        places.append((None, WHOLE, every) if segment.is_whole else (tier, WHOLE, code))
        places.append((tier, segment, code))
    periods = -(-buckets // max(1, step_s // cells.bucket_s))
    each = 1.0 - (1.0 - level) / (len(places) * periods)
    grids = {
        asked: label_grid(cells, unit, cells.segments.index(asked), by="decided", first_bucket=first, buckets=buckets)
        for asked in dict.fromkeys(asked for _, asked, _ in places)
    }
    lines = [
        quality_series(grids[asked], codes, of or "all tiers", of, asked, unit.name, each, cells.bucket_s, step_s)
        for of, asked, codes in places
    ]
    return tuple(line for line in lines if any(point.n > 0 for point in line.points))
