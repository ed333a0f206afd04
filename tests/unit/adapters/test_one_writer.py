"""One holder at a time, and the lock is free again after it, however it ended."""

import pytest

from undertow.adapters.one_writer import alone


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
