import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.reports.svg.scales import Scale, round_step, spread, ticks, time_ticks

START = datetime(2026, 1, 5, 7, 40, tzinfo=UTC)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 12))
def test_ticks_are_round_few_and_inside(low, span, most):
    found = ticks(low, low + span, most)
    assert len(found) <= most + 1
    step = round_step(span, most)
    assert all(low - step * 1e-6 <= t <= low + span + step * 1e-6 for t in found)
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-12), 6) in {1.0, 2.0, 2.5, 5.0, 10.0}


def test_a_scale_maps_ends_and_holds_what_lies_outside():
    scale = Scale(0.0, 1.0, 100.0, 0.0)
    assert (scale(0.0), scale(1.0), scale(0.25)) == (100.0, 0.0, 75.0)
    assert scale(2.0) == -100.0
    assert scale.held(2.0) == 0.0
    assert Scale(3.0, 3.0, 0.0, 10.0)(3.0) == 5.0


@pytest.mark.parametrize(
    ("length", "kind"),
    [
        (timedelta(hours=5), ":00"),
        (timedelta(days=2), "Jan"),
        (timedelta(days=30), "Jan"),
        (timedelta(days=400), "2026"),
        (timedelta(days=3_000), "20"),
    ],
)
@pytest.mark.parametrize("most", [2, 3, 5, 8, 12])
def test_time_ticks_are_few_ordered_and_inside(length, kind, most):
    found = time_ticks(START, START + length, most)
    times = [at for at, _ in found]
    assert 1 <= len(found) <= most + 1 or length < timedelta(days=3)
    assert times == sorted(set(times))
    assert all(START <= at <= START + length for at in times)
    assert most < 3 or any(kind in label for _, label in found)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_spread_keeps_order_distance_and_bounds(wanted):
    placed = spread(wanted, 15.0, 0.0, 300.0)
    assert all(-1e-9 <= y <= 300 + 1e-9 for y in placed)
    ordered = sorted(placed)
    assert all(b - a >= 15.0 - 1e-6 for a, b in pairwise(ordered))
    pairs = sorted(zip(wanted, placed, strict=True))
    assert [p for _, p in pairs] == sorted(p for _, p in pairs)
