"""A table that somebody evaluated becomes labelled answers."""

import json

import duckdb
import numpy as np
import pytest

from undertow.adapters.training.answer_table import read_answer_table
from undertow.errors import DataError, LogError


def table(tmp_path, rows, name="t.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(path)]


def rows(n=4, **other):
    return [{"p": 0.1 + 0.2 * i, "ok": i % 2} | {key: value[i] for key, value in other.items()} for i in range(n)]


def test_a_probability_is_taken_for_the_answers_mean_log_probability(tmp_path):
    found = read_answer_table(table(tmp_path, rows()), label="ok", score="p")
    assert found.features["mean_logprob"] == pytest.approx(np.log([0.1, 0.3, 0.5, 0.7]))
    assert found.good.tolist() == [False, True, False, True]
    assert found.weight.tolist() == [1.0] * 4
    assert found.source == "column ok"
    assert "every label counts the same" in found.notes[0]


@pytest.mark.parametrize(
    ("values", "score_is", "name", "expected"),
    [
        ([-2.0, -0.1], "auto", "mean_logprob", [-2.0, -0.1]),
        ([0.0, 1.0], "auto", "mean_logprob", [np.log(1e-6), 0.0]),
        ([3.0, -1.0], "auto", "s", [3.0, -1.0]),
        ([0.2, 0.4], "number", "s", [0.2, 0.4]),
        ([-0.2, -0.4], "log-probability", "mean_logprob", [-0.2, -0.4]),
    ],
)
def test_what_a_score_is_is_told_from_its_values_or_said(tmp_path, values, score_is, name, expected):
    given = [{"s": value, "ok": 1} for value in values]
    found = read_answer_table(table(tmp_path, given), label="ok", score="s", score_is=score_is)
    assert found.features[name] == pytest.approx(expected)


@pytest.mark.parametrize(("value", "score_is"), [(1.5, "probability"), (-0.1, "probability"), (0.1, "log-probability")])
def test_a_score_that_is_not_what_it_is_said_to_be_is_refused(tmp_path, value, score_is):
    with pytest.raises(DataError, match=rf"'s' .* holds {value}, and a {score_is} is .*--score-is"):
        read_answer_table(table(tmp_path, [{"s": value, "ok": 1}]), label="ok", score="s", score_is=score_is)


def test_columns_that_are_features_are_those_features(tmp_path):
    given = rows(p_true=[0.1, 0.2, None, "x"], mean_logprob=[-1, -2, -3, None], vibes=[1, 2, 3, 4])
    found = read_answer_table(table(tmp_path, given), label="ok")
    assert found.features.keys() == {"p_true", "mean_logprob"}
    assert np.isnan(found.features["p_true"]).tolist() == [False, False, True, True]
    assert read_answer_table(table(tmp_path, given), label="ok", score="p_true").features.keys() == {"p_true"}


def test_how_many_first_tokens_were_looked_at_is_read_as_it_is(tmp_path):
    given = rows(**{"prefix.mean_logprob": [-1, -2, -3, -4], "prefix.tokens": [16, 16, 32, None]})
    found = read_answer_table(table(tmp_path, given), label="ok")
    assert found.features.keys() == {"prefix.mean_logprob", "prefix.tokens"}
    assert found.features["prefix.tokens"][:3].tolist() == [16.0, 16.0, 32.0]


def test_weights_come_of_inclusion_probabilities_and_a_label_without_one_is_set_aside(tmp_path):
    given = rows(inclusion_probability=[0.5, 0.1, None, 1.5])
    found = read_answer_table(table(tmp_path, given), label="ok", score="p")
    assert found.weight.tolist() == [2.0, 10.0]
    assert found.reasons == {"no_inclusion_probability": 2}
    assert not found.notes
    weighed = read_answer_table(table(tmp_path, rows(weight=[1, 4, 0, "much"])), label="ok", score="p")
    assert weighed.weight.tolist() == [1.0, 4.0]


def test_segments_costs_and_text_are_read_where_they_are(tmp_path):
    given = rows(
        task=["a", None, "b", 3],
        cheap_cost_usd=[1, None, 2, 3],
        capable_cost_usd=[9, 9, 9, 9],
        prompt=["x", "", None, "y"],
    )
    found = read_answer_table(table(tmp_path, given), label="ok", score="p", segment="task")
    assert found.segments == ({"task": "a"}, {}, {"task": "b"}, {"task": "3"})
    assert np.isnan(found.cheap_cost_usd).tolist() == [False, True, False, False]
    assert found.capable_cost_usd.tolist() == [9.0] * 4
    assert found.texts == ("x", "", "", "y")
    bare = read_answer_table(table(tmp_path, rows()), label="ok", score="p")
    assert bare.cheap_cost_usd is None
    assert bare.texts == ()


def test_csv_and_parquet_and_arrays_say_the_same(tmp_path):
    (tmp_path / "t.csv").write_text("p,ok\n0.1,no\n0.3,yes\n0.5,maybe\n")
    (tmp_path / "t.json").write_text(json.dumps([{"p": 0.1, "ok": 0.2}, {"p": 0.3, "ok": 0.9}, {"p": 0.5}]))
    duckdb.sql(
        f"COPY (SELECT * FROM (VALUES (0.1, false), (0.3, true), (0.5, NULL)) t(p, ok)) TO '{tmp_path}/t.parquet'"
    )
    for name in ("t.csv", "t.json", "t.parquet"):
        found = read_answer_table([str(tmp_path / name)], label="ok", score="p")
        assert np.exp(found.features["mean_logprob"]) == pytest.approx([0.1, 0.3])
        assert found.good.tolist() == [False, True]
        assert found.reasons == {"no_label": 1}


def test_lines_that_are_none_are_counted(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"p": 0.5, "ok": 1}\n3\n{"p": 0.')
    found = read_answer_table([str(path)], label="ok", score="p")
    assert len(found) == 1
    assert sum(found.reasons.values()) == 2


def test_a_column_that_is_not_there_is_named_with_the_nearest_one(tmp_path):
    paths = table(tmp_path, rows())
    with pytest.raises(LogError, match=r"no column 'okk' \(--label\) \(did you mean 'ok'\?\); columns: ok, p"):
        read_answer_table(paths, label="okk", score="p")
    with pytest.raises(LogError, match=r"\(--score\); columns"):
        read_answer_table(paths, label="ok", score="confidence")
    with pytest.raises(LogError, match=r"\(--segment\)"):
        read_answer_table(paths, label="ok", score="p", segment="task")
