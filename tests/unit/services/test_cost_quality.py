"""Money against loss."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells_factory import build, labels, served
from undertow.records.calibration import RiskPoint
from undertow.records.report import AuditSettings, Histogram
from undertow.records.segment import WHOLE, Segment
from undertow.services.audit import audit
from undertow.services.cost_quality import (
    MONTH_DAYS,
    Prices,
    Trade,
    accepted_now,
    best,
    moved_back,
    prices_of,
    settings_of,
    trades,
    worst_trades,
)

DAYS = 30
CURVE = (
    RiskPoint(threshold=0.5, acceptance=0.8, loss=0.06, upper=0.08),
    RiskPoint(threshold=0.9, acceptance=0.2, loss=0.005, upper=0.01),
    RiskPoint(threshold=0.7, acceptance=0.5, loss=0.015, upper=0.02),
)


def log(**options):
    return build(
        served("cheap", 40, days=DAYS, cost=0.01, baseline=0.05, **options),
        served("capable", 36, days=DAYS, cost=0.04, baseline=0.04, **options),
        served("capable", 4, days=DAYS, cost=0.04, baseline=0.04, arm="holdout"),
        served("cheap", 20, days=DAYS, segment="intent=billing", cost=0.01, baseline=0.02, **options),
        labels("cheap", 40, 2, days=DAYS),
        labels("capable", 2, 0, days=DAYS, arm="holdout"),
        labels("cheap", 20, 10, days=DAYS, segment="intent=billing"),
        labels("capable", 2, 0, days=DAYS, arm="holdout", segment="intent=billing"),
    )


def found():
    cells = log()
    return trades(cells, audit(cells, AuditSettings()))


def test_costs_and_losses_of_all_tiers_and_segments():
    together, cheap, capable, billing = found()
    assert (together.tier, cheap.tier, capable.tier, billing.segment) == (
        "",
        "cheap",
        "capable",
        Segment("intent", "billing"),
    )
    assert cheap.relative_cost == pytest.approx(0.25)
    assert capable.relative_cost == pytest.approx(1.0)
    assert billing.relative_cost == pytest.approx(0.5)
    assert together.relative_cost == pytest.approx((60 * 0.01 + 40 * 0.04) / 4.0)
    assert cheap.loss == pytest.approx(0.2, abs=0.02)
    assert together.loss == pytest.approx(0.6 * cheap.loss)
    assert together.interval == pytest.approx((0.6 * cheap.interval[0], 0.6 * cheap.interval[1]))
    assert capable.loss == 0.0
    days = (audit(log(), AuditSettings()).period[1] - audit(log(), AuditSettings()).period[0]).total_seconds() / 86_400
    assert cheap.saved_usd_month == pytest.approx(60 * DAYS * 0.03 / days * MONTH_DAYS)


def test_what_is_saved_for_each_worse_answer():
    cheap = found()[1]
    assert cheap.saved_per_failure_usd == pytest.approx(0.03 / cheap.loss)
    low, high = cheap.saved_per_failure_interval
    assert low < cheap.saved_per_failure_usd < high
    unsure = replace(cheap, interval=(-0.1, 0.3))
    assert unsure.saved_per_failure_interval == (pytest.approx(0.1), None)
    assert replace(cheap, loss=-0.1).saved_per_failure_usd is None
    assert replace(cheap, cost_usd=0.05).saved_per_failure_usd is None
    assert replace(cheap, loss=None).saved_per_failure_interval is None


def test_without_costs_nothing_is_said_of_money():
    cells = log()
    bare = replace(cells, traffic=replace(cells.traffic, paired_cost_n=cells.traffic.paired_cost_n * 0))
    assert all(
        each.relative_cost is None and each.saved_usd_month is None
        for each in trades(bare, audit(cells, AuditSettings()))
    )
    assert prices_of(bare, "cheap") is None
    assert all(each.saved_usd_month is None for each in settings_of(CURVE, 0.02, 0.7, None))


def test_without_labels_the_loss_is_not_known():
    cells = build(served("cheap", 60, days=DAYS), served("capable", 40, days=DAYS))
    together, cheap, capable = trades(cells, audit(cells, AuditSettings()))
    assert (together.loss, cheap.loss, capable.loss) == (None, None, 0.0)
    assert cheap.relative_cost == pytest.approx(0.25)


def test_only_what_came_since_routing_began_counts():
    cells = log()
    report = audit(cells, AuditSettings())
    late = replace(report, ledger=replace(report.ledger, since=report.period[0] + timedelta(days=20)))
    assert trades(cells, late)[1].saved_usd_month == pytest.approx(trades(cells, report)[1].saved_usd_month, rel=0.2)


def test_segments_move_back_the_worst_trade_first():
    def trade(tier, segment, share, cost, loss, saved=1.0):
        return Trade(tier, segment, share, cost, 1.0, saved, loss, None)

    parts = [
        trade("cheap", Segment("intent", "a"), 0.2, 0.2, 0.1),
        trade("cheap", Segment("intent", "b"), 0.2, 0.2, 0.4, saved=7.0),
        trade("cheap", Segment("intent", "c"), 0.1, 0.2, -0.1),
        trade("cheap", Segment("country", "d"), 0.1, 0.2, 0.3),
    ]
    steps = moved_back([trade("", WHOLE, 1.0, 0.6, 0.1), *parts])
    assert [step.moved.segment.value for step in steps] == ["b", "a"]
    assert [step.relative_cost for step in steps] == pytest.approx([0.76, 0.92])
    assert [step.loss for step in steps] == pytest.approx([0.02, 0.0])
    assert steps[0].usd_month == 7.0
    assert moved_back([]) == moved_back(parts) == moved_back([trade("", WHOLE, 1.0, 0.6, None), *parts]) == ()


points = st.lists(st.tuples(st.floats(0, 2), st.floats(-1, 1)), max_size=12)


@given(points)
def test_nothing_beats_the_front_and_something_beats_all_else(given_points):
    def beats(one, other):
        return one[0] <= other[0] and one[1] <= other[1] and one != other

    front = best(given_points)
    for i, point in enumerate(given_points):
        assert (i in front) == (not any(beats(other, point) for other in given_points))


def test_thresholds_come_strict_first_with_their_money():
    rows = settings_of(CURVE, 0.02, 0.72, Prices(0.01, 0.04, 1_000.0))
    assert [each.threshold for each in rows] == [0.9, 0.7, 0.5]
    assert [each.is_within for each in rows] == [True, True, False]
    assert [each.is_in_force for each in rows] == [False, True, False]
    # Half of the requests save a capable answer, and each pays a cheap one.
    assert rows[1].saved_usd_month == pytest.approx(1_000 * (0.5 * 0.04 - 0.01))
    assert rows[1].relative_cost == pytest.approx(1 - (0.5 * 0.04 - 0.01) / 0.04)
    assert rows[0].saved_usd_month < 0
    for one, other in itertools.pairwise(rows):
        assert one.saved_usd_month < other.saved_usd_month
    assert not any(each.is_in_force for each in settings_of(CURVE, 0.02, None, None))
    assert settings_of((), 0.02, 0.7, None) == ()


def test_prices_are_those_of_requests_that_may_be_cheap():
    given = prices_of(log(), "cheap")
    assert given.cheap_usd == pytest.approx(0.01)
    assert given.capable_usd == pytest.approx(0.04)
    assert given.requests_month == pytest.approx(100 * MONTH_DAYS)
    assert prices_of(log(), "dear") is None
    assert prices_of(log(), "cheap", Segment("a", "b")) is None
    assert prices_of(log(eligible=False), "cheap") is None


def test_the_share_accepted_now_is_read_off_the_logged_confidence():
    period = audit(log(), AuditSettings()).period
    now = Histogram("confidence", (0.0, 0.5, 1.0), (0.5, 0.5), (0.2, 0.8), period, period)
    assert [each.acceptance_now for each in settings_of(CURVE, 0.02, None, None, now)] == pytest.approx(
        [0.16, 0.48, 0.8]
    )
    assert accepted_now(replace(now, column="score"), 0.5) is None
    assert accepted_now(None, 0.5) is None


def test_segments_that_surely_lose_most_come_first():
    def part(value, loss, interval):
        return Trade("cheap", Segment("intent", value), 0.1, 0.01, 0.04, 1.0, loss, interval)

    given = [
        Trade("cheap", WHOLE, 1.0, None, None, None, 0.5, None),
        part("a", None, None),
        part("b", 0.2, (-0.1, 0.4)),
        part("c", 0.1, (0.05, 0.2)),
    ]
    assert [each.segment.value for each in worst_trades(given)] == ["c", "b", "a"]
