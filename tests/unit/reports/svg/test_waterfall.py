from dataclasses import replace

import pytest

from undertow.records.report import LedgerItem
from undertow.reports.svg.waterfall import MAX_STEPS, waterfall_chart
from unit.reports.factory import EVERY, healthy, pareto_trap, sparse
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, of_class, texts


@pytest.mark.parametrize("width", [WIDE, SLIM])
@pytest.mark.parametrize("name", EVERY)
def test_every_report_is_legible(name, width):
    drawn = waterfall_chart(EVERY[name]().ledger, width, "w")
    if drawn is not None:
        assert_legible(drawn)


def test_no_ledger_is_none():
    assert waterfall_chart(sparse().ledger, WIDE, "w") is None


def ends(bar):
    left = float(bar.get("x"))
    return left, left + float(bar.get("width"))


def test_each_bar_starts_where_the_one_before_it_ended():
    bars = of_class(waterfall_chart(pareto_trap().ledger, WIDE, "w"), "bar")
    assert [("gain" in b.get("class")) for b in bars] == [True, False, False, False, False, False]
    at = ends(bars[0])[1]
    for bar in bars[1:-1]:
        left, right = ends(bar)
        assert right == pytest.approx(at, abs=1.6)
        at = left
    net = ends(bars[-1])
    assert net[0] == pytest.approx(at, abs=1.6)
    assert net[1] == pytest.approx(ends(bars[0])[0], abs=0.2)


def test_items_without_an_interval_have_no_whisker():
    ledger = healthy().ledger
    bounds = of_class(waterfall_chart(ledger, WIDE, "w"), "bound")
    with_interval = sum(item.interval is not None for item in ledger.items) + 1
    assert len(bounds) == 3 * with_interval


def test_many_items_are_summed_and_still_add_up():
    items = tuple(LedgerItem(f"i{n}", "downstream", None, float(n), None, False) for n in range(1, 40))
    ledger = replace(pareto_trap().ledger, items=items, savings_usd_month=None, watching_usd_month=None)
    drawn = waterfall_chart(
        replace(ledger, downstream_usd_month=-780.0, net_usd_month=-780.0, interval=None), WIDE, "w"
    )
    assert len(of_class(drawn, "bar")) == MAX_STEPS + 1
    assert "28 smaller items" in texts(drawn)
    assert "−$406" in texts(drawn)


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_how_an_amount_is_known_is_a_sign_and_a_word_and_no_colour_alone(width):
    items = (
        LedgerItem("tickets", "downstream", None, 10.0, None, True),
        LedgerItem("churn", "downstream", None, 10.0, None, False),
        LedgerItem("judge", "watching", None, 10.0, None, True),
    )
    drawn = waterfall_chart(replace(pareto_trap().ledger, items=items), width, "w")
    said = texts(drawn)
    assert {"◆ tickets", "◇ churn", "judge"} <= set(said)
    assert "tickets −$10.00 (causal); churn −$10.00 (observed)" in drawn
