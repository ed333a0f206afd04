import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.importers.tiers import ModelUse, TierKey, assign, matched, widest_gap

DAY = date(2026, 8, 1)


def use(rows=10, usd_per_mtok=None):
    return ModelUse(
        rows, 700 * rows, 300 * rows, (usd_per_mtok or 0) * rows / 1000, 1000 * rows if usd_per_mtok else 0, DAY
    )


def key(*names, logged=None, proxy=None):
    return TierKey(logged, names, None, proxy)


def test_list_prices_split_at_the_widest_gap():
    table = assign({key("gpt-4o-mini"): use(), key("gpt-4o"): use(5), key("gpt-4.1-nano"): use()}, {})
    assert {k.model: t for k, t in table.tier.items()} == {
        "gpt-4o-mini": "cheap",
        "gpt-4o": "capable",
        "gpt-4.1-nano": "cheap",
    }
    assert table.source == "inferred"
    assert table.order == ("cheap", "capable")
    assert table.capable_model == "gpt-4o"
    assert any("inferred" in note for note in table.notes)


def test_cost_in_the_log_prices_models_that_no_list_has():
    table = assign({key("ours-small"): use(usd_per_mtok=0.2), key("ours-large"): use(usd_per_mtok=4.0)}, {})
    assert [(m.model, m.tier, m.price_source) for m in table.models] == [
        ("ours-small", "cheap", "log"),
        ("ours-large", "capable", "log"),
    ]


def test_no_price_means_no_tier_and_a_note():
    table = assign({key("gpt-4o-mini"): use(), key("gpt-4o"): use(), key("mystery"): use()}, {})
    assert table.tier[key("mystery")] is None
    assert any("mystery" in note for note in table.notes)


def test_one_price_class_is_one_tier_and_says_so():
    table = assign({key("gpt-4o"): use(), key("gpt-4o-2024-11-20"): use()}, {})
    assert set(table.tier.values()) == {"capable"}
    assert any("one tier" in note for note in table.notes)


def test_order_of_rules_logged_then_pattern_then_price():
    uses = {
        key("gpt-4o", logged="cheap"): use(),
        key("gpt-4o-mini"): use(),
        key("gpt-4o"): use(),
        key("gpt-4.1-nano"): use(),
    }
    table = assign(uses, {"capable": ("gpt-4o-mini",), "tiny": ("*nano",)})
    assert table.tier[key("gpt-4o", logged="cheap")] == "cheap"
    assert table.tier[key("gpt-4o-mini")] == "capable"
    assert table.tier[key("gpt-4.1-nano")] == "tiny"


def test_a_logged_tier_may_be_renamed_by_a_pattern():
    table = assign(
        {key("a", logged="SIMPLE"): use(), key("b", logged="REASONING"): use()},
        {"cheap": ("SIMPLE", "MEDIUM"), "capable": ("COMPLEX", "REASONING")},
    )
    assert set(table.tier.values()) == {"cheap", "capable"}
    assert table.source == "mapped"


def test_proxy_names_stand_in_where_nothing_is_known():
    table = assign({key(proxy="variant-a"): use(), key(proxy="variant-b"): use()}, {})
    assert set(table.tier.values()) == {"variant-a", "variant-b"}
    assert table.order is None


def test_logged_names_are_ordered_by_price():
    table = assign({key("gpt-4o", logged="big"): use(), key("gpt-4o-mini", logged="small"): use()}, {})
    assert table.order == ("small", "big")
    assert table.source == "logged"


def test_patterns_ignore_case():
    assert matched(("GPT-4o-Mini",), {"cheap": ("gpt-4O-mini*",)}) == "cheap"


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=8), st.floats(0.01, 100))
def test_the_cut_separates_and_scales_with_the_prices(prices, factor):
    cut = widest_gap(prices)
    if cut is None:
        ordered = sorted(prices)
        assert all(b / a <= 1.3 * (1 + 1e-9) for a, b in itertools.pairwise(ordered))
    else:
        assert min(prices) < cut < max(prices)
        assert widest_gap([p * factor for p in prices]) == pytest.approx(cut * factor)
