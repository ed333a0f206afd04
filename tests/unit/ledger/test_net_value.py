import numpy as np
import pytest

from cells_factory import FIRST, build, calls, day, exposed, outcome, served
from undertow.ledger.net_value import net_value
from undertow.ledger.usd import OutcomePrice
from undertow.records.traffic_grid import bucket_range, traffic_grid

MONTH = 30.4375
USERS, HELD = range(200), range(200, 300)
NOISE = np.random.default_rng(2).uniform(0.2, 0.4, 200)
EXPOSED = [
    exposed("cheap", 10, days=20, clusters=USERS, start=10),
    exposed("capable", 10, days=20, clusters=HELD, start=10, arm="holdout"),
]
TICKETS = outcome("ticket", "cheap", NOISE, days=20, clusters=USERS, start=10)
TRAFFIC = [served("capable", 2000, days=10, cost=0.04), served("cheap", 2000, days=20, start=10)]


def ledger(*parts, start=10, before=10, usd=5.0):
    cells = build(*parts)
    first, buckets = bucket_range(cells)
    assert first == FIRST
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    return net_value(cells, traffic, start, before, (OutcomePrice("ticket", usd, maturity_days=0.0),), 0.95)


def test_net_is_savings_less_watching_less_downstream():
    found = ledger(*TRAFFIC, *EXPOSED, TICKETS, calls("capable", "shadow", 3.0, days=20, start=10))
    assert found.net_usd_month == pytest.approx(
        found.savings_usd_month - found.watching_usd_month - found.downstream_usd_month
    )
    assert found.watching_usd_month == pytest.approx(3.0 * MONTH)
    assert found.downstream_usd_month == pytest.approx(5.0 * 2000 * MONTH * NOISE.mean() / 10)
    low, high = found.interval
    assert low < found.net_usd_month < high
    assert found.since == day(10)
    assert [i.kind for i in found.items] == ["savings", "watching", "downstream"]


def test_a_loss_beyond_the_savings_has_an_interval_below_zero():
    assert ledger(*TRAFFIC, *EXPOSED, TICKETS, usd=50.0).interval[1] < 0
    assert ledger(*TRAFFIC, *EXPOSED, TICKETS, usd=0.05).interval[0] > 0


def test_savings_alone_are_no_net_value():
    found = ledger(*TRAFFIC)
    assert found.savings_usd_month > 0
    assert (found.downstream_usd_month, found.net_usd_month, found.interval) == (None, None, None)
    assert "no outcomes" in found.note


def test_outcomes_without_a_comparison_are_no_net_value():
    found = ledger(*TRAFFIC, EXPOSED[0], TICKETS, before=0)
    assert found.net_usd_month is None
    assert "neither a holdout nor a period before" in found.note


def test_costs_that_are_unknown_leave_downstream_alone():
    free = [served("capable", 2000, days=10, cost=None), served("cheap", 2000, days=20, start=10, cost=None)]
    found = ledger(*free, *EXPOSED, TICKETS)
    assert found.downstream_usd_month > 0
    assert (found.savings_usd_month, found.net_usd_month, found.interval) == (None, None, None)


def test_a_log_that_is_never_routed_has_no_ledger():
    found = ledger(served("capable", 10, days=20), start=20, before=20)
    assert (found.savings_usd_month, found.items) == (None, ())
    assert "no cheaper tier" in found.note


def test_few_users_give_no_interval():
    few = [
        exposed("cheap", 10, days=20, clusters=range(20), start=10),
        exposed("capable", 10, days=10, clusters=range(20)),
    ]
    found = ledger(*TRAFFIC, *few, outcome("ticket", "cheap", 0.3, days=20, clusters=range(20), start=10))
    assert found.net_usd_month is not None
    assert found.interval is None
