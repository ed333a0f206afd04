import pytest

from undertow.records.report import Ledger, LedgerItem
from undertow.reports.money import signed_totals, steps
from unit.reports.factory import ledger, sparse


def test_items_come_in_order_and_add_up_to_the_net():
    found = steps(ledger())
    assert [step.kind for step in found] == ["savings", "watching", "watching", "downstream", "downstream"]
    assert sum(step.usd_month for step in found) == pytest.approx(ledger().net_usd_month)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_costs_reduce_the_net_whichever_way_they_are_written(sign):
    written = Ledger(100.0, sign * 10.0, sign * 30.0, 60.0, None)
    assert signed_totals(written) == (100.0, -10.0, -30.0)
    assert [step.usd_month for step in steps(written)] == [100.0, -10.0, -30.0]


def test_an_outcome_that_improved_is_a_gain():
    item = LedgerItem("ticket", "downstream", None, 25.0, (5.0, 45.0), True)
    found = steps(Ledger(100.0, None, 25.0, 125.0, None, (item,)))
    assert [step.usd_month for step in found] == [100.0, 25.0]


def test_items_written_as_positive_costs_follow_their_total():
    item = LedgerItem("ticket", "downstream", None, 30.0, (20.0, 45.0), True)
    (saved, cost) = steps(Ledger(100.0, None, 30.0, 70.0, None, (item,)))
    assert saved.usd_month == 100.0
    assert (cost.usd_month, cost.interval) == (-30.0, (-45.0, -20.0))


def test_an_unknown_net_or_ledger_has_no_invented_steps():
    assert steps(sparse().ledger) == ()
    assert signed_totals(Ledger(None, 1.0, 2.0, None, None)) == (None, -1.0, -2.0)


def test_without_a_net_costs_are_amounts_and_watching_never_a_gain():
    items = (
        LedgerItem("cheaper answers", "savings", "cheap", 100.0, None, False),
        LedgerItem("shadow answers", "watching", None, 10.0, None, False),
    )
    found = steps(Ledger(100.0, 10.0, None, None, None, items))
    assert [step.usd_month for step in found] == [100.0, -10.0]
    assert signed_totals(Ledger(None, -3.0, None, None, None)) == (None, -3.0, None)


def test_an_outcome_that_improved_is_a_gain_when_costs_are_amounts():
    item = LedgerItem("ticket", "downstream", None, -25.0, (-45.0, -5.0), True)
    found = steps(Ledger(100.0, 0.0, -25.0, 125.0, None, (item,)))
    assert [step.usd_month for step in found] == [100.0, 25.0]
    assert found[1].interval == (5.0, 45.0)


def test_items_that_are_not_finite_are_left_out():
    bad = LedgerItem("x", "savings", None, float("nan"), None, True)
    assert steps(Ledger(None, None, None, None, None, (bad,))) == ()
