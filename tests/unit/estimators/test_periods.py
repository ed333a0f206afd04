from dataclasses import replace

import pytest

from cells_factory import DAY, FIRST, build, day, labels, served
from undertow.estimators.periods import find_periods, reference_kind
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.traffic_grid import traffic_grid


def periods_of(*parts, days=20, until=None):
    cells = build(*parts)
    return find_periods(traffic_grid(cells, 0, first_bucket=FIRST, buckets=days), DAY, until)


def kind_of(*parts, days=20, **change):
    cells = build(*parts)
    unit = signal_units(cells)[0]
    grid = label_grid(cells, unit, 0, by="decided", first_bucket=FIRST, buckets=days)
    return reference_kind(
        replace(unit, **change), grid, find_periods(traffic_grid(cells, 0, first_bucket=FIRST, buckets=days), DAY, None)
    )


PRE = served("capable", 1000, days=8)
ROUTED = served("cheap", 600, days=12, start=8)
BEFORE = labels("capable", 20, 1, days=8)
AFTER = labels("cheap", 20, 1, days=12, start=8)
HELD = labels("capable", 10, 1, days=12, start=8, arm="holdout")
PAIRS = labels("cheap", 10, 1, days=12, start=8, pairs=True)


def test_routing_starts_where_a_cheaper_tier_serves_a_real_share():
    stray = served("cheap", 4, days=2, start=3)
    found = periods_of(PRE, stray, ROUTED)
    assert (found.routing_start, found.reference_end, found.reference_is_routed) == (8, 8, False)


def test_a_log_that_is_never_routed_has_no_start():
    found = periods_of(served("capable", 1000, days=20))
    assert (found.routing_start, found.reference_end, found.buckets) == (20, 20, 20)


def test_a_gap_is_not_routed():
    assert periods_of(served("capable", 10, days=3), served("cheap", 10, days=3, start=15)).routing_start == 15


@pytest.mark.parametrize(
    ("until", "end", "is_routed"), [(5, 5, False), (11, 11, True), (-40, 0, False), (400, 20, True)]
)
def test_the_named_end_of_the_reference_is_kept_inside_the_log(until, end, is_routed):
    found = periods_of(PRE, ROUTED, until=day(until).timestamp())
    assert (found.reference_end, found.reference_is_routed) == (end, is_routed)
    assert found.routing_start == 8


def test_references_are_taken_in_order():
    everything = [PRE, ROUTED, BEFORE, AFTER, HELD, PAIRS]
    assert kind_of(*everything) == "holdout"
    assert kind_of(PRE, ROUTED, BEFORE, AFTER, PAIRS) == "pairs"
    assert kind_of(PRE, ROUTED, BEFORE, AFTER) == "pre_routing"
    assert kind_of(PRE, ROUTED, AFTER) == "own_first_period"
    assert kind_of(PRE, ROUTED, labels("cheap", 0, 0, days=1)) == "none"


def test_a_thin_reference_is_passed_over():
    thin = labels("capable", 4, 0, days=12, start=8, arm="holdout")
    assert kind_of(PRE, ROUTED, BEFORE, AFTER, thin) == "pre_routing"


def test_holdout_labels_from_before_routing_are_no_holdout():
    early = labels("capable", 100, 5, days=8, arm="holdout")
    assert kind_of(PRE, ROUTED, AFTER, early) == "pre_routing"


def test_holdout_labels_that_constraints_kept_capable_are_no_reference():
    forbidden = labels("capable", 100, 5, days=12, start=8, arm="holdout", eligible=False)
    assert kind_of(PRE, ROUTED, AFTER, forbidden) == "own_first_period"


def test_volunteered_labels_show_no_level():
    assert kind_of(PRE, ROUTED, BEFORE, AFTER, HELD, selection="volunteered") == "own_first_period"


def test_pairs_of_a_judge_are_no_reference():
    assert kind_of(PRE, ROUTED, AFTER, PAIRS, basis="judge") == "own_first_period"


def test_a_reference_period_in_which_cheaper_tiers_served_is_none():
    cells = build(PRE, ROUTED, BEFORE, AFTER)
    unit = signal_units(cells)[0]
    grid = label_grid(cells, unit, 0, by="decided", first_bucket=FIRST, buckets=20)
    traffic = traffic_grid(cells, 0, first_bucket=FIRST, buckets=20)
    assert reference_kind(unit, grid, find_periods(traffic, DAY, day(12).timestamp())) == "own_first_period"
