import pytest

from cells_factory import DAY, FIRST, build, calls, served, skipped
from undertow.ledger.savings import estimated_baseline_usd, routed_days, savings
from undertow.records.traffic_grid import bucket_range, traffic_grid

MONTH = 30.4375


def ledger_of(*parts, start=0):
    cells = build(*parts)
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    return savings(cells, traffic, start), traffic


def lines(found):
    return {(i.name, i.tier): i.usd_month for i in found.items}


def test_what_cheaper_answers_save_a_month():
    found, _ = ledger_of(
        served("cheap", 100, days=10, cost=0.01, baseline=0.04), served("capable", 50, days=10, cost=0.04)
    )
    assert found.savings_usd_month == pytest.approx(100 * 0.03 * MONTH)
    assert lines(found) == {("cheaper answers", "cheap"): pytest.approx(100 * 0.03 * MONTH)}


def test_only_the_routed_period_counts():
    found, _ = ledger_of(
        served("capable", 1000, days=10, cost=0.1, baseline=0.1), served("cheap", 100, days=10, start=10), start=10
    )
    assert found.savings_usd_month == pytest.approx(100 * 0.03 * MONTH)


def test_an_escalation_that_costs_twice_is_charged():
    found, _ = ledger_of(
        served("cheap", 100, days=10, cost=0.01, baseline=0.04),
        served("capable", 50, days=10, cost=0.05, baseline=0.04),
    )
    assert lines(found)["what routing adds to the bill", "capable"] == pytest.approx(-50 * 0.01 * MONTH)
    assert found.savings_usd_month == pytest.approx((100 * 0.03 - 50 * 0.01) * MONTH)


def test_known_savings_are_carried_over_to_the_rest_and_said_to_be():
    found, _ = ledger_of(
        served("cheap", 50, days=10, cost=0.01, baseline=0.04), served("cheap", 50, days=10, cost=None),
        served("capable", 10, days=10, cost=0.04),
    )  # fmt: skip
    assert found.savings_usd_month == pytest.approx(100 * 0.03 * MONTH)
    assert "50%" in found.note


def test_a_baseline_is_estimated_from_the_capable_tiers_price_per_token():
    parts = [
        served("cheap", 100, days=10, cost=0.01, baseline=None, tokens=100),
        served("capable", 50, days=10, cost=0.1, baseline=None, tokens=200),
    ]
    found, traffic = ledger_of(*parts)
    assert estimated_baseline_usd(traffic, 0, 0) == pytest.approx(1000 * 0.05)
    assert estimated_baseline_usd(traffic, 1, 0) is None
    assert found.savings_usd_month == pytest.approx(100 * (0.05 - 0.01) * MONTH)
    assert "estimated" in found.note


def test_no_costs_are_no_savings():
    found, _ = ledger_of(served("cheap", 100, days=10, cost=None), served("capable", 100, days=10, cost=None))
    assert (found.savings_usd_month, found.watching_usd_month, found.items) == (None, None, ())
    assert "no costs" in found.note


def test_watching_has_a_line_of_its_own_and_is_counted_once():
    """cost_usd counts every call, so a shadow answer has lowered the savings already."""
    found, _ = ledger_of(
        served("cheap", 100, days=10, cost=0.02, baseline=0.04), calls("capable", "shadow", 1.0, days=10),
        calls("cheap", "serve", 5.0, days=10),
    )  # fmt: skip
    assert found.watching_usd_month == pytest.approx(MONTH)
    assert found.savings_usd_month == pytest.approx((100 * 0.02 + 1.0) * MONTH)
    assert found.savings_usd_month - found.watching_usd_month == pytest.approx(100 * 0.02 * MONTH)
    assert [i.kind for i in found.items] == ["savings", "watching"]


def test_watching_before_routing_is_not_charged_to_it():
    found, _ = ledger_of(
        served("capable", 10, days=5),
        served("cheap", 10, days=5, start=5),
        calls("capable", "judge", 9.0, days=5),
        start=5,
    )
    assert found.watching_usd_month == 0.0
    assert all(i.kind == "savings" for i in found.items)


def test_days_end_with_the_traffic():
    cells = build(served("cheap", 10, days=6, start=2))
    traffic = traffic_grid(cells, 0, first_bucket=FIRST, buckets=60)
    assert routed_days(traffic, DAY, 2) == 6.0
    assert routed_days(traffic, DAY, 30) == 0.0
    assert savings(cells, traffic, 30).note == "no routed traffic"


def test_answers_thrown_away_are_shown_inside_the_savings_and_move_no_total():
    parts = [
        served("cheap", 100, days=10, cost=0.01, baseline=0.04),
        served("capable", 50, days=10, cost=0.05, baseline=0.04),
        calls("capable", "shadow", 1.0, days=10),
    ]
    bare, _ = ledger_of(*parts)
    found, _ = ledger_of(
        *parts,
        calls("cheap", "serve", 0.5, days=10, fate="discarded"),
        calls("cheap", "self_check", 0.25, days=10),
    )
    assert found.savings_usd_month == bare.savings_usd_month
    assert found.watching_usd_month == bare.watching_usd_month
    assert sum(i.usd_month for i in found.items if i.kind == "savings") == pytest.approx(found.savings_usd_month)
    assert lines(found)["answers thrown away", "cheap"] == pytest.approx(0.5 * MONTH)
    assert [i.kind for i in found.items[-2:]] == ["wasted", "checking"]


def test_what_skipping_saved_is_shown_inside_the_savings_and_moves_no_total():
    parts = [
        served("cheap", 100, days=10, cost=0.01, baseline=0.04),
        served("capable", 50, days=10, cost=0.04, baseline=0.04),
        calls("cheap", "serve", 0.5, days=10, fate="discarded"),
    ]
    bare, _ = ledger_of(*parts)
    found, _ = ledger_of(*parts, skipped("capable", 2, days=10))
    assert found.savings_usd_month == bare.savings_usd_month
    assert found.items[:-1] == bare.items
    assert (found.items[-1].kind, found.items[-1].usd_month) == ("skipped", pytest.approx(1.0 * MONTH))


def test_answers_thrown_away_are_shown_where_savings_are_not_known():
    found, _ = ledger_of(
        served("cheap", 100, days=10, baseline=None), calls("cheap", "serve", 0.5, days=10, fate="discarded")
    )
    assert found.savings_usd_month is None
    assert [i.kind for i in found.items] == ["wasted"]
