"""The record of a week keeps what it was given, and cannot be changed."""

from dataclasses import FrozenInstanceError

import pytest

from week_factory import week


def test_it_is_a_value():
    found = week()
    assert (found.week[1] - found.week[0]).days == 7
    assert found == week()
    with pytest.raises(FrozenInstanceError):
        found.headline = "other"
