"""What a store says of an audit beside its log: whether draws were what their probabilities say, and whether its judge has changed.

It is read from files of its own, so whoever audits the same log at many days reads it once.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from undertow.adapters.judges.book import JudgeBook
from undertow.adapters.store.draw_counts import draw_counts
from undertow.adapters.store.watching_calls import store_roots
from undertow.records.cells import AuditCells
from undertow.records.judged import AnchorResult
from undertow.records.report import AuditReport
from undertow.sampling.audit import draw_mismatches


@dataclass(frozen=True, slots=True)
class StoreNotes:
    """What the stores among the inputs of an audit say.

    Attributes:
        draws: Draws that are not what their probabilities say, a sentence each.
        anchors: Of each store whose judge was held against anchors, what it said of them.
    """

    draws: tuple[str, ...] = ()
    anchors: tuple[tuple[AnchorResult, ...], ...] = field(default=(), repr=False)


def store_notes(inputs: tuple[str, ...]) -> StoreNotes:
    """Read what the stores among some inputs say.

    Raises:
        OSError: Files of a store cannot be read.

    Examples:
        >>> store_notes(("nowhere",))
        StoreNotes(draws=())
    """
    roots = store_roots(inputs)
    books = (tuple(JudgeBook(root).results()) for root in roots)
    draws = tuple(str(found) for root in roots for found in draw_mismatches(draw_counts(root)))
    return StoreNotes(draws, tuple(results for results in books if results))


def with_store_notes(
    report: AuditReport, notes: StoreNotes, cells: AuditCells, until: datetime | None = None
) -> AuditReport:
    """The report with a note on its draws, and a warning where a judge has changed.

    Args:
        report: The audit of the cells.
        notes: What the stores say.
        cells: For the names of tiers and signals.
        until: Warnings later than this are left out; None: none is.
    """
    if notes.draws:
        report = replace(report, coverage=replace(report.coverage, notes=(*notes.draws, *report.coverage.notes)))
    if not notes.anchors:
        return report
    from undertow.detectors.judge_drift import judge_drift  # noqa: PLC0415 (scipy, which takes half a second)
    from undertow.detectors.multiplicity import judge_change_line  # noqa: PLC0415
    from undertow.services.judge_warning import judge_warning  # noqa: PLC0415

    line = judge_change_line(report.settings.horizon_days, report.settings.alpha, len(notes.anchors))
    found = [
        warning
        for results in notes.anchors
        if (warning := judge_warning(judge_drift(results, line=line), cells.tiers, cells.signals)) is not None
        and (until is None or warning.detected_at <= until)
    ]
    if not found:
        return report
    return replace(report, warnings=tuple(sorted([*report.warnings, *found], key=lambda each: each.detected_at)))
