from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, calls, labels, served
from undertow.ledger.savings import savings
from undertow.ledger.watching import watching
from undertow.records.cells import CALL_PURPOSES, ReviewTimeCells, WatchingCells
from undertow.records.traffic_grid import bucket_range, traffic_grid

MONTH = 30.4375


def beside(*rows):
    """Cells of (day, purpose, calls, known, usd, not made)."""
    days, purposes, *sums = zip(*rows, strict=True)
    made, known, usd, not_made = (np.array(each) for each in sums)
    return WatchingCells(
        bucket=np.array(days) + FIRST,
        purpose=np.array([CALL_PURPOSES.index(purpose) for purpose in purposes]),
        calls=made,
        cost_n=known,
        cost_usd=usd.astype(float),
        not_made=not_made,
    )


def lines(found):
    return {item.name: (item.usd_month, item.note) for item in found.items}


def test_each_purpose_has_its_own_line():
    cells = replace(
        build(served("cheap", 100, days=10)),
        watching=beside((0, "shadow", 5, 5, 2.0, 0), (3, "shadow", 5, 5, 3.0, 0), (3, "judge", 8, 8, 1.0, 0)),
    )
    found = watching(cells, FIRST, 10.0)
    assert lines(found) == {
        "shadow answers": (pytest.approx(0.5 * MONTH), "10 calls"),
        "judge": (pytest.approx(0.1 * MONTH), "8 calls"),
    }
    assert found.usd_month == pytest.approx(0.6 * MONTH)
    assert found.inside_usd_month == 0.0


def test_calls_beside_the_log_lower_no_saving_and_those_in_it_are_taken_out_once():
    parts = [served("cheap", 100, days=10, cost=0.02, baseline=0.04)]
    apart = replace(build(*parts), watching=beside((0, "shadow", 10, 10, 10.0, 0)))
    inside = build(*parts, calls("capable", "shadow", 1.0, days=10))
    first, buckets = bucket_range(apart)
    traffic = traffic_grid(apart, 0, first_bucket=first, buckets=buckets)
    one, other = savings(apart, traffic, 0), savings(inside, traffic, 0)
    assert one.watching_usd_month == other.watching_usd_month == pytest.approx(MONTH)
    assert one.savings_usd_month == pytest.approx(100 * 0.02 * MONTH)
    assert other.savings_usd_month == pytest.approx((100 * 0.02 + 1.0) * MONTH)


def test_what_is_not_known_is_said_and_not_guessed():
    cells = replace(
        build(served("cheap", 100, days=10)),
        watching=beside((0, "shadow", 10, 4, 2.0, 30), (0, "judge", 7, 0, 0.0, 2)),
    )
    found = watching(cells, FIRST, 10.0)
    usd, note = lines(found)["shadow answers"]
    assert usd == pytest.approx(0.2 * MONTH)
    assert note.startswith("10 calls; cost known for 4 of them; 30 more were drawn and not asked")
    assert found.note.startswith("judge: 7 calls; cost known for 0 of them; 2 more")


def test_what_was_before_routing_is_not_charged_to_it():
    cells = replace(build(served("cheap", 100, days=10)), watching=beside((1, "shadow", 1, 1, 9.0, 0)))
    assert watching(cells, FIRST + 5, 5.0).items == ()


def test_reviews_have_a_line_where_they_have_a_price():
    cells = build(
        served("cheap", 100, days=10),
        labels("cheap", 20, 1, days=10, signal="review.accuracy"),
        labels("capable", 5, 1, days=10, signal="review.accuracy"),
        labels("cheap", 50, 1, days=10, signal="judge.quality"),
    )
    assert watching(cells, FIRST, 10.0).items == ()
    (line,) = watching(cells, FIRST, 10.0, review_usd=0.5).items
    assert (line.name, line.kind, line.note) == ("reviews", "watching", "250 reviews at 0.5 USD")
    assert line.usd_month == pytest.approx(25 * 0.5 * MONTH)


def test_what_watching_costs_is_told_even_where_no_saving_is_known():
    cells = replace(build(served("cheap", 100, days=10, cost=None)), watching=beside((0, "shadow", 1, 1, 10.0, 0)))
    first, buckets = bucket_range(cells)
    found = savings(cells, traffic_grid(cells, 0, first_bucket=first, buckets=buckets), 0)
    assert (found.savings_usd_month, found.watching_usd_month) == (None, pytest.approx(MONTH))


def test_the_time_of_reviewers_is_a_line_at_a_stated_rate():
    time = ReviewTimeCells(np.array([FIRST - 1, FIRST]), np.array([9, 10]), np.array([9, 5]), np.array([900.0, 600.0]))
    cells = replace(build(served("cheap", 100, days=10)), review_time=time)
    [line] = watching(cells, FIRST, 10.0, review_usd_minute=0.5).items
    assert line.usd_month == pytest.approx(0.5 * 10 / 5 * 10 * MONTH / 10.0)  # 600 s of 5 votes, carried over to 10
    assert "time known for 5 of them" in line.note
    assert watching(cells, FIRST, 10.0).items == ()
