"""Moments as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from undertow.records.moment import moment_of, rfc3339


def test_a_moment_is_in_utc_with_milliseconds_that_are_cut():
    berlin = timezone(timedelta(hours=1))
    assert rfc3339(datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=berlin)) == "2026-03-01T11:00:00.005Z"
    assert rfc3339(datetime(2026, 1, 1, 0, 0, 0, 999999, tzinfo=UTC)) == "2026-01-01T00:00:00.999Z"


def test_a_moment_comes_back_whatever_its_zone():
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert rfc3339(moment) == "2026-03-01T07:00:00.000Z"
    assert moment_of(rfc3339(moment)) == moment


def test_a_text_without_an_offset_is_utc():
    assert moment_of("2026-03-01T12:00:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_what_is_no_moment_is_refused():
    with pytest.raises(ValueError):
        moment_of("yesterday")
