"""Moments as text."""

from datetime import UTC, datetime, timedelta, timezone

from undertow.records.moment import rfc3339


def test_a_moment_is_in_utc_with_milliseconds_that_are_cut():
    berlin = timezone(timedelta(hours=1))
    assert rfc3339(datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=berlin)) == "2026-03-01T11:00:00.005Z"
    assert rfc3339(datetime(2026, 1, 1, 0, 0, 0, 999999, tzinfo=UTC)) == "2026-01-01T00:00:00.999Z"
