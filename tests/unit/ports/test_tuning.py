"""Every book of thresholds keeps the same rules, the one in memory that tests use and the one in a store's folder."""

import pytest

from tuning_factory import Book
from undertow.adapters.tuning.book import StoreBook
from undertow.ports.tuning import AlarmView, ThresholdBook
from undertow.records.calibration import ThresholdStates
from undertow.records.tuning import TuningEntry, TuningMemory


def entry(version):
    return TuningEntry(version=version, at="t", who="ann", policy="auto", tier="cheap", calibration_version="c", before=0.8, after=0.9, why="w")  # fmt: skip


@pytest.fixture(params=["memory", "folder"])
def book(request, tmp_path) -> ThresholdBook:
    return Book() if request.param == "memory" else StoreBook(tmp_path)


def test_an_empty_book_says_that_nothing_was_changed(book):
    with book.locked() as is_mine:
        assert is_mine
    assert (book.states(), book.memory(), book.history()) == (None, None, ())


def test_what_is_in_force_stays_where_a_run_changes_nothing_and_the_history_only_grows(book):
    states, memory = ThresholdStates(at="1"), TuningMemory(at="1")
    book.write(states, memory, [entry(1)])
    book.write(None, TuningMemory(at="2"), [])
    book.write(ThresholdStates(at="3"), memory, [entry(2), entry(2)])
    assert book.states() == ThresholdStates(at="3")
    assert book.memory() == memory
    assert [one.version for one in book.history()] == [1, 2, 2]


def test_a_view_without_alarms_says_that_they_were_looked_for():
    assert AlarmView() == AlarmView((), None)
