"""Labelled tables in every container, and a sentence where a column is missing."""

import json

import duckdb
import pytest

from undertow.adapters.training.labelled import first_columns, read_label, read_labelled
from undertow.errors import LogError

ROWS = [("where is it", 1), ("chargeback", 0), ("", 1), ("no label", None), ("odd label", "maybe")]


def write(path, kind):
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"prompt": t, "label": y}) + "\n" for t, y in ROWS) + "not json\n")
    elif kind == "json":
        path.write_text(json.dumps([{"prompt": t, "label": y} for t, y in ROWS]))
    elif kind == "csv":
        path.write_text("prompt,label\n" + "".join(f"{t},{'' if y is None else y}\n" for t, y in ROWS))
    else:
        values = ", ".join(f"('{t}', {'NULL' if y is None else repr(str(y))})" for t, y in ROWS)
        duckdb.sql(f"COPY (SELECT * FROM (VALUES {values}) t(prompt, label)) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_every_container(tmp_path, kind):
    path = tmp_path / f"labels.{kind}"
    write(path, kind)
    found = read_labelled([str(path)], "prompt", "label")
    assert [(e.text, e.is_easy, e.weight) for e in found.examples] == [
        ("where is it", True, 1),
        ("chargeback", False, 1),
    ]
    assert {name: n for name, n in found.reasons.items() if name != "bad_json"} == {"no_label": 2, "no_text": 1}
    assert found.reasons.get("bad_json", 0) == (kind == "jsonl")
    assert found.source == "column label"


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, True), (0, False), (True, True), (False, False), (0.5, True), (0.49, False), ("1", True), (" Easy ", True),
        ("HARD", False), ("false", False), ("0.9", True), (2, None), (-1, None), ("", None), (None, None), ("nan", None),
        (float("nan"), None), ([1], None), ("7", None),
    ],
)  # fmt: skip
def test_labels(value, label):
    assert read_label(value) is label


def test_a_missing_column_is_named_with_what_may_be_meant(tmp_path):
    path = tmp_path / "labels.jsonl"
    write(path, "jsonl")
    with pytest.raises(LogError, match=r"no column 'promt' \(--text-column\).*did you mean 'prompt'"):
        read_labelled([str(path)], "promt", "label")
    with pytest.raises(LogError, match=r"no column 'outcome' \(--label\); columns: label, prompt"):
        read_labelled([str(path)], "prompt", "outcome")


def test_the_first_row_tells_the_columns(tmp_path):
    path = tmp_path / "labels.jsonl"
    write(path, "jsonl")
    assert first_columns([str(path)]) == ("prompt", "label")
    with pytest.raises(LogError):
        first_columns([str(tmp_path / "none.jsonl")])


def test_texts_stay_out_of_reprs(tmp_path):
    path = tmp_path / "labels.jsonl"
    write(path, "jsonl")
    assert "chargeback" not in repr(read_labelled([str(path)], "prompt", "label"))
