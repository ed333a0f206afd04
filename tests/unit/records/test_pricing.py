import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.records.answer import Usage
from undertow.records.pricing import cost_usd, prices_at
from undertow.records.serving import TokenPrices

LOW = TokenPrices(
    input_usd=1.0,
    cached_usd=0.1,
    cache_write_usd=1.25,
    audio_input_usd=3.0,
    output_usd=4.0,
    audio_output_usd=9.0,
)
counts = st.integers(-5, 1000)


def cost(**tokens: int) -> float:
    found = cost_usd((LOW,), Usage(**tokens))
    assert found is not None
    return found


def test_each_sort_has_its_price_and_each_token_is_counted_once():
    assert cost(input_tokens=10) == 10
    assert cost(input_tokens=10, cached_tokens=10) == pytest.approx(1)
    assert cost(input_tokens=10, cache_write_tokens=4) == pytest.approx(6 + 5)
    assert cost(input_tokens=10, audio_input_tokens=4) == pytest.approx(6 + 12)
    assert cost(output_tokens=10, reasoning_tokens=7) == 40
    assert cost(output_tokens=10, audio_output_tokens=10) == 90


def test_unknown_prices_are_not_free():
    assert cost_usd((), Usage(input_tokens=10)) is None
    assert cost() == 0


def test_reasoning_and_requests_may_have_prices_of_their_own():
    prices = msgspec.structs.replace(LOW, reasoning_usd=1.0, request_usd=0.5)
    assert cost_usd((prices,), Usage(output_tokens=10, reasoning_tokens=6)) == pytest.approx(0.5 + 16 + 6)


def test_the_length_of_the_prompt_decides_for_all_tokens():
    ladder = tuple(msgspec.structs.replace(LOW, above_input_tokens=n, output_usd=4.0 + n) for n in (0, 10, 20))
    assert [cost_usd(ladder, Usage(input_tokens=n, output_tokens=1)) - n for n in (9, 10, 19, 20, 99)] == [
        4,
        14,
        14,
        24,
        24,
    ]


@pytest.mark.parametrize(("input_tokens", "above"), [(0, 0), (9, 0), (10, 10), (19, 10), (20, 20), (10**9, 20)])
def test_the_prices_are_those_of_the_last_length_that_the_prompt_reaches(input_tokens, above):
    ladder = tuple(msgspec.structs.replace(LOW, above_input_tokens=n) for n in (0, 10, 20))
    assert prices_at(ladder, input_tokens) is ladder[(0, 10, 20).index(above)]


def test_the_first_prices_hold_for_any_shorter_prompt():
    only = msgspec.structs.replace(LOW, above_input_tokens=100)
    assert prices_at((only,), 0) is only


def test_without_prices_none_hold():
    assert prices_at((), 10) is None


@given(st.tuples(*[counts] * 7))
def test_whatever_an_upstream_reports_costs_no_less_than_nothing_and_no_more_than_the_dearest_sort(tokens):
    usage = Usage(*tokens)
    found = cost_usd((LOW,), usage)
    assert found is not None
    assert 0 <= found <= 3.0 * max(usage.input_tokens, 0) + 9.0 * max(usage.output_tokens, 0) + 1e-9
