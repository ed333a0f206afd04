"""Charts of daily quantities: what they see, and that a row's outcome is settled by the rows up to it."""

import numpy as np
import pytest

from undertow.detectors.ewma import CLIP, FIRST_DAYS, LONGEST_DAYS, chart, line_for, reference_days


def calm(days=120, seed=1, sd=0.01, level=0.7):
    return np.random.default_rng(seed).normal(level, sd, days)


def test_a_shift_is_seen_with_its_direction():
    days = calm()
    days[60:] += 0.02
    found = chart(days, 0.005, 180)
    assert found.up
    assert 61 <= found.day <= 67
    days[60:] -= 0.04
    assert not chart(days, 0.005, 180).up


def test_a_slow_drift_is_no_part_of_what_it_is_compared_with():
    days = calm(200)
    days += 0.0003 * np.maximum(np.arange(200) - 70, 0)
    found = chart(days, 0.005, 180)
    assert found.up
    assert found.day < 130


def test_one_odd_day_is_no_drift():
    days = calm()
    days[60] += 10.0
    assert chart(days, 0.005, 180).day is None
    assert line_for(0.005, 180) > CLIP * 0.2, "a clipped day alone cannot reach the line"


def test_weekends_are_no_drift():
    weekend = np.arange(150) % 7 >= 5
    assert chart(calm(150) - 0.1 * weekend, 0.01, 180).day is None


def test_a_shift_inside_a_weekly_pattern_is_seen():
    weekend = np.arange(150) % 7 >= 5
    days = calm(150, sd=0.005) - 0.1 * weekend
    days[90:] -= 0.015
    # Two and a half times what the pattern leaves over, an eighth of the pattern itself.
    assert 90 <= chart(days, 0.01, 180).day <= 97


@pytest.mark.parametrize("unknown", [[3, 20, 61, 62], list(range(10))])
def test_days_without_a_value_are_left_out(unknown):
    days = calm()
    days[70:] += 0.02
    days[unknown] = np.nan
    found = chart(days, 0.005, 180)
    assert 70 < found.day <= 78
    assert np.isnan(found.statistic[unknown]).all()


def test_a_short_series_says_nothing():
    found = chart(calm(FIRST_DAYS), 0.01, 180)
    assert found.day is None
    assert np.isnan(found.line)
    assert np.isnan(found.statistic).all()


def test_a_series_that_stood_still_needs_more_than_sampling_explains():
    days = np.full(60, 0.5)
    days[40:] += 0.001
    assert chart(days, 0.01, 180, least_sd=0.01).day is None
    assert chart(days, 0.01, 180).day is not None
    assert chart(np.full(60, 0.5), 0.01, 180).day is None


def test_the_past_is_settled():
    days = calm(120, seed=3)
    days[90:] += 0.03
    whole = chart(days, 0.005, 180)
    for end in (50, 80, whole.day + 1):
        part = chart(days[:end], 0.005, 180)
        np.testing.assert_allclose(part.statistic, whole.statistic[:end])
        assert part.day == (whole.day if end > whole.day else None)


def test_a_level_that_is_known_is_compared_with_from_the_first_tested_day():
    days = calm(60)
    assert chart(days, 0.01, 180, level=0.7).day is None
    moved = chart(days, 0.01, 180, level=0.73)
    assert moved.day < FIRST_DAYS + 5
    assert not moved.up
    assert chart(days, 0.01, 180, level=0.73, slack=0.035).day is None


def test_the_line_rises_as_less_may_go_wrong():
    lines = [line_for(alpha, 180) for alpha in (0.2, 0.05, 0.01, 1e-3, 1e-5)]
    assert lines == sorted(lines)
    assert line_for(0.05, 365) > line_for(0.05, 60)


def test_the_reference_grows_to_eight_weeks_and_keeps_its_distance():
    rows = [reference_days(row) for row in range(200)]
    assert rows == sorted(rows)
    assert max(rows) == LONGEST_DAYS
    assert all(count == 0 or row - count >= 0 for row, count in enumerate(rows))
    assert all(row - count >= 14 for row, count in enumerate(rows) if row >= 28)
