"""What every book must do, whether it is the store's or a test's."""

import pytest

from shadow_requests import BookInMemory
from undertow.adapters.store.watching_spend import StoreSpendBook
from undertow.ports.watching import Spent

DAY = "2026-03-01"


@pytest.fixture(params=["store", "memory"])
def book(request, tmp_path):
    return StoreSpendBook(tmp_path, clock=lambda: 1_772_366_400.0) if request.param == "store" else BookInMemory(DAY)


def test_purposes_are_kept_apart(book):
    book.add("shadow", 0.5)
    book.add("judge", 0.25, unpriced=1)
    assert book.read("shadow") == Spent(DAY, 0.5, 0)
    assert book.read("judge") == Spent(DAY, 0.25, 1)
    assert book.read("other") == Spent(DAY)


def test_adding_tells_the_sum_and_what_was_reserved_can_be_taken_back(book):
    assert book.add("shadow", 0.5) == Spent(DAY, 0.5)
    assert book.add("shadow", -0.25, day=DAY) == Spent(DAY, 0.25)
    assert book.add("shadow", -9.0).usd == 0.0


def test_another_days_change_is_none_of_todays(book):
    book.add("shadow", 0.5)
    assert book.add("shadow", -0.5, day="2026-02-28").usd == 0.5
