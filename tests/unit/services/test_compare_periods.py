"""Two periods side by side: what is shown, and that looking at them again and again does not make it wrong."""

from datetime import date

import numpy as np
import pytest

from cells_factory import build, labels, served
from undertow.records.report import AuditSettings
from undertow.services.compare_periods import DayRange, compare_periods

SETTINGS = AuditSettings()
BEFORE, AFTER = DayRange(date(2026, 1, 1), date(2026, 1, 28)), DayRange(date(2026, 1, 29), date(2026, 2, 25))


def log(cheap_after=3.0, n=40):
    return build(
        served("cheap", 100, days=56),
        served("capable", 100, days=56),
        labels("cheap", n, np.r_[np.full(28, 3.0), np.full(28, cheap_after)], days=56, segment="intent=billing"),
        labels("cheap", n, 3, days=56, segment="intent=account"),
        labels("capable", n, 3, days=56, segment="intent=billing"),
        segments=("intent=nothing",),
    )


def found(cells, limit=50, **options):
    return compare_periods(cells, SETTINGS, BEFORE, AFTER, limit=limit, **options)


def test_a_fall_is_shown_where_it_is_and_stands_first():
    told = found(log(12.0))
    first = told.places[0]
    assert (first.tier, str(first.segment), first.state) == ("cheap", "intent=billing", "worse")
    assert first.change == pytest.approx(-9 / 40)
    assert first.interval[0] < first.change < first.interval[1] < 0
    assert (first.before.n, first.before.mean) == (28 * 40, pytest.approx(1 - 3 / 40))
    assert {str(each.segment): each.state for each in told.places if each.tier == "capable"}["intent=billing"] == "open"


def test_a_rise_is_better_and_the_other_way_round_it_is_worse():
    cells = log(0.2)
    assert "better" in {each.state for each in found(cells).places}
    turned = compare_periods(cells, SETTINGS, AFTER, BEFORE, limit=50)
    assert turned.places[0].state == "worse"


def test_only_decisions_of_the_days_count_and_without_labels_nothing_is_said():
    empty = DayRange(date(2025, 6, 1), date(2025, 6, 30))
    told = compare_periods(log(), SETTINGS, empty, AFTER, limit=50)
    assert {each.state for each in told.places} == {"no_data"}
    assert all(each.change is None and each.before.mean is None for each in told.places)
    assert compare_periods(log(), SETTINGS, empty, empty, limit=50).places == ()


def test_searching_and_shortening_move_no_interval():
    cells = log(12.0)
    whole = {(each.tier, each.segment): each.interval for each in found(cells).places}
    some = found(cells, wanted=lambda _, segment: segment.value == "billing")
    assert {str(each.segment) for each in some.places} == {"intent=billing"}
    assert all(whole[each.tier, each.segment] == each.interval for each in some.places)
    short = found(cells, limit=2)
    assert len(short.places) == 2
    assert short.left_out == len(whole) - 2
    assert all(whole[each.tier, each.segment] == each.interval for each in short.places)


def test_a_log_without_signals_compares_nothing():
    told = found(build(served("cheap", 100, days=56)))
    assert (told.signal, told.places) == (None, ())


def test_days_are_whole_and_may_overlap():
    assert BEFORE.buckets(86_400) == (20_454, 20_482)
    assert BEFORE.buckets(3_600) == (20_454 * 24, 20_482 * 24)
    assert not BEFORE.overlaps(AFTER)
    assert BEFORE.overlaps(DayRange(date(2026, 1, 28), date(2026, 2, 2)))


def test_where_nothing_changed_seldom_anything_is_ever_shown_however_often_one_looks():
    rng = np.random.default_rng(8)
    runs, looks, wrong = 150, 8, 0
    for _ in range(runs):
        failures = rng.binomial(40, 0.08, size=(2, 56)).astype(float)
        ever = False
        for look in range(1, looks + 1):
            kept = np.arange(56) % looks < look  # labels of both periods come bit by bit
            cells = build(
                served("cheap", 100, days=56),
                *(
                    labels("cheap", np.where(kept, 40, 0), np.where(kept, failed, 0), days=56, segment=f"intent={name}")
                    for name, failed in zip("ab", failures, strict=True)
                ),
            )
            ever = ever or any(each.state in {"worse", "better"} for each in found(cells).places)
        wrong += ever
    # 5 % of 150 are 7.5; three standard deviations of the binomial more are 15.5.
    assert wrong <= 15
