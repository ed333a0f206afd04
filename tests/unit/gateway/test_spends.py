import subprocess
import sys
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.gateway.spends import DAY_S, Spends

NOON = 20_000 * DAY_S + 43_200.0


@pytest.fixture
def opened(tmp_path):
    """A function that opens one more worker's spends on the same folder."""
    everything = []

    def open_one():
        everything.append(Spends(tmp_path / "state" / "spends", look_every_s=0.0))
        return everything[-1]

    yield open_one
    for spends in everything:
        spends.close()


def test_workers_see_what_the_others_spent(opened):
    first, second = opened(), opened()
    assert first.slot != second.slot
    first.add("team", 1.5, NOON)
    second.add("team", 0.25, NOON)
    second.add("other", 9.0, NOON)
    assert first.spent_usd("team", NOON) == second.spent_usd("team", NOON) == 1.75


def test_a_day_begins_with_nothing_spent_and_keeps_nothing_of_the_day_before_yesterday(opened):
    spends = opened()
    spends.add("team", 1.0, NOON)
    assert spends.spent_usd("team", NOON + DAY_S) == 0
    spends.add("team", 2.0, NOON + DAY_S)
    assert spends.spent_usd("team", NOON + DAY_S) == 2.0
    assert spends.spent_usd("team", NOON + 2 * DAY_S) == 0
    spends.add("team", 4.0, NOON + 2 * DAY_S)
    assert spends.spent_usd("team", NOON + 2 * DAY_S) == 4.0


def test_the_sum_survives_restarts_with_other_numbers_of_workers(tmp_path):
    for workers in (3, 1, 5):
        everything = [Spends(tmp_path, look_every_s=0.0) for _ in range(workers)]
        for spends in everything:
            spends.add("team", 1.0, NOON)
        for spends in everything:
            spends.close()
    last = Spends(tmp_path, look_every_s=0.0)
    assert last.spent_usd("team", NOON) == 9.0
    last.close()


def test_a_dead_process_gives_its_slot_back_and_its_spends_stay(tmp_path):
    program = (
        "import os, sys; from undertow.gateway.spends import Spends\n"
        f"Spends(sys.argv[1]).add('team', 2.0, {NOON}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    spends = Spends(tmp_path, look_every_s=0.0)
    assert (spends.slot, spends.spent_usd("team", NOON)) == (0, 2.0)
    spends.close()


def test_names_of_keys_are_no_paths(opened, tmp_path):
    spends = opened()
    spends.open(["../../evil", "a/b"])
    spends.add("../../evil", 1.0, NOON)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".spend", ".lock"}
    assert spends.spent_usd("a/b", NOON) == 0


def test_a_limit_holds_over_all_workers_and_says_when_to_come_back(opened):
    first, second = opened(), opened()
    allowed = [worker.allow_request("team", 5, NOON) for worker in (first, second) * 3]
    assert allowed[:5] == [0] * 5
    wait_s = allowed[5]
    assert wait_s > 0
    assert second.allow_request("team", 5, NOON + wait_s - 0.5) > 0
    assert second.allow_request("team", 5, NOON + wait_s + 0.001) == 0


@given(
    limit=st.integers(1, 20),
    gaps_s=st.lists(st.floats(0, 40), min_size=1, max_size=120),
    workers=st.lists(st.integers(0, 2), min_size=1, max_size=7),
)
@settings(max_examples=60, deadline=None)
def test_never_more_than_twice_the_limit_in_any_minute_and_a_refusal_names_a_time_that_works(
    tmp_path_factory, limit, gaps_s, workers
):
    everything = [Spends(tmp_path_factory.mktemp("spends"), look_every_s=0.0) for _ in range(1)]
    everything += [Spends(everything[0]._folder, look_every_s=0.0) for _ in range(2)]
    now, recent = NOON, deque()
    by_minute: dict[int, int] = {}
    for index, gap_s in enumerate(gaps_s):
        now += gap_s
        wait_s = everything[workers[index % len(workers)]].allow_request("k", limit, now)
        if wait_s:
            assert wait_s <= 120
            now += wait_s + 0.001
            assert everything[0].allow_request("k", limit, now) == 0
        recent.append(now)
        by_minute[int(now // 60)] = by_minute.get(int(now // 60), 0) + 1
        while recent[0] <= now - 60:
            recent.popleft()
        assert len(recent) < 2 * limit + 1
    assert max(by_minute.values()) <= limit
    for spends in everything:
        spends.close()


@given(
    spent=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(0, 1e6)), max_size=60),
)
@settings(max_examples=40, deadline=None)
def test_the_sum_of_a_day_is_what_was_added_on_it_by_whomever(tmp_path_factory, spent):
    folder = tmp_path_factory.mktemp("spends")
    everything = [Spends(folder, look_every_s=0.0) for _ in range(4)]
    spent = sorted(spent, key=lambda one: one[1])
    for worker, day, usd in spent:
        everything[worker].add("k", usd, NOON + day * DAY_S)
    last_day = max((day for _, day, _ in spent), default=0)
    for spends in everything:
        expected = sum(usd for _, day, usd in spent if day == last_day)
        assert spends.spent_usd("k", NOON + last_day * DAY_S) == pytest.approx(expected)
        spends.close()
