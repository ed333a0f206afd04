"""The report of a week, from a log and from what stands beside it in a store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.store.watching_calls import store_roots
from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells
from undertow.bootstrap.reviewing import open_desk, review_rules
from undertow.config.settings import Settings
from undertow.errors import DataError
from undertow.ports.audit_source import Progress, silent
from undertow.records.weekly import WeekReport
from undertow.services.weekly import Beside, week_report

WEEK = timedelta(days=7)


def run_week(request: AuditRequest, progress: Progress = silent) -> WeekReport:
    """The report of the last seven days of a log.

    Args:
        request: What to audit; `until` is the end of the week. None: the midnight after the log's last decision.
        progress: Told what is done.

    Raises:
        LogError: Nothing readable.
        DataError: No live decision with a tier before the end.
    """
    cells = read_cells(request, progress)
    end = request.until or _midnight_after(cells.last_event)
    start = end - WEEK
    now = audit_cells(request, cells)
    earlier = replace(request, until=start)
    progress("the week before", 0, None)
    try:
        before = audit_cells(earlier, read_cells(earlier, progress))
    except DataError:
        before = None  # the log began this week
    return week_report(cells, now, before, end, start, _beside(request))


def _midnight_after(seconds: float) -> datetime:
    day = datetime.fromtimestamp(seconds, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def _beside(request: AuditRequest) -> Beside:
    roots = store_roots(request.inputs)
    if not roots:
        return Beside()
    book = StoreGuardBook(roots[0])
    memory = book.memory()
    found = Beside(book.trail(), 0 if memory is None else len(memory.suggested))
    return _with_reviews(found, roots[0], request.settings, request.id_key)


def _with_reviews(found: Beside, store: Path, settings: Settings, key: bytes | None) -> Beside:
    if not (store / "sampled").is_dir():
        return found
    try:
        with open_desk(store, review_rules(settings), id_key=key) as (desk, _):
            status = desk.status()
    except OSError:
        return found  # a copy that cannot be written to: the desk needs its lock
    found = replace(found, queue=status.queue.items)
    if status.agreement is None:
        return found
    return replace(
        found, agreement=status.agreement.alpha, agreement_interval=(status.agreement.low, status.agreement.high)
    )
