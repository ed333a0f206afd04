"""What is planted: the story's money, shares that add up, and a healthy twin that loses nothing."""

import dataclasses

import pytest

from undertow.simulation.incidents import FINTECH, INCIDENTS, SUCCESS, SUPPORT
from undertow.simulation.incidents_truth import expected_money, planted_losses


def test_money_is_that_of_the_incident():
    money = expected_money(dataclasses.replace(SUPPORT, holdout=0.0))
    assert money.bill_after_usd / money.bill_before_usd == pytest.approx(0.40, abs=0.005)
    assert money.savings_usd == pytest.approx(100_000, rel=0.02)
    assert 400_000 <= expected_money(SUPPORT).downstream_usd <= 500_000


def test_success_loses_two_and_a_half_to_three_times_what_it_saves():
    money = expected_money(SUCCESS)
    assert 2.5 <= money.downstream_usd / money.savings_usd <= 3.0


def test_fintech_routes_a_fifth_and_never_changes():
    assert FINTECH.eligible_share == 0.20
    assert FINTECH.onset == FINTECH.routing_from
    money = expected_money(FINTECH)
    assert money.downstream_usd > 5 * money.savings_usd


def test_money_does_not_depend_on_the_size_of_the_log():
    small = dataclasses.replace(SUPPORT, queries_per_day=1_000)
    assert expected_money(small) == expected_money(SUPPORT)
    assert small.scale == 50 * SUPPORT.scale


@pytest.mark.parametrize("p", INCIDENTS.values(), ids=INCIDENTS)
def test_healthy_twin_loses_nothing_anywhere(p):
    healthy = p.made_healthy()
    assert healthy.onset is None
    assert {loss.loss for loss in planted_losses(healthy, healthy.hidden_after)} == {0.0}
    assert expected_money(healthy).downstream_usd == 0.0
    assert expected_money(healthy).savings_usd == expected_money(p).savings_usd


@pytest.mark.parametrize("p", INCIDENTS.values(), ids=INCIDENTS)
def test_shares_add_up_and_the_target_is_the_worst_segment(p):
    assert sum(i.share for i in p.intents) == pytest.approx(1.0)
    assert sum(i.hidden_share for i in p.intents) == pytest.approx(1.0)
    whole, *segments = planted_losses(p, p.hidden_after)
    assert max(segments, key=lambda s: s.loss).segment == p.target_intent
    assert sum(s.share_of_cheap for s in segments) == pytest.approx(1.0)
    assert sum(s.share_of_cheap * s.loss for s in segments) == pytest.approx(whole.loss)
