"""One holder at a time, and the lock is free again after it, however it ended."""

from threading import Event, Thread

import pytest

from undertow.adapters.one_writer import alone, in_turn


def test_the_second_is_told_so_and_the_next_gets_it(tmp_path):
    lock = tmp_path / "state" / "x.lock"
    with alone(lock) as first, alone(lock) as second:
        assert (first, second) == (True, False)
    with alone(lock) as later:
        assert later


def test_an_error_lets_go(tmp_path):
    with pytest.raises(ZeroDivisionError), alone(tmp_path / "x.lock"):
        _ = 1 / 0
    with alone(tmp_path / "x.lock") as later:
        assert later


def test_who_waits_for_his_turn_gets_it_when_the_other_is_done(tmp_path):
    lock, order, has_begun = tmp_path / "state" / "x.lock", [], Event()

    def later():
        has_begun.set()
        with in_turn(lock):
            order.append("second")

    with in_turn(lock):
        waiting = Thread(target=later)
        waiting.start()
        has_begun.wait(10)
        waiting.join(0.1)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]
