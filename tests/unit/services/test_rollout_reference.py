"""What a rollout is decided by is chosen once, by how many labels had come; and a comparison of the easy requests with all is none."""

import pytest

from cells_factory import FIRST, build, labels, served
from undertow.estimators.periods import Periods
from undertow.records.cut import cut_cells
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.rollout_reference import choose_reference, is_like_for_like, labels_since

DAYS, BEGAN = 40, 10


def chosen(cells, last=DAYS, basis=("human",)):
    seen = cut_cells(cells, FIRST + last)
    first, buckets = bucket_range(seen)
    units = [unit for unit in signal_units(seen) if unit.basis in basis]
    found = choose_reference(seen, units, Periods(buckets, BEGAN, BEGAN, False), first, buckets)
    return None if found is None else (found[0].name, found[1])


def pairs(signal, per_day, start, *, basis="human"):
    return labels(
        "cheap", per_day, 1.0, days=DAYS - start, start=start, signal=signal, basis=basis, pairs=True, lost=1.0, won=1.0
    )


TRAFFIC = [served("cheap", 400, days=DAYS), served("capable", 40, days=DAYS, arm="holdout")]
HELD = labels("capable", 20, 1.0, days=DAYS, arm="holdout")


def test_pairs_are_taken_as_soon_as_a_signal_has_enough_whatever_comes_later():
    cells = build(*TRAFFIC, HELD, pairs("shadow.accuracy", 20, BEGAN), pairs("review.accuracy", 500, BEGAN + 4))
    assert chosen(cells, BEGAN + 2) is None
    looks = {chosen(cells, last) for last in (BEGAN + 3, BEGAN + 8, BEGAN + 20, DAYS)}
    assert looks == {("shadow.accuracy", "pairs")}


def test_a_signal_with_more_labels_later_does_not_take_over():
    few, many = (labels("cheap", n, 1.0, days=DAYS - start, start=start, signal=name) for name, n, start in (("review.accuracy", 20, 0), ("review.tone", 900, BEGAN + 9)))  # fmt: skip
    cells = build(*TRAFFIC, HELD, few, many)
    assert {chosen(cells, last) for last in (BEGAN + 8, BEGAN + 15, DAYS)} == {("review.accuracy", "holdout")}


def test_before_a_week_has_passed_no_other_reference_is_taken():
    cells = build(*TRAFFIC, HELD, labels("cheap", 20, 1.0, days=DAYS))
    assert chosen(cells, BEGAN + 6) is None
    assert chosen(cells, BEGAN + 7) == ("review.accuracy", "holdout")


def test_a_judges_pairs_are_none():
    cells = build(*TRAFFIC, pairs("judge.accuracy", 50, BEGAN, basis="judge"))
    assert chosen(cells, basis=("judge",)) is None


def test_with_three_tiers_only_pairs_will_do():
    tiers, middle = ("cheap", "middle", "capable"), served("middle", 100, days=DAYS)
    held = build(*TRAFFIC, middle, HELD, labels("cheap", 20, 1.0, days=DAYS), tiers=tiers)
    assert chosen(held) is None
    late = build(*TRAFFIC, middle, HELD, pairs("review.accuracy", 20, BEGAN + 15), tiers=tiers)
    assert chosen(late) == ("review.accuracy", "pairs")


@pytest.mark.parametrize(
    ("up", "their_labels", "fair"), [(0.0, 0.0, True), (100.0, 0.0, False), (100.0, 10.0, True), (4.0, 0.0, True)]
)
def test_a_tier_is_compared_with_a_holdout_only_together_with_what_went_up(up, their_labels, fair):
    cells = build(*TRAFFIC, served("capable", up, days=DAYS), HELD, labels("cheap", 20, 1.0, days=DAYS), labels("capable", their_labels, 1.0 if their_labels else 0.0, days=DAYS))  # fmt: skip
    first, buckets = bucket_range(cells)
    (unit,) = signal_units(cells)
    grid = label_grid(cells, unit, 0, by="decided", first_bucket=first, buckets=buckets)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    assert is_like_for_like("holdout", grid, traffic, 0, BEGAN) is fair
    assert is_like_for_like("pairs", grid, traffic, 0, BEGAN)


def test_labels_go_by_when_they_came_and_those_of_earlier_requests_are_left_out():
    cells = build(*TRAFFIC, labels("cheap", 5, 1.0, days=DAYS - 3, delay=3))
    first, buckets = bucket_range(cells)
    (unit,) = signal_units(cells)
    found = labels_since(cells, unit, first + BEGAN, first, buckets)
    assert found.n[: BEGAN + 3].sum() == 0.0
    assert found.n[BEGAN + 3 :].sum() == 5 * (DAYS - 3 - BEGAN)
