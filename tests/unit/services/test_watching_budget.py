import asyncio

import pytest

from shadow_requests import BookInMemory
from undertow.services.watching_budget import CostForecast, WatchingBudget


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 120))


def call(usd, bound=None):
    return CostForecast(usd, usd if bound is None else bound)


def test_money_is_reserved_before_and_put_down_after():
    book = BookInMemory()

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, book)
        taken = await budget.reserve(call(0.5))
        held = book.read("shadow").usd
        await budget.settle(taken, 0.2)
        return held, book.read("shadow").usd, book.read("judge").usd

    assert run(scenario()) == (0.5, 0.2, 0.0)


def test_at_the_limit_nothing_is_granted_and_a_new_day_begins_anew():
    book = BookInMemory()

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, book)
        await budget.settle(await budget.reserve(call(0.9)), 0.95)
        refused = await budget.reserve(call(0.1))
        book.day = "2026-03-02"
        return refused, await budget.reserve(call(0.1))

    refused, granted = run(scenario())
    assert refused is None
    assert granted.day == "2026-03-02"


def test_an_answer_of_unknown_cost_stays_spent_at_its_estimate():
    book = BookInMemory()

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, book)
        await budget.settle(await budget.reserve(call(0.25)), None)

    run(scenario())
    assert book.read("shadow").usd == 0.25


@pytest.mark.parametrize("actual", [0.02, 0.1, 0.4, 3.0])
def test_many_at_a_time_overshoot_by_one_call_at_most(actual):
    """Whatever calls turn out to cost, up to their bound, the limit is passed by no more than one of them."""
    book, bound = BookInMemory(), 3.0
    under_way = most = granted = 0

    async def one(budget):
        nonlocal under_way, most, granted
        taken = await budget.reserve(call(0.02, bound))
        if taken is None:
            return
        under_way, granted = under_way + 1, granted + 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await budget.settle(taken, actual)

    async def scenario():
        budget = WatchingBudget("shadow", 10.0, book)
        await asyncio.gather(*(one(budget) for _ in range(1000)))

    run(scenario())
    spent = book.read("shadow").usd
    assert 10.0 - 0.02 < spent + 1e-9 < 10.0 + actual
    assert granted == pytest.approx(spent / actual)
    assert most == 3  # three bounds fit into the limit


def test_one_that_only_others_stand_in_the_way_of_waits_for_them():
    book = BookInMemory()

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, book)
        first = await budget.reserve(call(0.1, 0.9))
        second = asyncio.create_task(budget.reserve(call(0.1, 0.9)))
        await asyncio.sleep(0.01)
        was_waiting = not second.done()
        await budget.settle(first, 0.05)
        return was_waiting, await second

    was_waiting, taken = run(scenario())
    assert was_waiting
    assert taken is not None


def test_without_prices_calls_are_counted_and_bounded():
    book = BookInMemory()

    async def scenario():
        budget = WatchingBudget("shadow", 5.0, book, most_unpriced=3)
        return [await budget.reserve(None) is not None for _ in range(5)]

    assert run(scenario()) == [True, True, True, False, False]
    assert book.read("shadow").usd == 0.0


def test_a_limit_of_nothing_allows_what_is_free_alone():
    async def scenario():
        budget = WatchingBudget("shadow", 0.0, BookInMemory())
        return [await budget.reserve(forecast) is not None for forecast in (call(0.0), call(1e-9), None)]

    assert run(scenario()) == [True, False, False]


def test_nothing_is_granted_where_the_book_cannot_be_written():
    class Broken(BookInMemory):
        def add(self, *_args, **_kwargs):
            raise OSError(28, "full")

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, Broken())
        with pytest.raises(OSError, match="full"):
            await budget.reserve(call(0.1))

    run(scenario())
