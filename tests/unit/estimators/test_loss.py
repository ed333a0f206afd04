import numpy as np
import pytest

from cells_factory import DAY, FIRST, build, day, labels, served
from undertow.estimators.loss import contrast_parts, loss_estimate, own_change, served_share
from undertow.estimators.periods import find_periods
from undertow.records.label_grid import ALL_ARMS, ROUTED_ARMS, label_grid, signal_units
from undertow.records.traffic_grid import bucket_range, traffic_grid


def loss(kind, *parts, tier=0, tiers=("cheap", "capable"), until=None, **given):
    cells = build(*parts, tiers=tiers)
    first, buckets = bucket_range(cells)
    unit = signal_units(cells)[0]
    grid = label_grid(cells, unit, 0, by="decided", first_bucket=first, buckets=buckets)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    return loss_estimate(
        kind, grid, traffic, tier, find_periods(traffic, DAY, until), 0.95, bucket_s=DAY, **given
    )  # fmt: skip


# A cascade keeps the easy half: easy requests fail 2 % on either tier, hard ones 30 %; the cheap tier loses 6 points.
CASCADE = [
    served("capable", 1000, days=5),
    served("cheap", 500, days=20, start=5),
    served("capable", 500, days=20, start=5),
    labels("cheap", 100, 8, days=20, start=5),
    labels("capable", 100, 30, days=20, start=5),
]
HELD = labels("capable", 100, 16, days=20, start=5, arm="holdout")
EARLIER = labels("capable", 100, 16, days=5)


@pytest.mark.parametrize(("kind", "reference"), [("holdout", HELD), ("pre_routing", EARLIER)])
def test_a_loss_on_easy_requests_is_not_hidden_by_their_ease(kind, reference):
    """Set side by side, the cheap tier (8 %) seems better than the reference (16 %)."""
    found = loss(kind, *CASCADE, reference)
    assert found.loss == pytest.approx(0.06)
    assert found.quality == pytest.approx(0.92)
    assert found.reference_quality == pytest.approx(0.98)
    assert found.low < 0.06 < found.high


def test_counts_are_of_each_side():
    found = loss("holdout", *CASCADE, HELD)
    assert (found.n, found.reference_n) == (2000, 2000)


def test_holdout_labels_of_the_same_tier_are_not_the_routed_ones():
    """The holdout's capable labels never count as the rest of the treatment arm."""
    bad_holdout = labels("capable", 100, 26, days=20, start=5, arm="holdout")
    found = loss("holdout", *CASCADE, bad_holdout)
    assert found.loss == pytest.approx(0.06 - 0.2)


def test_with_three_tiers_the_tier_is_compared_directly():
    parts = [
        served("capable", 100, days=5), served("cheap", 50, days=20, start=5), served("middle", 50, days=20, start=5),
        labels("cheap", 50, 10, days=20, start=5), labels("middle", 50, 5, days=20, start=5),
        labels("capable", 50, 2, days=20, start=5, arm="holdout"),
    ]  # fmt: skip
    tiers = ("cheap", "middle", "capable")
    assert loss("holdout", *parts, tiers=tiers).loss == pytest.approx(0.16)
    assert loss("holdout", *parts, tiers=tiers, tier=1).loss == pytest.approx(0.06)


def test_without_labels_of_the_rest_the_tier_is_compared_directly():
    parts = [p for p in CASCADE if not (p.tier == "capable" and p.signal)]
    assert loss("holdout", *parts, HELD).loss == pytest.approx(0.08 - 0.16)


def test_inclusion_weights_are_undone():
    """The tail was drawn nine times as often and fails more: its labels weigh a ninth."""
    parts = [
        served("capable", 100, days=5), served("cheap", 100, days=20, start=5), labels("capable", 50, 5, days=5),
        labels("cheap", 90, 45, days=20, start=5, weight=1.0), labels("cheap", 10, 1, days=20, start=5, weight=9.0, stratum=1),
    ]  # fmt: skip
    found = loss("pre_routing", *parts)
    assert found.loss == pytest.approx((45 * 1 + 1 * 9) / (90 + 90) - 0.1)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_pairs_count_lost_minus_won(weight):
    pairs = labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=4, won=1, weight=weight)
    found = loss("pairs", *CASCADE[:3], pairs)
    assert found.loss == pytest.approx(0.15)
    assert found.low < 0.15 < found.high
    assert found.n == found.reference_n == 400


def test_pairs_of_unequal_weight_are_weighted():
    pairs = [
        labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=10, weight=1.0),
        labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=0, weight=4.0, stratum=1),
    ]
    found = loss("pairs", *CASCADE[:3], *pairs)
    assert found.loss == pytest.approx(10 / (20 + 80))
    assert found.low < found.loss < found.high


def test_pairs_without_a_loss_leave_open_what_they_are_too_few_to_show():
    pairs = [
        labels("cheap", 2, 0, days=20, start=5, pairs=True, weight=1.0),
        labels("cheap", 1, 0, days=20, start=5, pairs=True, weight=30.0, stratum=1),
    ]
    found = loss("pairs", *CASCADE[:3], *pairs)
    assert found.loss == 0.0
    assert found.high > 0.1, "twenty pairs that stand for nearly all of the traffic"


