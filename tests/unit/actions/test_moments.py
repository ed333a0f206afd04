"""Texts of moments sort as moments do, and come back as they were."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from undertow.actions.moments import moment_of, text_of


def test_a_moment_comes_back_whatever_its_zone():
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert text_of(moment) == "2026-03-01T07:00:00.000Z"
    assert moment_of(text_of(moment)) == moment


def test_a_text_without_an_offset_is_utc():
    assert moment_of("2026-03-01T12:00:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_what_is_no_moment_is_refused():
    with pytest.raises(ValueError):
        moment_of("yesterday")
