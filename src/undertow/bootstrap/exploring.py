"""What single decisions of a log are found by."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from undertow.adapters.duckdb.exploring import DuckDbDecisionBook
from undertow.adapters.duckdb.inputs import LogInputs
from undertow.adapters.importers import detect_format
from undertow.adapters.store.sampled_text import find_sampled_text
from undertow.adapters.store.watching_calls import store_roots
from undertow.bootstrap.audit import AuditRequest
from undertow.ports.exploring import DecisionBook
from undertow.records.watched import SampledText

OWN_FORMAT = "undertow"


@dataclass(frozen=True, slots=True)
class Explorer:
    """Single decisions of a log.

    Attributes:
        format: Of the log; empty: it could not be told.
        book: Finds decisions; None: the log is in another program's format, whose rows are only read as a whole.
        roots: Stores among the inputs: they keep texts of decisions that were drawn for review.
    """

    format: str
    book: DecisionBook | None
    roots: tuple[Path, ...] = ()

    def text_of(self, decision_id: str, at: datetime) -> SampledText | None:
        """The text of a decision that was drawn for review, or None: there is none.

        Raises:
            OSError: A store cannot be read.
        """
        texts = (find_sampled_text(root, decision_id, at) for root in self.roots)
        return next((text for text in texts if text is not None), None)


def open_explorer(request: AuditRequest) -> Explorer:
    """What finds decisions of the log that an audit reads.

    Raises:
        LogError: There is nothing readable.
    """
    name = request.format
    if name == "auto":
        name = "csv" if request.map_file else detect_format(request.inputs[0]).format
    if name != OWN_FORMAT:
        return Explorer(name, None)
    book = DuckDbDecisionBook(LogInputs(request.inputs, timezone=request.timezone))
    return Explorer(name, book, store_roots(request.inputs))
