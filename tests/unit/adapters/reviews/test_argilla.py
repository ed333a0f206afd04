import json

from undertow.adapters.reviews.argilla import read_labels, write_sheets
from undertow.records.review import ReviewRules, Sheet


def read(tmp_path, records, scale=(0.0, 1.0)):
    path = tmp_path / "records.json"
    path.write_text(json.dumps(records))
    return [(x.row, x.item, x.rater, x.verdict, x.reason) for x in read_labels(path, ReviewRules(), scale)]


def test_records_have_the_shape_of_the_sdk():
    one, two = json.loads(
        write_sheets([Sheet("i1", "?", "p", ("x",)), Sheet("i2", "?", "p", ("x", "y"))], ReviewRules(), "")
    )
    assert set(one) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert one["fields"] == {"rubric": "?", "prompt": "p", "answer_a": "x"}
    assert two["fields"]["answer_b"] == "y"


def test_responses_to_the_question_of_the_signals_name_are_labels(tmp_path):
    records = [
        {"id": "i1", "responses": {"accuracy": [{"value": "y", "user_id": "u1"}, {"value": 4, "user_id": "u2"}], "tone": [{"value": "n", "user_id": "u1"}]}},
        {"id": "i2", "responses": {}},
        {"id": "i3"},
        {"responses": {"accuracy": [{"value": "y"}]}},
        {"id": "i4", "responses": {"accuracy": [{"value": None, "user_id": "u1"}, "y"]}},
    ]  # fmt: skip
    assert read(tmp_path, records, (1.0, 5.0)) == [
        (1, "i1", "u1", "y", None),
        (2, "i1", "u2", 0.75, None),
        (3, "", None, None, "no_item"),
        (4, "i4", "u1", None, "out_of_range"),
        (5, "i4", None, None, "not_an_object"),
    ]


def test_what_is_no_record_is_told(tmp_path):
    assert [
        row[4] for row in read(tmp_path, [7, {"id": "i", "responses": {"accuracy": [{"value": "n", "user_id": "u"}]}}])
    ] == ["not_an_object", None]
