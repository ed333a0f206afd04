import json

import pytest

from undertow.adapters.reviews.exchange import file_records, flat_label, number_of, scaled, text_of


def test_records_of_lines_arrays_and_pages(tmp_path):
    rows = [{"a": 1}, {"a": 2}]
    for name, content in (
        ("lines.jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
        ("array.json", json.dumps(rows)),
        ("page.json", json.dumps({"data": rows, "meta": {"page": 1}})),
    ):
        (tmp_path / name).write_text(content)
        assert list(file_records(tmp_path / name)) == [(1, rows[0]), (2, rows[1])]


def test_what_cannot_be_decoded_comes_as_its_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{]\n7\n')
    assert list(file_records(path)) == [(1, {"a": 1}), (2, "bad_json"), (3, "not_an_object")]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"item": " i ", "rater": "ann", "verdict": "y"}, ("i", "ann", "y", None)),
        ({"decision_id": "d", "value": 0.5, "reference_value": "1"}, ("d", None, 0.5, None)),
        ({"item": 7, "value": True}, ("7", None, 1.0, None)),
        ({"item": "i", "value": ""}, ("i", None, None, None)),
        ({"item": "i"}, ("i", None, None, None)),
        ({"item": "i", "value": "a lot"}, ("i", None, None, "out_of_range")),
        ({"item": "i", "value": "nan"}, ("i", None, None, "out_of_range")),
        ({"item": "i", "value": 1, "reference_value": "a lot"}, ("i", None, None, "out_of_range")),
        ({"verdict": "y"}, ("", None, None, "no_item")),
    ],
)
def test_flat_labels(record, expected):
    found = flat_label(1, record, (0.0, 1.0))
    assert (found.item, found.rater, found.verdict, found.reason) == expected


def test_numbers_are_taken_by_their_scale():
    found = flat_label(1, {"item": "i", "value": 2, "reference_value": 5}, (1.0, 5.0))
    assert (found.verdict, found.reference_value) == (0.25, 1.0)
    assert scaled(1.0, (5.0, 1.0)) == 1.0


def test_times_of_zero_or_less_are_not_made_up():
    assert flat_label(1, {"item": "i", "verdict": "y", "seconds": "-3"}, (0.0, 1.0)).seconds is None
    assert flat_label(1, {"item": "i", "verdict": "y", "seconds": 4}, (0.0, 1.0)).seconds == 4.0


def test_ids_are_bounded():
    assert len(text_of({"item": "x" * 10_000}, "item")) == 256
    assert text_of({"item": True}, "item") is None
    assert number_of({}) is None


@pytest.mark.parametrize(("given", "expected"), [(12.5, 12.5), ("3", 3.0), (-1, None), (1e300, None), ("nan", None)])
def test_a_time_that_nobody_takes_is_none(given, expected):
    assert flat_label(1, {"item": "i", "verdict": "y", "seconds": given}, (0.0, 1.0)).seconds == expected
