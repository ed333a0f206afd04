from datetime import UTC, date, datetime

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.prices.serving import UNLISTED, flat_prices, listed_model
from undertow.records.answer import Usage
from undertow.records.pricing import cost_usd

DAY = date(2026, 11, 2)
MODELS = {  # what each of them has beside prices of input and output
    "gpt-4o-mini": "https://api.openai.com/v1",  # cached
    "gpt-realtime": "https://api.openai.com/v1",  # audio both ways
    "gemini-2.0-flash": "https://generativelanguage.googleapis.com/v1beta/openai",  # cached, audio in
    "gemini-2.5-pro": "https://generativelanguage.googleapis.com/v1beta/openai",  # a step at 200,000
    "claude-haiku-4-5": "https://api.anthropic.com/v1",  # cache writes
    "qwen/qwen3-coder-flash": "https://openrouter.ai/api/v1",  # two steps
    "perplexity/sonar-deep-research": "https://openrouter.ai/api/v1",  # reasoning
    "sonar": "https://api.perplexity.ai",  # requests
}


@st.composite
def usages(draw) -> Usage:
    """Usages whose parts fit into the whole, at all lengths of prompt."""
    sorts = [draw(st.integers(0, 90_000)) for _ in range(4)]
    answer = [draw(st.integers(0, 20_000)) for _ in range(3)]
    return Usage(
        input_tokens=sum(sorts),
        cached_tokens=sorts[1],
        cache_write_tokens=sorts[2],
        audio_input_tokens=sorts[3],
        output_tokens=sum(answer),
        reasoning_tokens=answer[1],
        audio_output_tokens=answer[2],
    )


def listed_cost(model: str, url: str, usage: Usage) -> float:
    """What the price list itself makes of a usage; none of the cached tokens are audio."""
    tokens = ListUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        input_audio_tokens=usage.audio_input_tokens,
        cache_audio_read_tokens=0,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        output_audio_tokens=usage.audio_output_tokens,
    )
    at = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    return float(calc_price(tokens, model, provider_api_url=url, genai_request_timestamp=at).total_price)


@pytest.mark.parametrize(("model", "url"), MODELS.items())
@given(usage=usages())
def test_a_usage_costs_what_the_price_list_says(model, url, usage):
    prices = listed_model(model, (url,), DAY).prices
    assert cost_usd(prices, usage) == pytest.approx(listed_cost(model, url, usage), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("model", "steps"), [("gemini-2.5-pro", (0, 200_001)), ("qwen/qwen3-coder-flash", (0, 32_001, 128_001))]
)
def test_a_step_begins_right_where_the_list_has_it(model, steps):
    url = MODELS[model]
    prices = listed_model(model, (url,), DAY).prices
    assert tuple(price.above_input_tokens for price in prices) == steps
    for tokens in (steps[-1] - 1, steps[-1]):
        usage = Usage(input_tokens=tokens)
        assert cost_usd(prices, usage) == pytest.approx(listed_cost(model, url, usage))


def test_the_address_decides_among_providers_and_an_unknown_one_leaves_the_name_to_decide():
    direct = listed_model("gpt-4o-mini", (), DAY)
    assert listed_model("gpt-4o-mini", ("http://127.0.0.1:4000/v1",), DAY) == direct
    assert listed_model("openai/gpt-4o-mini", ("http://127.0.0.1:4000/v1",), DAY) == direct
    assert direct.context_tokens == 128_000


def test_prices_are_those_of_the_day():
    before, after = (listed_model("claude-opus-4-6", (), day).prices for day in (date(2026, 3, 12), date(2026, 3, 13)))
    assert [price.above_input_tokens for price in before] == [0, 200_001]
    assert [price.above_input_tokens for price in after] == [0]


def test_where_hours_differ_the_dearest_one_holds():
    (price,) = listed_model("deepseek-reasoner", ("https://api.deepseek.com",), DAY).prices
    costs = [
        calc_price(
            ListUsage(input_tokens=1_000_000),
            "deepseek-reasoner",
            provider_api_url="https://api.deepseek.com",
            genai_request_timestamp=datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC),
        ).total_price
        for hour in range(24)
    ]
    assert min(costs) < max(costs)
    assert price.input_usd == pytest.approx(float(max(costs)) / 1e6)


@pytest.mark.parametrize("model", ["our-own-7b", "whisper-1", ""])
def test_a_model_without_prices_by_token_has_none(model):
    assert listed_model(model, (), DAY).prices == UNLISTED.prices


def test_prices_of_the_settings_charge_cached_tokens_in_full_unless_told():
    (full,), (less,) = flat_prices(2.0, 8.0), flat_prices(2.0, 8.0, 0.5)
    assert full.cached_usd == full.input_usd == pytest.approx(2e-6)
    assert less.cached_usd == pytest.approx(0.5e-6)
    assert less.output_usd == less.audio_output_usd == pytest.approx(8e-6)
