import pytest

from undertow.adapters.upstreams.breaker import MAX_OPEN_S, Breaker


def opened(failures=3, open_s=10.0):
    breaker = Breaker(failures, open_s)
    for _ in range(failures):
        breaker.failed(0.0)
    assert breaker.state == "open"
    return breaker


def test_only_failures_in_a_row_open_it():
    breaker = Breaker(3, 10.0)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state == "closed"
    for _ in range(3):
        assert breaker.admit(0.0)
        breaker.failed(0.0)
    assert not breaker.admit(9.9)


def test_after_the_wait_one_probe_is_let_through():
    breaker = opened()
    assert breaker.admits(10.0)
    assert breaker.state == "open"  # asking whether changes nothing
    assert breaker.admit(10.0)
    assert not breaker.admits(10.0)
    assert not breaker.admit(1_000.0)
    breaker.succeeded()
    assert breaker.admit(10.0)
    assert breaker.state == "closed"


def test_each_failed_probe_doubles_the_wait_up_to_a_bound():
    breaker, now_s, waits = opened(), 0.0, []
    for _ in range(5):
        wait_s = next(step / 2 for step in range(1_000) if breaker.admits(now_s + step / 2))
        waits.append(wait_s)
        now_s += wait_s
        assert breaker.admit(now_s)
        breaker.failed(now_s)
    assert waits == [10.0, 20.0, 40.0, MAX_OPEN_S, MAX_OPEN_S]


def test_a_recovery_makes_the_wait_short_again():
    breaker = opened()
    breaker.admit(10.0)
    breaker.failed(10.0)
    breaker.admit(30.0)
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(40.0)
    assert not breaker.admits(49.9)
    assert breaker.admits(50.0)


def test_an_abandoned_probe_frees_its_place():
    breaker = opened()
    breaker.admit(10.0)
    breaker.abandoned()
    assert breaker.admit(10.0)


@pytest.mark.parametrize("late", [lambda breaker: breaker.succeeded(), lambda breaker: breaker.failed(5.0)])
def test_results_of_requests_under_way_do_not_move_an_open_breaker(late):
    breaker = opened()
    late(breaker)
    assert not breaker.admits(9.9)
    assert breaker.admits(10.0)


def test_the_time_of_the_last_failure_is_known():
    breaker = Breaker(3, 10.0)
    assert breaker.last_failed_s == float("-inf")
    breaker.failed(7.0)
    assert breaker.last_failed_s == 7.0
