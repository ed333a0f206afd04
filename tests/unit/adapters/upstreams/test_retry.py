import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.upstreams.retry import (
    BUDGET_FLOOR,
    FLOOR_REFILL_S,
    MAX_DELAY_S,
    RetryBudget,
    delay_s,
    is_retryable,
    parse_retry_after,
)
from undertow.ports.upstream import UpstreamFailedError


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_statuses_that_may_pass(status):
    assert is_retryable(UpstreamFailedError("status", status=status))


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 413, 422, 501, 505])
def test_statuses_that_stay(status):
    assert not is_retryable(UpstreamFailedError("status", status=status))


@pytest.mark.parametrize("kind", ["timeout", "cut", "garbage", "too_large", "breaker_open", "no_endpoint", "aborted"])
def test_what_may_have_been_answered_is_not_asked_again(kind):
    assert not is_retryable(UpstreamFailedError(kind))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"retry-after": b"2"}, 2.0),
        ({b"retry-after": b"0.5"}, 0.5),
        ({b"retry-after": b"-3"}, 0.0),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"inf"}, None),
        ({b"retry-after": b"\xff"}, None),
        ({b"retry-after": b""}, None),
        ({b"retry-after": b"Sun, 06 Nov 1994 08:49:37 GMT"}, 37.0),
        ({b"retry-after": b"Sun, 06 Nov 1994 08:00:00 GMT"}, 0.0),
        ({b"retry-after": b"Sun, 99 Nov 9999999 08:00:00 GMT"}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 0.25),
        ({b"retry-after-ms": b"soon", b"retry-after": b"9"}, 9.0),
    ],
)
def test_the_wait_that_an_endpoint_asks_for(headers, expected):
    assert parse_retry_after(headers, 784_111_740.0) == expected  # 1994-11-06 08:49:00


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_back_off_is_drawn_from_the_whole_range(retry, draw):
    assert 0 <= delay_s(retry, draw, None) <= MAX_DELAY_S
    assert delay_s(retry, 0.0, None) == 0


def test_a_wait_is_never_shorter_than_asked_for_and_a_long_one_is_given_up():
    assert delay_s(0, 0.0, 20.0) == 20.0
    assert delay_s(0, 0.9, 2.0) > 2.0
    assert delay_s(0, 0.0, 20.1) is None


@given(st.floats(0, 1), st.lists(st.booleans(), max_size=300))
def test_retries_stay_below_their_share_and_the_floor(share, wants):
    budget, requests, retries = RetryBudget(share, 0.0), 0, 0
    for wants_retry in wants:
        if wants_retry:
            retries += budget.withdraw(0.0)
        else:
            budget.deposit()
            requests += 1
        assert retries <= BUDGET_FLOOR + share * requests + 1e-6


def test_a_quiet_tier_gets_its_floor_back_but_no_more():
    budget = RetryBudget(0.1, 0.0)
    while budget.withdraw(0.0):
        pass
    assert not budget.withdraw(FLOOR_REFILL_S / BUDGET_FLOOR * 0.9)
    assert sum(budget.withdraw(1e9) for _ in range(50)) == BUDGET_FLOOR
