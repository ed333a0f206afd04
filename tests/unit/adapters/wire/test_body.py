import json

import msgspec
import pytest

from undertow.adapters.wire.body import (
    decode,
    kind_of,
    nesting_depth,
    outside_strings,
    read_fields,
    read_limit,
    with_parameters,
)
from undertow.ports.wire import WireError


def refused(body: bytes, max_nesting: int = 10) -> WireError:
    with pytest.raises(WireError) as caught:
        read_fields(body, max_nesting=max_nesting)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", "truncated"),
        (b"[1]", "array"),
        (b"null", "null"),
        (b'{"a": NaN}', "malformed"),
        (b'{"a": -Infinity}', "malformed"),
        (b'{"a": 1}{', "trailing"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"a": 1', "truncated"),
        (b"<html>", "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
    ],
)
def test_what_is_no_json_object_in_utf8_is_refused_with_what_was_seen(body, seen):
    error = refused(body)
    assert error.code == "invalid_json"
    assert seen in error.message


def test_an_error_does_not_quote_the_body():
    assert "secret" not in refused(b'{"secret": secret}').message


@pytest.mark.parametrize("depth", [11, 900, 200_000])
def test_nesting_is_bounded_whatever_its_depth(depth):
    assert refused(b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}").code == "nesting_too_deep"


def test_brackets_in_strings_and_side_by_side_are_no_nesting():
    body = json.dumps({"a": "[{" * 50, "b": '\\"[[[' * 9, "c": [[]] * 50, "d\\": "\\"}).encode()
    assert nesting_depth(body) == 3
    assert list(read_fields(body, max_nesting=3)) == ["a", "b", "c", "d\\"]
    assert refused(body, max_nesting=2).code == "nesting_too_deep"


def test_of_a_repeated_key_the_last_value_counts():
    fields = read_fields(b'{"model": "a", "n": 1, "model": "b"}', max_nesting=10)
    assert {name: bytes(value) for name, value in fields.items()} == {"model": b'"b"', "n": b"1"}


def test_half_a_surrogate_pair_reads_as_the_replacement_character():
    pair, half = rb'"\ud83d\ude00 \\ud83d"', rb'"a\ud83d b"'
    decoder = msgspec.json.Decoder(str)
    assert decode(decoder, pair) == "😀 \\ud83d"
    assert decode(decoder, half) == "a\ufffd b"
    assert bytes(read_fields(b'{"a":' + half + b"}", max_nesting=9)["a"]) == rb'"a\ufffd b"'


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(b'"a"', "string"), (b"[]", "array"), (b"{}", "object"), (b"false", "boolean"), (b"1e3", "number")],
)
def test_types_are_named(raw, kind):
    assert kind_of(msgspec.Raw(raw)) == kind


@pytest.mark.parametrize(
    ("raw", "limit"),
    [(b"5", 5), (b"null", None), (b"9" * 40, 1_000_000_000), (b"5.0", 5), (b"1e2", 100), (b"1e30", 1_000_000_000)],
)
def test_a_limit_is_an_integer_that_fits(raw, limit):
    assert read_limit({"max_tokens": msgspec.Raw(raw)}, "max_completion_tokens", "max_tokens") == limit


def test_a_limit_that_another_goes_before_is_checked_all_the_same():
    given = {"max_completion_tokens": msgspec.Raw(b"7"), "max_tokens": msgspec.Raw(b"9")}
    assert read_limit(given, "max_completion_tokens", "max_tokens") == 7
    with pytest.raises(WireError, match="max_tokens: expected at least 0"):
        read_limit(given | {"max_tokens": msgspec.Raw(b"-9")}, "max_completion_tokens", "max_tokens")


@pytest.mark.parametrize("raw", [b"-1", b"1.5", b'"5"', b"true", b"-1.0", b"[]"])
def test_any_other_limit_is_refused(raw):
    with pytest.raises(WireError) as caught:
        read_limit({"max_tokens": msgspec.Raw(raw)}, "max_tokens")
    assert caught.value.param == "max_tokens"


def test_a_tiers_parameters_replace_the_callers_but_for_what_is_the_callers_own():
    fields = read_fields(b'{"stream": true, "model": "auto", "max_tokens": 5, "top_p": 0.50}', max_nesting=9)
    merged = with_parameters(
        fields,
        model="small",
        parameters={"max_completion_tokens": 7, "stream": False, "model": "x"},
        own=frozenset({"model", "stream"}),
        alternatives=("max_completion_tokens", "max_tokens"),
    )
    assert msgspec.json.encode(merged) == b'{"stream":true,"model":"small","top_p":0.50,"max_completion_tokens":7}'


def test_what_stands_outside_strings():
    document = rb'{"a, \"[": [1, "2, \\", -3e5], "\\\"": null}'
    assert outside_strings(document).split() == [b"{", b":", b"[1,", b",", b"-3e5],", b":", b"null}"]
    assert outside_strings(b"12") == b"12"