def test_unpaired_labels_of_another_stratum_change_no_pairs():
    pairs = labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=10)
    unpaired = labels("cheap", 20, 5, days=20, start=5, weight=30.0, stratum=1)
    assert loss("pairs", *CASCADE[:3], pairs, unpaired).loss == pytest.approx(0.5)


def test_labels_without_a_reference_value_are_no_pairs():
    found = loss("pairs", *CASCADE)
    assert found.loss is None
    assert found.n == 0


def test_a_tier_is_set_against_its_own_first_fortnight():
    parts = [
        served("cheap", 100, days=40),
        labels("cheap", 50, 2, days=14),
        labels("cheap", 50, 7, days=26, start=14),
    ]
    found = loss("own_first_period", *parts)
    assert found.loss == pytest.approx(0.1)
    assert (found.n, found.reference_n) == (26 * 50, 14 * 50)


def test_the_named_reference_period_replaces_the_fortnight():
    parts = [served("cheap", 100, days=40), labels("cheap", 50, 2, days=20), labels("cheap", 50, 7, days=20, start=20)]
    assert loss("own_first_period", *parts, until=day(20).timestamp()).loss == pytest.approx(0.1)


def test_a_log_shorter_than_the_first_period_shows_nothing():
    found = loss("own_first_period", served("cheap", 100, days=10), labels("cheap", 50, 2, days=10))
    assert found.loss is None
    assert found.interval is None if hasattr(found, "interval") else found.low is found.high is None


def test_no_reference_gives_quality_alone():
    found = loss("none", *CASCADE)
    assert found.loss is None
    assert found.quality == pytest.approx(0.92)


def test_the_loss_since_an_onset_counts_labels_since_then():
    later = [labels("cheap", 100, 40, days=5, start=25), served("cheap", 500, days=5, start=25)]
    rest = [labels("capable", 100, 30, days=5, start=25), served("capable", 500, days=5, start=25)]
    held = labels("capable", 100, 16, days=5, start=25, arm="holdout")
    found = loss("holdout", *CASCADE, HELD, *later, *rest, held, start=25)
    assert found.n == 500
    assert found.loss == pytest.approx(0.4 + (0.5 * 0.3 - 0.16) / 0.5)


def test_results_stay_inside_minus_one_and_one():
    parts = [
        served("capable", 1000, days=5),
        served("cheap", 30, days=9, start=5),
        served("capable", 970, days=9, start=5),
    ]
    found = loss(
        "pre_routing", *parts, labels("cheap", 1, 1, days=9, start=5), labels("capable", 9, 8, days=9, start=5), labels("capable", 20, 0, days=5)
    )  # fmt: skip
    assert -1.0 <= found.low <= found.loss <= found.high <= 1.0
    assert 0.0 <= found.reference_quality <= 1.0


def test_the_share_counts_eligible_routed_requests():
    cells = build(
        served("cheap", 30, days=4),
        served("capable", 10, days=4),
        served("capable", 100, days=4, eligible=False),
        served("capable", 100, days=4, arm="holdout"),
        served("cheap", 20, days=4, arm=None),
    )
    traffic = traffic_grid(cells, 0, first_bucket=FIRST, buckets=4)
    assert served_share(traffic, 0, 0, 4) == pytest.approx(50 / 60)
    assert served_share(traffic, 0, 4, 4) == 0.0


def test_a_negligible_rest_is_left_out():
    cells = build(*CASCADE)
    grid = label_grid(cells, signal_units(cells)[0], 0, by="decided", first_bucket=FIRST, buckets=25)
    assert [c for c, _ in contrast_parts(grid, 0, 0.5, ROUTED_ARMS)] == [0.5, 0.5]
    assert [c for c, _ in contrast_parts(grid, 0, 0.99, ROUTED_ARMS)] == [1.0]
    assert [c for c, _ in contrast_parts(grid, 0, 0.0, ROUTED_ARMS)] == [1.0]


def test_own_change_splits_at_the_onset():
    cells = build(served("cheap", 100, days=20), labels("cheap", 50, np.where(np.arange(20) < 12, 2, 12), days=20))
    grid = label_grid(cells, signal_units(cells)[0], 0, by="decided", first_bucket=FIRST, buckets=20)
    found = own_change(grid, 0, 12, ALL_ARMS, 0.95)
    assert found.loss == pytest.approx(0.2)
    assert (found.n, found.reference_n) == (8 * 50, 12 * 50)
    assert own_change(grid, 0, 0, ALL_ARMS, 0.95).loss is None


def test_pairs_that_are_seen_more_seldom_than_their_answers_are_reviewed_count_by_their_own_weight():
    often = labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=10)

    def found(**weights):
        seldom = labels("cheap", 20, 5, days=20, start=5, pairs=True, lost=0, stratum=1, **weights)
        return loss("pairs", *CASCADE[:3], often, seldom)

    own, label = found(weight=1.0, pair_weight=4.0), found(weight=4.0)
    assert (
        (own.loss, own.low, own.high)
        == (label.loss, label.low, label.high)
        == (pytest.approx(0.1), label.low, label.high)
    )
    assert found(weight=4.0, pair_weight=1.0).loss == pytest.approx(0.25)
