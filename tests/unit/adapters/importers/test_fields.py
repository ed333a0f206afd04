from datetime import UTC, datetime

import pytest

from undertow.adapters.importers.fields import BadTime, Fields, milliseconds, parse_timezone, stamp
from undertow.errors import UsageError

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-08-01T12:00:00Z",
        "2026-08-01 12:00:00+00:00",
        "2026-08-01 14:00:00.000000+02:00",
        1785585600,
        1785585600.0,
        1785585600000,
        1785585600000000,
        "1785585600000000000",
        1785585600000000000,
        NOON,
    ],
)
def test_one_moment_in_many_spellings(value):
    assert Fields().time(value) == NOON


def test_single_digit_hours_of_spreadsheet_exports():
    assert Fields("UTC").time("2026-8-1 7:43:30") == datetime(2026, 8, 1, 7, 43, 30, tzinfo=UTC)


def test_naive_times_need_a_zone_and_get_the_one_given():
    with pytest.raises(BadTime) as bad:
        Fields().time("2026-08-01 12:00:00")
    assert bad.value.reason == "naive_time"
    assert Fields("Europe/Berlin").time("2026-08-01 14:00:00") == NOON
    assert Fields("+02:00").time("2026-08-01 14:00:00") == NOON
    assert Fields(naive_is_utc=True).time("2026-08-01 12:00:00") == NOON


def test_a_zone_in_the_time_beats_the_zone_given():
    assert Fields("America/New_York").time("2026-08-01T12:00:00Z") == NOON


@pytest.mark.parametrize(
    "value",
    ["yesterday", float("nan"), float("inf"), -5, 1e300, [], {}, True, "9999-12-31T23:59:59Z", "1969-01-01T00:00:00Z"],
)
def test_what_is_no_time_of_this_century_is_refused(value):
    with pytest.raises(BadTime) as bad:
        Fields().time(value)
    assert bad.value.reason == "bad_time"


def test_unknown_zone_is_a_usage_error():
    with pytest.raises(UsageError, match="Europe/Berlin"):
        parse_timezone("Mars/Olympus")


def test_numbers_that_cannot_be_used_are_counted_and_never_zero():
    fields = Fields()
    assert fields.number("3.5", "x") == 3.5
    assert fields.number("", "x") is None
    assert fields.number("NaN", "x") is None
    assert fields.number(float("inf"), "x") is None
    assert fields.number("12 apples", "x") is None
    assert fields.integer("97.0", "n") == 97
    assert fields.integer(0.5, "n") is None
    assert fields.issues == {"not_finite:x": 2, "bad_number:x": 1, "bad_number:n": 1}


def test_objects_in_strings_and_doubled_quotes():
    fields = Fields()
    assert fields.mapping('{"a": 1}') == {"a": 1}
    assert fields.mapping('{""tier"":""cheap""}') == {"tier": "cheap"}
    assert fields.mapping('"{\\"a\\": 1}"') == {"a": 1}
    assert fields.mapping("[1]") == {}
    assert fields.array('["a"]') == ["a"]


def test_booleans_in_six_spellings():
    fields = Fields()
    assert [fields.boolean(x, "b") for x in (True, "yes", "1", "FALSE", 0, "off", None, "perhaps")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        None,
        None,
    ]
    assert fields.issues == {"bad_boolean:b": 1}


def test_null_words_are_null_text():
    assert [Fields().text(x) for x in ("None", " ", "null", "x", 5, True, {})] == [
        None,
        None,
        None,
        "x",
        "5",
        "true",
        None,
    ]


def test_time_running_backwards_has_no_length():
    assert milliseconds(NOON, NOON.replace(hour=11)) is None
    assert milliseconds(NOON, NOON.replace(second=1)) == 1000.0
    assert stamp(NOON) == "2026-08-01T12:00:00Z"
