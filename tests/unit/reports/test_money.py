from dataclasses import replace

import pytest

from undertow.records.report import Ledger, LedgerItem
from undertow.reports.money import avoided, inside, steps
from unit.reports.factory import ledger, sparse


def test_items_come_in_order_and_add_up_to_the_net():
    found = steps(ledger())
    assert [step.kind for step in found] == ["savings", "watching", "watching", "downstream", "downstream"]
    assert sum(step.usd_month for step in found) == pytest.approx(ledger().net_usd_month)


def test_a_cost_is_a_step_down_with_its_interval_turned():
    item = LedgerItem("ticket", "downstream", None, 30.0, (20.0, 45.0), True)
    (saved, cost) = steps(Ledger(100.0, None, 30.0, 70.0, None, (item,)))
    assert saved.usd_month == 100.0
    assert (cost.usd_month, cost.interval) == (-30.0, (-45.0, -20.0))


def test_an_outcome_that_improved_is_a_gain():
    item = LedgerItem("ticket", "downstream", None, -25.0, (-45.0, -5.0), True)
    found = steps(Ledger(100.0, 0.0, -25.0, 125.0, None, (item,)))
    assert [step.usd_month for step in found] == [100.0, 25.0]
    assert found[1].interval == (5.0, 45.0)


def test_what_is_unknown_or_not_finite_is_no_step():
    assert steps(sparse().ledger) == ()
    bad = LedgerItem("x", "savings", None, float("nan"), None, True)
    assert steps(Ledger(None, None, None, None, None, (bad,))) == ()


def test_what_is_inside_the_savings_is_no_step():
    inner = [LedgerItem("answers thrown away", "wasted", "cheap", 7.0, None, True)]
    inner += [LedgerItem("checking answers", "checking", None, 2.0, None, True)]
    bad = LedgerItem("x", "wasted", None, float("inf"), None, True)
    told = Ledger(100.0, None, None, None, None, (*inner, bad))
    assert [(step.kind, step.usd_month) for step in steps(told)] == [("savings", 100.0)]
    assert list(inside(told)) == inner
    assert avoided(told) == ()


def test_what_never_was_on_the_bill_is_neither_a_step_nor_a_part_of_it():
    spared = LedgerItem("cheap answers not asked for", "skipped", "cheap", 7.0, None, False)
    told = Ledger(100.0, None, None, None, None, (spared, replace(spared, usd_month=float("nan"))))
    assert [(step.kind, step.usd_month) for step in steps(told)] == [("savings", 100.0)]
    assert inside(told) == ()
    assert avoided(told) == (spared,)
