"""The ledger of a log: read with its money, and made into a book."""

from undertow.bootstrap.audit import AuditRequest, audit_settings, outcome_prices, read_cells
from undertow.ports.audit_source import Progress, silent
from undertow.records.money import Book
from undertow.services.ledger import make_book


def run_ledger(request: AuditRequest, progress: Progress = silent) -> Book:
    """The book of a log.

    Raises:
        LogError: Nothing readable.
        DataError: No live decision with a tier.
    """
    cells = read_cells(request, progress, money=True)
    return make_book(cells, audit_settings(request), outcome_prices(request.settings))
