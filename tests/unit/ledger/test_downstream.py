from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, exposed, outcome, served
from undertow.ledger.downstream import choose_contrast, downstream, interval_of_sum
from undertow.ledger.usd import OutcomePrice
from undertow.stats.confidence import gaussian_mixture_radius

MONTH = 30.4375
TICKET = OutcomePrice("ticket", 5.0, maturity_days=0.0)
USERS, HELD = range(200), range(200, 300)


def log(*more, days=20, start=10, rate=0.3, held_rate=0.1, holdout=True, before_rate=0.1):
    parts = [
        served("cheap", 1, days=days + start),
        exposed("cheap", 10, days=days, clusters=USERS, start=start),
        outcome("ticket", "cheap", rate, days=days, clusters=USERS, start=start),
        exposed("capable", 10, days=start, clusters=USERS),
        outcome("ticket", "capable", before_rate, days=start, clusters=USERS),
    ]
    if holdout:
        parts += [
            exposed("capable", 10, days=days, clusters=HELD, start=start, arm="holdout"),
            outcome("ticket", "capable", held_rate, days=days, clusters=HELD, start=start, arm="holdout"),
        ]
    return build(*parts, *more)


def contrast_of(cells, start=10, before=10):
    return choose_contrast(cells, FIRST + start, FIRST + before)


def test_the_holdout_is_causal_and_the_period_before_is_not():
    assert contrast_of(log()).causal
    assert not contrast_of(log(holdout=False)).causal


def test_a_handful_of_held_out_users_is_no_holdout():
    few = [
        exposed("capable", 10, days=20, clusters=range(200, 220), start=10, arm="holdout"),
    ]
    assert not contrast_of(log(*few, holdout=False)).causal


@pytest.mark.parametrize(("forbidden", "causal"), [(10, True), (120, False)])
def test_a_holdout_of_eligible_requests_beside_a_treatment_arm_of_all_is_not_compared(forbidden, causal):
    barred = exposed("capable", 10, days=20, clusters=range(forbidden), start=10, eligible=False)
    found = contrast_of(log(barred))
    assert found.causal == causal
    assert ("differ" in found.note) is not causal


def test_nothing_to_compare_with_is_no_contrast():
    assert contrast_of(log(holdout=False), before=0) is None


@pytest.mark.parametrize("holdout", [True, False])
def test_more_tickets_than_the_comparison_cost_money(holdout):
    cells = log(holdout=holdout)
    found = downstream(cells, (TICKET,), contrast_of(cells), 20.0, 0.95)
    volume = 200 * 10 * MONTH
    assert found.usd_month == pytest.approx(5.0 * volume * (0.03 - 0.01))
    (item,) = found.items
    assert (item.name, item.kind, item.causal) == ("ticket", "downstream", holdout)
    assert "30.00 per 1,000 requests against 10.00" in item.note


def test_routing_that_does_good_has_a_negative_cost():
    cells = log(rate=0.05)
    assert downstream(cells, (TICKET,), contrast_of(cells), 20.0, 0.95).usd_month < 0


def test_a_good_outcome_that_gets_rarer_costs():
    cells = log(rate=0.05)
    order = replace(TICKET, direction="good")
    assert downstream(cells, (order,), contrast_of(cells), 20.0, 0.95).usd_month > 0


def test_outcomes_may_be_priced_by_their_value():
    cells = log(outcome("refund", "cheap", 0.3, days=20, clusters=USERS, start=10, value=40.0))
    refund = OutcomePrice("refund", 1.0, unit="value", maturity_days=0.0)
    found = downstream(cells, (refund,), contrast_of(cells), 20.0, 0.95)
    assert found.usd_month == pytest.approx(40.0 * 0.03 * 2000 * MONTH)


def test_users_are_the_units_of_the_error():
    """All tickets from five users in two hundred: the error is that of a few users, not of many requests."""
    lumpy = np.zeros(200)
    lumpy[:5] = 12.0
    even, clustered = (log(rate=r) for r in (0.3, lumpy))
    a, b = (downstream(c, (TICKET,), contrast_of(c), 20.0, 0.95) for c in (even, clustered))
    assert a.usd_month == pytest.approx(b.usd_month)
    rates = lumpy / 10 * 20 / 20
    expected = (5.0 * 2000 * MONTH) ** 2 * rates.var(ddof=1) / 200
    assert b.variance > expected, "what five users do not show is counted besides"
    assert a.variance < 0.005 * b.variance
    assert b.clusters == 100


