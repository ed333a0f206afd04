from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, labels, served
from undertow.records.label_grid import (
    ARM_AXIS,
    HOLDOUT_ARM,
    ROUTED_ARMS,
    SignalUnit,
    daily_effective,
    effective_by_stratum,
    label_grid,
    signal_units,
)


def log(*parts):
    return build(served("cheap", 10, days=10), *parts)


def grid_of(cells, unit=0, segment=0, by="available", buckets=12, **given):
    return label_grid(cells, signal_units(cells)[unit], segment, by=by, first_bucket=FIRST, buckets=buckets, **given)


def test_one_name_by_people_and_by_volunteers_are_two_units():
    cells = log(
        labels("cheap", 5, 1, days=3),
        labels("cheap", 9, 1, days=3, selection="volunteered"),
        labels("cheap", 2, 1, days=3, basis="judge"),
    )
    units = signal_units(cells)
    assert [(u.selection, u.basis, u.labels) for u in units] == [
        ("volunteered", "human", 27), ("sampled", "human", 15), ("sampled", "judge", 6),
    ]  # fmt: skip
    assert [u.shows_level for u in units] == [False, True, True]
    assert grid_of(cells, 1).n.sum() == 15, "units are not mixed in a grid"


def test_units_have_most_labels_first_and_names_break_ties():
    cells = log(labels("cheap", 5, 1, days=3, signal="thumb.b"), labels("cheap", 5, 1, days=3, signal="thumb.a"))
    assert [u.name for u in signal_units(cells)] == ["thumb.a", "thumb.b"]


def test_the_suite_and_outcomes_are_no_quality_of_live_traffic():
    cells = log(labels("cheap", 50, 1, days=3, signal="suite.pass"), labels("cheap", 5, 1, days=3))
    assert [u.name for u in signal_units(cells)] == ["review.accuracy"]
    assert [u.name for u in signal_units(cells, ("suite",))] == ["suite.pass"]


def test_the_kind_is_what_stands_before_the_point():
    assert SignalUnit(0, "review.a.b", "sampled", "human", 1, 0).kind == "review"


def test_pairs_are_counted_and_segments_do_not_count_twice():
    cells = log(labels("cheap", 5, 1, days=3, segment="x=1"), labels("cheap", 2, 1, days=3, pairs=True))
    (unit,) = signal_units(cells)
    assert (unit.labels, unit.pairs) == (21, 6)


def test_labels_lie_where_they_were_decided_or_became_known():
    cells = log(labels("cheap", 4, 1, days=1, start=2, delay=5))
    assert np.flatnonzero(grid_of(cells, by="decided").n.sum((1, 2, 3, 4))).tolist() == [2]
    assert np.flatnonzero(grid_of(cells, by="available").n.sum((1, 2, 3, 4))).tolist() == [7]


@pytest.mark.parametrize(("until", "seen"), [(7, 0), (8, 4)])
def test_what_was_not_known_yet_is_left_out(until, seen):
    cells = log(labels("cheap", 4, 1, days=1, start=2, delay=5))
    assert grid_of(cells, by="decided", until_available=FIRST + until).n.sum() == seen


def test_labels_outside_the_window_are_left_out():
    cells = log(labels("cheap", 4, 1, days=8))
    assert grid_of(cells, buckets=3).n.sum() == 12
    later = label_grid(cells, signal_units(cells)[0], 0, first_bucket=FIRST + 6, buckets=30)
    assert later.n.sum() == 8
    assert later.first_bucket == FIRST + 6


def test_each_axis_tells_its_cells_apart():
    cells = log(
        labels("cheap", 1, 0, days=1),
        labels("capable", 2, 0, days=1, arm="holdout"),
        labels("cheap", 4, 0, days=1, arm=None, eligible=None),
        labels("cheap", 8, 0, days=1, eligible=False, stratum=2),
    )
    n = grid_of(cells).n
    assert n.shape == (12, 2, 3, 2, 3)
    assert n[0, 0, ARM_AXIS["treatment"], 1, 0] == 1
    assert n[0, 1, ARM_AXIS["holdout"], 1, 0] == 2
    assert n[0, 0, ARM_AXIS["unknown"], 1, 0] == 4, "unknown eligibility counts as allowed"
    assert n[0, 0, ARM_AXIS["treatment"], 0, 2] == 8


def test_sums_add_and_the_largest_weight_stays_the_largest():
    cells = log(labels("cheap", 4, 1, days=1, weight=2.0), labels("cheap", 3, 2, days=1, weight=5.0))
    grid = grid_of(cells)
    assert (grid.weight.sum(), grid.weighted_failures.sum(), grid.weight_max.max()) == (23, 12, 5)


def test_a_segment_holds_its_own_labels():
    cells = log(labels("cheap", 4, 1, days=1, segment="x=1"), labels("cheap", 3, 1, days=1))
    assert grid_of(cells, segment=0).n.sum() == 7
    assert grid_of(cells, segment=1).n.sum() == 4


