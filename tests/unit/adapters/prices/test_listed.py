from datetime import date

import pytest

from undertow.adapters.prices.listed import TokenPrice, list_price

DAY = date(2026, 8, 1)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "openai/gpt-4o-mini",
        "azure/gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
        "gpt-4o-mini-2031-01-01",
        "openrouter/openai/gpt-4o-mini",
    ],
)
def test_one_model_under_many_names(name):
    price = list_price(name, None, DAY)
    assert price is not None
    assert (price.input_usd, price.output_usd) == pytest.approx((0.15e-6, 0.6e-6))
    assert price.cached_usd == pytest.approx(0.075e-6)


def test_bedrock_names():
    price = list_price("us.anthropic.claude-sonnet-4-20250514-v1:0", "bedrock", DAY)
    assert price is not None
    assert price.output_usd > price.input_usd > price.cached_usd > 0


def test_unknown_models_have_no_price():
    assert list_price("our-own-7b", None, DAY) is None


def test_cached_tokens_are_priced_once():
    price = TokenPrice(2e-6, 1e-6, 8e-6)
    assert price.cost_usd(1000, 0, 1000) == pytest.approx(1000e-6)
    assert price.cost_usd(1000, 0, 5000) == pytest.approx(1000e-6)  # more cached than there are: all of them
    assert price.cost_usd(1000, 100, 0) == pytest.approx(2800e-6)
