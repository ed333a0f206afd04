"""What every book of decisions must do: the same rows whatever the size of a page, and one is found with its day or without."""

import pytest

from explorer_factory import NOON, some, write_store
from undertow.adapters.duckdb.exploring import DuckDbDecisionBook
from undertow.adapters.duckdb.inputs import LogInputs
from undertow.ports.exploring import DecisionBook
from undertow.records.exploring import DecisionFilter


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> DecisionBook:
    return DuckDbDecisionBook(LogInputs((str(write_store(tmp_path_factory.mktemp("log") / "store", *some())),)))


def every(book, wanted, limit):
    after, found = None, []
    while True:
        page = book.page(wanted, after, limit, with_text=False)
        assert len(page.rows) <= limit
        found += [row.decision_id for row in page.rows]
        after = page.after
        if after is None:
            return found


@pytest.mark.parametrize("wanted", [DecisionFilter(), DecisionFilter(tier="cheap")])
def test_the_size_of_a_page_changes_no_row_and_no_order(book, wanted):
    whole = every(book, wanted, 1_000)
    assert whole
    assert len(whole) == len(set(whole))
    assert every(book, wanted, 7) == whole


def test_one_is_found_with_its_day_and_without_and_not_where_it_is_not(book):
    first = book.page(DecisionFilter(), None, 1, with_text=False).rows[0]
    for day in (NOON.date(), None):
        found = book.one(first.decision_id, day)
        assert found is not None
        assert found.record.decision_id == first.decision_id
    assert book.one("nowhere", None) is None
