"""A conversation stays where it was moved to for some turns, and longer where moving costs more than it saves."""

import pytest

from undertow.policies.sessions import CACHE_S, stays
from undertow.records.serving import TokenPrices
from undertow.records.session import LastTurn

TIERS = ("small", "medium", "large")


def prices(input_usd, output_usd, cached_usd):
    return TokenPrices(
        input_usd=input_usd, cached_usd=cached_usd, cache_write_usd=input_usd, audio_input_usd=input_usd,
        output_usd=output_usd, audio_output_usd=output_usd,
    )  # fmt: skip


CHEAP, CAPABLE = prices(1e-6, 4e-6, 1e-6), prices(1e-5, 4e-5, 1e-6)


def after(turns, tier="large", **changes):
    return LastTurn(tier, turns, **{"prompt_tokens": 10_000, "output_tokens": 200} | changes)


def moved(last, acceptance, cheap=CHEAP, capable=CAPABLE):
    return stays(last, TIERS, stay_turns=3, prompt_tokens=10_500, cheap=cheap, capable=capable, acceptance=acceptance)


@pytest.mark.parametrize(
    ("turns", "stay_turns", "stays_put"), [(0, 3, True), (2, 3, True), (3, 3, False), (0, 0, False)]
)
def test_turns(turns, stay_turns, stays_put):
    assert stays(after(turns), TIERS, stay_turns=stay_turns) is stays_put


@pytest.mark.parametrize("last", [None, after(0, "small"), after(0, "medium")])
def test_only_the_dearest_tier_keeps_a_conversation(last):
    assert not stays(last, TIERS, stay_turns=3)


def test_a_cached_prompt_keeps_it_where_little_is_served_cheaply():
    # Staying costs 10,000 * 1e-6 + 500 * 1e-5 + 200 * 4e-5 = .023; asking first .0113, and what is lost .09 a (1 - a).
    assert moved(after(9), 0.5)
    assert not moved(after(9), 0.95)


def test_without_a_cached_prompt_moving_pays_sooner():
    old = after(9, age_s=CACHE_S)
    assert not moved(old, 0.5)
    assert moved(old, 0.05)


def test_where_nothing_is_served_cheaply_it_stays_and_where_nothing_is_known_it_does_not():
    assert moved(after(9), 0.0)
    assert not moved(after(9), None)
    assert not moved(after(9), 0.0, cheap=None)
    assert not moved(after(9), 0.0, capable=None)


def test_the_sums_are_those_of_the_formula():
    last = after(9, prompt_tokens=1000, output_tokens=100)
    stay = 1000 * 1e-6 + 9500 * 1e-5 + 100 * 4e-5
    first = 10_500 * 1e-6 + 100 * 4e-6
    lost = 1000 * 9e-6
    for acceptance in (0.05, 0.1, 0.105, 0.11, 0.1124, 0.12, 0.2):
        expected = first + acceptance * (1 - acceptance) * lost >= acceptance * stay
        assert moved(last, acceptance) is expected
