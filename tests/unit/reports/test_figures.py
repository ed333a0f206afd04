from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.reports import figures

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0"),
        (-0.001, "$0"),
        (0.5, "$0.50"),
        (99.996, "$100"),
        (999.6, "$1k"),
        (1_234, "$1.23k"),
        (9_600, "$9.6k"),
        (99_960, "$100k"),
        (101_230, "$101k"),
        (999_700, "$1M"),
        (-1_260_000, "−$1.26M"),
        (2.5e9, "$2.5B"),
        (7e15, "$7000T"),
    ],
)
def test_usd(value, text):
    assert figures.usd(value) == text


@given(st.floats(0.01, 1e14))
def test_usd_is_within_half_a_per_cent(value):
    text = figures.usd(value).removeprefix("$")
    scale = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1.0)
    shown = float(text.rstrip("kMBT")) * scale
    assert shown == pytest.approx(value, rel=5.1e-3, abs=0.0051)


@pytest.mark.parametrize("show", [figures.usd, figures.points, figures.percent, figures.count, figures.evidence])
@pytest.mark.parametrize("absent", [None, NAN, INF, -INF])
def test_absent_is_a_dash_and_never_a_zero(show, absent):
    assert show(absent) == figures.ABSENT


@pytest.mark.parametrize("show", [figures.usd_interval, figures.points_interval, figures.percent_interval])
@pytest.mark.parametrize("absent", [None, (NAN, 1.0), (0.0, INF)])
def test_half_an_interval_is_none(show, absent):
    assert show(absent) == figures.ABSENT


def test_intervals_read_x_to_y():
    assert figures.points_interval((-0.032, 0.15)) == "−3.2 to 15.0 points"
    assert figures.percent_interval((0.9, 1.0)) == "90.0 to 100 %"
    assert figures.usd_interval((-2e6, 3e3)) == "−$2M to $3k"


def test_a_rounded_zero_has_no_sign():
    assert figures.points(-0.0004) == "0.0 points"
    assert figures.points(-0.0004, plus=True) == "0.0 points"


@pytest.mark.parametrize(
    ("value", "text"), [(0.9997, "99.97 %"), (1.0, "100 %"), (0.0, "0 %"), (0.0004, "0.04 %"), (0.64, "64.0 %")]
)
def test_per_cent_is_never_rounded_to_all(value, text):
    assert figures.percent(value) == text


def test_times_are_utc():
    assert figures.moment(datetime.fromisoformat("2026-03-11T01:00:00+02:00")) == "2026-03-10 23:00"
    assert figures.moment(None) == figures.ABSENT
    day = datetime(2026, 3, 11, tzinfo=UTC)
    assert figures.moments((day, day)) == "2026-03-11"
    assert figures.moments(None) == figures.ABSENT


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "under a minute"), (60, "1 minute"), (7_200, "2 hours"), (86_400, "1 day"), (20 * 86_400, "20 days")],
)
def test_durations(seconds, text):
    assert figures.duration(seconds) == text
