"""What pulling outcomes needs from outside is what its adapters offer."""

import time

from outcome_factory import files_plan
from undertow.adapters.outcomes.book import StoreOutcomes
from undertow.adapters.outcomes.database import DatabaseRows
from undertow.adapters.outcomes.files import DroppedFiles
from undertow.ports.outcomes import OutcomeBook, OutcomeSource, Place, StillWritten


def test_the_adapters_are_what_the_ports_ask_for(tmp_path):
    source: OutcomeSource = DroppedFiles(files_plan(tmp_path), time.time)
    other: OutcomeSource = DatabaseRows(files_plan(tmp_path, kind="sql"), {})
    book: OutcomeBook = StoreOutcomes(tmp_path)
    for port, adapters in ((OutcomeSource, (source, other)), (OutcomeBook, (book,))):
        names = [name for name in vars(port) if not name.startswith("_")]
        assert names
        assert all(callable(getattr(adapter, name)) for adapter in adapters for name in names)


def test_a_file_that_is_being_written_is_no_error_of_ours():
    from undertow.errors import UndertowError

    assert not issubclass(StillWritten, UndertowError)


def test_a_place_without_fingerprint_is_read_each_time():
    assert Place("query", None, ()).fingerprint is None