def test_exposures_that_are_not_ripe_do_not_count():
    cells = log(rate=0.3)
    ripe = replace(TICKET, maturity_days=12.0)
    late = replace(cells.outcomes, events=np.where(cells.outcomes.bucket >= FIRST + 18, 99.0, cells.outcomes.events))
    found = downstream(replace(cells, outcomes=late), (ripe,), contrast_of(cells), 20.0, 0.95)
    assert "30.00 per 1,000" in found.items[0].note, "days 18 and later are younger than twelve days"


def test_what_is_never_ripe_is_named():
    cells = log()
    found = downstream(cells, (replace(TICKET, maturity_days=400.0),), contrast_of(cells), 20.0, 0.95)
    assert (found.items, found.usd_month) == ((), None)
    assert found.note == "not ripe yet: ticket"


def test_outcomes_without_a_price_have_no_line():
    cells = log()
    for prices in ((), (OutcomePrice("ticket", None),), (OutcomePrice("churn", 100.0),)):
        found = downstream(cells, prices, contrast_of(cells), 20.0, 0.95)
        assert (found.items, found.usd_month, found.note) == ((), None, "no outcome has a price")


def test_lines_add_up_and_their_errors_are_joined_per_user():
    noise = np.random.default_rng(5).uniform(0, 1, 200)
    cells = log(outcome("churn", "cheap", noise, days=20, clusters=USERS, start=10), rate=noise)
    prices = (TICKET, OutcomePrice("churn", 5.0, maturity_days=0.0))
    both = downstream(cells, prices, contrast_of(cells), 20.0, 0.95)
    one = downstream(cells, (TICKET,), contrast_of(cells), 20.0, 0.95)
    assert both.usd_month == pytest.approx(sum(i.usd_month for i in both.items))
    assert both.variance == pytest.approx(4 * one.variance, rel=0.02), (
        "the same users have both: their errors do not cancel"
    )


def test_an_interval_needs_clusters_enough():
    assert interval_of_sum(10.0, 4.0, 29, 500, 0.95) is None
    low, high = interval_of_sum(10.0, 4.0, 512, 196, 0.95)
    half = float(gaussian_mixture_radius(200, 0.95, 200.0)) * 2.0
    assert (low, high) == pytest.approx((10 - half, 10 + half))


def test_an_arm_without_an_event_is_not_known_to_have_none():
    (item,) = (found := downstream(log(held_rate=0.0), (TICKET,), contrast_of(log()), 20.0, 0.95)).items
    assert item.interval[0] < item.usd_month < item.interval[1]
    assert found.variance > 0.0


def test_without_any_event_there_is_no_interval():
    cells = log(rate=0.0, held_rate=0.0)
    found = downstream(cells, (TICKET,), contrast_of(cells), 20.0, 0.95)
    assert (found.usd_month, found.items[0].interval) == (0.0, None)
    assert interval_of_sum(0.0, found.variance, found.clusters, found.events, 0.95) is None


def test_a_rollouts_early_days_are_carried_over_by_cheaper_answers():
    """Ten days of which a tenth is cheap and ripe, then ten of which all is: the loss goes with the cheap answers."""
    cells = build(
        served("cheap", 1, days=20),
        exposed("cheap", 1, days=10, clusters=USERS), exposed("capable", 9, days=10, clusters=USERS),
        exposed("cheap", 10, days=10, start=10, clusters=USERS),
        exposed("capable", 10, days=20, clusters=HELD, arm="holdout"),
        outcome("ticket", "cheap", 0.02, days=10, clusters=USERS), outcome("ticket", "cheap", 0.2, days=10, start=10, clusters=USERS),
        outcome("ticket", "capable", 0.0, days=20, clusters=HELD, arm="holdout"),
    )  # fmt: skip
    contrast = contrast_of(cells, 0, 0)
    early, all_of_it = (
        downstream(cells, (replace(TICKET, maturity_days=days),), contrast, 20.0, 0.95) for days in (10.0, 0.0)
    )
    assert early.usd_month == pytest.approx(all_of_it.usd_month)
    assert "carried over to the 92% of cheaper answers" in early.items[0].note