def test_a_window_is_a_part_of_the_time():
    grid = grid_of(log(labels("cheap", 4, 1, days=8)))
    part = grid.window(2, 5)
    assert (part.buckets, part.first_bucket, part.n.sum()) == (3, FIRST + 2, 12)
    assert grid.window(5, 2).buckets == 0
    assert grid.window(-3, 2).n.sum() == 8


def test_before_routing_everybody_was_held_out():
    grid = grid_of(log(labels("capable", 4, 1, days=8, weight=3.0), labels("capable", 2, 1, days=8, arm="holdout")))
    moved = grid.as_holdout(5)
    assert moved.n[:5, :, list(ROUTED_ARMS)].sum() == 0
    assert moved.n[:5, :, list(HOLDOUT_ARM)].sum() == 30
    assert moved.weight_max[0, 1, ARM_AXIS["holdout"], 1, 0] == 3
    np.testing.assert_array_equal(moved.n[5:], grid.n[5:])
    assert grid.n[:5, :, list(ROUTED_ARMS)].sum() == 20, "the grid itself stays as it was"


def test_a_part_is_taken_away():
    cells = log(labels("cheap", 4, 1, days=2, segment="x=1"), labels("cheap", 3, 2, days=2, stratum=1))
    left = grid_of(cells).minus(grid_of(cells, segment=1))
    assert (left.n.sum(), left.failures.sum()) == (6, 4)


def test_effective_counts_are_the_plain_ones_where_weights_are_equal():
    k, n = daily_effective(grid_of(log(labels("cheap", 4, 1, days=2, weight=7.0))), [0])
    assert (k[:2].tolist(), n[:3].tolist()) == ([1, 1], [4, 4, 0])


def test_effective_counts_weigh_by_the_largest_weight_of_their_design():
    cells = log(labels("cheap", 8, 4, days=2), labels("cheap", 3, 1, days=1, weight=4.0, stratum=1))
    k, n = daily_effective(grid_of(cells), [0])
    assert (n[0], k[0]) == ((8 + 12) / 4, (4 + 4) / 4)
    assert (n[1], k[1]) == (8 / 4, 4 / 4), (
        "a day without the seldom drawn is none on which the others are all of the traffic"
    )
    assert daily_effective(grid_of(cells), [0], stays=1)[1][1] == 8, "until the stratum is none any more"


def test_a_new_design_has_its_own_largest_weight_once_labels_enough_have_come():
    cells = log(labels("cheap", 30, 4, days=2, weight=4.0), labels("cheap", 30, 4, days=2, start=2, weight=2.0))
    assert daily_effective(grid_of(cells), [0])[1][:4].tolist() == [30, 30, 30, 30]


def test_a_stratum_is_weighted_inside_and_stays_as_large_as_it_was():
    """Ten labels of a small segment that are drawn five times as often count as two; the other stratum is left alone."""
    small = labels("cheap", 10, 5, days=2, segment="x=small")
    big = labels("cheap", 20, 2, days=2, segment="x=big", weight=5.0)
    tail = labels("cheap", 7, 3, days=2, stratum=1, weight=9.0)
    k, n = effective_by_stratum(grid_of(log(small, big, tail)), 0)
    assert n[0].sum(0).tolist() == [10 / 5 + 20, 7]
    assert k[0].sum(0).tolist() == [5 / 5 + 2, 3]


def test_an_empty_log_of_labels_has_an_empty_grid():
    cells = log()
    assert signal_units(cells) == ()
    unit = SignalUnit(0, "review.x", "sampled", "human", 0, 0)
    assert label_grid(cells, unit, 0, first_bucket=FIRST, buckets=3).n.sum() == 0


def test_a_plain_grid_leaves_out_what_was_drawn_for_other_segments():
    cells = log(
        labels("cheap", 4, 1, days=1),
        labels("cheap", 8, 4, days=1, steered=1),
        labels("cheap", 2, 1, days=1, segment="x=1"),
        labels("cheap", 8, 4, days=1, segment="x=1", steered=1),
        labels("cheap", 3, 1, days=1, segment="y=1"),
        labels("cheap", 5, 1, days=1, segment="y=1", steered=1),
    )

    def seen(segment, plain):
        return grid_of(cells, segment=segment, plain=plain).n.sum()

    assert [str(segment) for segment in cells.segments] == ["whole tier", "x=1", "y=1"]
    # What bears a label counts in the whole tier too.
    assert [seen(code, plain=True) for code in range(3)] == [4.0 + 2.0 + 3.0, 10.0, 3.0]
    assert [seen(code, plain=False) for code in range(3)] == [12.0 + 10.0 + 8.0, 10.0, 8.0]


def test_labels_of_strata_that_are_counted_together_enter_weighted_sums_alone():
    parts = [labels("cheap", 5, 1, days=3), labels("cheap", 7, 2, days=3, stratum=1, weight=3.0)]
    cells = replace(log(*parts), merged={0: 1})
    assert signal_units(cells)[0].merged == 1
    assert grid_of(cells).weight.sum() == 3 * (5 + 21)
    for given in ({"plain": True}, {"apart": True}):
        assert grid_of(cells, **given).n.sum() == 15
    assert grid_of(log(*parts), plain=True).n.sum() == 36
