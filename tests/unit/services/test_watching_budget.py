import asyncio
import multiprocessing
from pathlib import Path

import pytest

from shadow_requests import BookInMemory
from undertow.adapters.store.watching_spend import StoreSpendBook
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
        def reserve(self, *_args, **_kwargs):
            raise OSError(28, "full")

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, Broken())
        with pytest.raises(OSError, match="full"):
            await budget.reserve(call(0.1))

    run(scenario())


def test_what_another_process_took_meanwhile_is_not_taken_twice():
    class Rival(BookInMemory):
        """Between this process's look and its reservation another takes what is left."""

        def reserve(self, purpose, *args, **kwargs):
            self.sums[self.day, purpose] = (0.95, 0)
            return super().reserve(purpose, *args, **kwargs)

    book = Rival()

    async def scenario():
        return await WatchingBudget("shadow", 1.0, book).reserve(call(0.1))

    assert run(scenario()) is None
    assert book.read("shadow").usd == 0.95


def test_a_book_that_says_no_for_its_own_reasons_ends_it():
    class No(BookInMemory):
        def reserve(self, *_args, **_kwargs):
            return False

    async def scenario():
        budget = WatchingBudget("shadow", 1.0, No())
        return await budget.reserve(call(0.1)), await budget.reserve(None)

    assert run(scenario()) == (None, None)


def race(roots, barrier, granted, is_priced):
    """In each store, all processes at once: take what can be taken; every call costs what it was to cost."""

    async def take(root):
        budget = WatchingBudget("shadow", 1.0, StoreSpendBook(Path(root), clock=lambda: 0.0), most_unpriced=1)
        count = 0
        while (taken := await budget.reserve(call(1.0) if is_priced else None)) is not None:
            await budget.settle(taken, None)
            count += 1
        return count

    for root in roots:
        barrier.wait(60)
        granted.put((root, asyncio.run(take(root))))


@pytest.mark.parametrize("is_priced", [True, False])
def test_processes_that_race_never_overspend_together(tmp_path, is_priced):
    context = multiprocessing.get_context("spawn")
    roots = [str(tmp_path / str(number)) for number in range(60)]
    barrier, granted = context.Barrier(4), context.Queue()
    racers = [context.Process(target=race, args=(roots, barrier, granted, is_priced)) for _ in range(4)]
    for racer in racers:
        racer.start()
    counts = dict.fromkeys(roots, 0)
    for _ in range(4 * len(roots)):
        root, count = granted.get(timeout=60)
        counts[root] += count
    for racer in racers:
        racer.join(60)
    assert set(counts.values()) == {1}  # of 1.00, or one without a price
    sums = [StoreSpendBook(Path(root), clock=lambda: 0.0).read("shadow") for root in roots]
    assert all((each.usd, each.unpriced) == ((1.0, 0) if is_priced else (0.0, 1)) for each in sums)
