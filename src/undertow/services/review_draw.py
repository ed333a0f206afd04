"""Draws a day of a log for review after the fact, where nothing was drawn while it was served."""

from dataclasses import dataclass
from datetime import date

from undertow.errors import DataError
from undertow.ports.review import DayLog
from undertow.records.review import DrawRow, KeptDraws
from undertow.sampling.batch import BatchRules, Cell, design_of, draw_batch


@dataclass(frozen=True, slots=True)
class DayDrawn:
    """What was drawn of a day.

    Attributes:
        day: The day.
        segment_key: Key of the segments that divide it, or None.
        decisions: Decisions of the day.
        cells: How many of each cell.
        kept: What was written; None: nothing, it was a dry run.
    """

    day: date
    segment_key: str | None
    decisions: int
    cells: tuple[Cell, ...]
    kept: KeptDraws | None

    @property
    def drawn(self) -> int:
        """Decisions drawn."""
        return sum(cell.drawn for cell in self.cells)


def draw_day(
    log: DayLog,
    day: date,
    rules: BatchRules,
    salt: str,
    *,
    at: str,
    segment_key: str | None = None,
    is_dry: bool = False,
) -> DayDrawn:
    """Draw from the decisions of a day, and write the draws.

    Args:
        log: The log.
        day: The UTC day.
        rules: How much, and where.
        salt: Of the hash by which is drawn.
        at: Now, RFC 3339.
        segment_key: Key of the segments that divide the day; None: the one that most decisions have.
        is_dry: Say what would be drawn, and write nothing.

    Raises:
        DataError: The day has no decisions, or was drawn already.
        LogError: The log cannot be read.
        OSError: The draws could not be written.
    """
    frame = log.read(day, segment_key)
    if not frame.candidates:
        raise DataError(f"the log has no served decision on {day} (UTC); name another --day")
    if frame.is_drawn:
        raise DataError(
            f"{day} was drawn for review already; a second draw would make the first one's inclusion probabilities wrong"
        )
    drawn = draw_batch(frame.candidates, rules, salt)
    design = design_of(frame.measured)
    tag = f"@{design}" if design > 1 else ""
    rows = [
        DrawRow(candidate.decision_id, f"{stratum}{tag}", probability, is_chosen)
        for candidate, stratum, probability, is_chosen in zip(
            frame.candidates, drawn.stratum, drawn.inclusion_probability.tolist(), drawn.chosen.tolist(), strict=True
        )
    ]
    kept = None if is_dry else log.keep(day, rows, at)
    return DayDrawn(day, frame.segment_key, len(frame.candidates), drawn.cells, kept)
