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


def test_a_reservation_is_within_the_limit_or_adds_nothing(book):
    assert book.reserve("shadow", 0.75, 1.0, day=DAY)
    assert not book.reserve("shadow", 0.5, 1.0, day=DAY)
    assert not book.reserve("shadow", 0.25, 1.0, day="2026-02-28")
    assert book.read("shadow") == Spent(DAY, 0.75)
    assert book.reserve("shadow", 0.25, 1.0, day=DAY)
    assert book.read("shadow") == Spent(DAY, 1.0)


def test_calls_without_a_price_are_reserved_by_their_number(book):
    assert [book.reserve("shadow", 0.0, 1.0, day=DAY, unpriced=1, most_unpriced=2) for _ in range(3)] == [
        True,
        True,
        False,
    ]
    assert book.read("shadow") == Spent(DAY, 0.0, 2)
    assert book.reserve("shadow", 0.5, 1.0, day=DAY)  # one with a price is none of them
