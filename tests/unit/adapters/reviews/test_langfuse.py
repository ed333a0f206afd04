import json

from undertow.adapters.reviews.langfuse import read_labels, write_sheets
from undertow.records.review import ReviewRules, Sheet

SCORE = {
    "id": "s1", "traceId": "i1", "name": "accuracy", "source": "ANNOTATION", "dataType": "NUMERIC", "value": 1, "authorUserId": "u1",
    "timestamp": "2026-03-01T12:00:00.000Z", "queueId": "q1", "comment": None,
}  # fmt: skip


def read(tmp_path, scores, scale=(0.0, 1.0)):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(scores))
    return list(read_labels(path, ReviewRules(), scale))


def test_traces_of_their_own_and_items_of_a_queue():
    at = "2026-03-01T12:00:00Z"
    document = json.loads(
        write_sheets([Sheet("i1", "?", "p", ("x",)), Sheet("i2", "?", "p", ("x", "y"))], ReviewRules(), at)
    )
    one, two = document["ingestion"]["batch"]
    assert (one["type"], one["timestamp"], one["body"]["id"], one["body"]["output"]) == ("trace-create", at, "i1", "x")
    assert two["body"]["output"] == {"a": "x", "b": "y"}
    assert [item["objectId"] for item in document["queue_items"]] == ["i1", "i2"]


def test_scores_by_people_are_labels(tmp_path):
    page = {
        "data": [
            SCORE,
            SCORE | {"dataType": "CATEGORICAL", "value": None, "stringValue": "tie"},
            SCORE | {"dataType": "BOOLEAN", "value": 0, "stringValue": "False"},
        ],
        "meta": {"page": 1},
    }
    found = read(tmp_path, page)
    assert [(x.item, x.rater, x.verdict, x.at) for x in found] == [
        ("i1", "u1", 1.0, SCORE["timestamp"]), ("i1", "u1", "tie", SCORE["timestamp"]), ("i1", "u1", 0.0, SCORE["timestamp"]),
    ]  # fmt: skip


def test_snake_case_and_another_scale(tmp_path):
    score = {
        "trace_id": "i1",
        "name": "accuracy",
        "source": "ANNOTATION",
        "data_type": "NUMERIC",
        "value": 3,
        "author_user_id": "u",
    }
    (found,) = read(tmp_path, [score], (1.0, 5.0))
    assert (found.item, found.rater, found.verdict) == ("i1", "u", 0.5)


def test_scores_of_programs_other_names_and_no_trace_are_set_aside(tmp_path):
    scores = [
        SCORE | {"source": "EVAL"},
        SCORE | {"source": "API"},
        SCORE | {"name": "tone"},
        SCORE | {"traceId": None},
        SCORE | {"value": "NaN"},
        5,
    ]
    assert [x.reason for x in read(tmp_path, scores)] == [
        "not_by_people", "not_by_people", "other_name", "no_item", "out_of_range", "not_an_object",
    ]  # fmt: skip
