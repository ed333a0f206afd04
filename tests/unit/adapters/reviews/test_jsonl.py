import json

from undertow.adapters.reviews.jsonl import read_labels, write_sheets
from undertow.records.review import ReviewRules, Sheet

SHEETS = (Sheet("i1", "Right?", "line one\nline two", ("served",)), Sheet("i2", "Right?", "?", ("one", "two")))


def test_what_was_exported_comes_back_with_its_verdicts(tmp_path):
    rows = [json.loads(line) for line in write_sheets(SHEETS, ReviewRules(), "").splitlines()]
    assert set(rows[0]) == {"item", "rubric", "prompt", "answer", "rater", "verdict", "name"}
    assert (rows[1]["answer_a"], rows[1]["answer_b"]) == ("one", "two")
    path = tmp_path / "back.jsonl"
    path.write_text("".join(json.dumps(row | {"rater": "ann", "verdict": "b"}) + "\n" for row in rows))
    assert [(x.row, x.item, x.rater, x.verdict) for x in read_labels(path, ReviewRules(), (0.0, 1.0))] == [
        (1, "i1", "ann", "b"), (2, "i2", "ann", "b"),
    ]  # fmt: skip


def test_labels_of_another_question_and_broken_lines_are_told_apart(tmp_path):
    path = tmp_path / "back.jsonl"
    path.write_text('{"item": "i", "name": "tone", "verdict": "y"}\n{]\n{"item": "i", "verdict": "y"}\n')
    assert [x.reason for x in read_labels(path, ReviewRules(), (0.0, 1.0))] == ["other_name", "bad_json", None]
