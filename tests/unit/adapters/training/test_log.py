"""A log and its signals become examples, by stated rules."""

import json

import duckdb
import pytest

from undertow.adapters.training.log import parse_signal, read_log
from undertow.errors import DataError, UsageError

TIERS = ("cheap",)


def decision(number, tier="cheap", **other):
    return {
        "decision_id": f"d{number}",
        "event_time": "2026-01-01T00:00:00.000Z",
        "tier": tier,
        "prompt": f"text {number}",
    } | other


def signal(number, value=1.0, kind="review", name="accuracy", p=0.5, **other):
    row = {
        "signal_id": f"s{number}-{kind}-{name}",
        "event_time": "2026-01-02T00:00:00.000Z",
        "decision_id": f"d{number}",
        "kind": kind,
        "name": name,
        "value": value,
        "inclusion_probability": p,
    } | other
    return {key: item for key, item in row.items() if item is not None}


def store(tmp_path, decisions, signals):
    for folder, rows in (("decisions", decisions), ("signals", signals)):
        path = tmp_path / "store" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(tmp_path / "store")]


def read(tmp_path, decisions, signals, **options):
    found = read_log(store(tmp_path, decisions, signals), cheap_tiers=TIERS, **options)
    return {e.text: (e.is_easy, e.weight) for e in found.examples}, dict(found.reasons)


def test_quality_of_cheap_answers_is_the_label_and_the_inclusion_probability_its_weight(tmp_path):
    examples, reasons = read(
        tmp_path,
        [decision(1), decision(2), decision(3, "capable"), decision(4), decision(5, origin="suite")],
        [signal(1, 0.5), signal(2, 0.4, p=0.1), signal(3), signal(5), signal(6)],
    )
    assert examples == {"text 1": (True, 2.0), "text 2": (False, 10.0)}
    assert reasons == {"no_decision": 1, "not_live": 1, "not_served_cheaply": 1}


def test_a_review_counts_before_a_judge_and_several_are_averaged(tmp_path):
    examples, _ = read(
        tmp_path,
        [decision(1), decision(2)],
        [
            signal(1, 0.0),
            signal(1, 1.0, kind="judge", name="quality"),
            signal(2, 1.0),
            signal(2, 0.2, p=0.5, name="tone"),
            signal(2, 0.2, p=0.5, name="tone"),  # the same signal once more
        ],
    )
    assert examples == {"text 1": (False, 2.0), "text 2": (True, 2.0)}


def test_of_two_designs_that_reviewed_the_same_answer_one_counts(tmp_path):
    decisions = [decision(number) for number in range(1, 5)]
    plain = [signal(number, 1.0, p=0.25, source="plain") for number in (1, 2)]
    tail = [signal(number, 0.0, p=0.9, source="tail", signal_id=f"t{number}") for number in (2, 3, 4)]
    examples, reasons = read(tmp_path, decisions, plain + tail)
    assert examples == {"text 1": (True, 4.0), "text 2": (True, 4.0)}
    assert reasons == {"other_design": 3}
    found = read_log(store(tmp_path, decisions, plain + tail), cheap_tiers=TIERS)
    assert "review.accuracy of source 'plain' are used" in found.notes[0]
    assert read(tmp_path, decisions, plain)[1] == {}


def test_a_sampled_label_without_its_probability_is_left_out(tmp_path):
    examples, reasons = read(
        tmp_path,
        [decision(1), decision(2), decision(3), decision(4)],
        [signal(1, p=None), signal(2, p=None, selection="census"), signal(3, value=7.0), signal(4, p=0.0)],
    )
    assert examples == {"text 2": (True, 1.0)}
    assert reasons == {"bad_value": 1, "no_inclusion_probability": 2}


def test_a_signal_may_be_named(tmp_path):
    rows = (
        [decision(1), decision(2)],
        [signal(1, 1.0), signal(1, 0.0, name="tone"), signal(2, 1.0, kind="thumb", name="up", p=None)],
    )
    assert read(tmp_path, *rows, signal="review.tone")[0] == {"text 1": (False, 2.0)}
    found = read_log(store(tmp_path, *rows), cheap_tiers=TIERS, signal="thumb.up")
    assert [e.weight for e in found.examples] == [1.0]
    assert "volunteered" in found.notes[0]


def test_conversations_as_the_gateway_keeps_them_become_their_last_user_message(tmp_path):
    kept = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "where?"}])
    examples, reasons = read(
        tmp_path,
        [decision(1, prompt=kept), decision(2, prompt="[]  "), decision(3, prompt='""')],
        [signal(1), signal(2), signal(3)],
    )
    assert examples.keys() == {"where?", "[]  "}
    assert reasons == {"no_text": 1}


def test_damaged_lines_and_files_are_counted(tmp_path):
    inputs = store(tmp_path, [decision(1), decision(2, prompt=None)], [signal(1), signal(2)])
    with (tmp_path / "store" / "decisions" / "rows.jsonl").open("ab") as file:
        file.write(b'{"decision_id": "d\xff"}\n{"decision_id": "d3", "pro')
    found = read_log(inputs, cheap_tiers=TIERS)
    assert len(found.examples) == 1
    assert found.reasons["no_text"] == 1
    assert found.reasons.keys() & {"not_utf8", "torn_line"}


def test_parquet_and_more_files_of_signals(tmp_path):
    decisions, signals = tmp_path / "decisions.parquet", tmp_path / "reviews.jsonl"
    duckdb.sql(
        f"COPY (SELECT 'd1' AS decision_id, 'cheap' AS tier, 'text 1' AS prompt) TO '{decisions}' (FORMAT parquet)"
    )
    signals.write_text(json.dumps(signal(1)) + "\n")
    found = read_log([str(decisions)], cheap_tiers=TIERS, signals=[str(signals)])
    assert [e.text for e in found.examples] == ["text 1"]


def test_without_text_there_is_nothing_to_learn_from(tmp_path):
    row = decision(1)
    del row["prompt"]
    with pytest.raises(DataError, match=r"no column 'prompt'.*\[retention\]"):
        read(tmp_path, [row], [signal(1)])


def test_without_settings_every_tier_but_capable_is_cheap(tmp_path):
    def tiers(*names):
        rows = [decision(n, tier) for n, tier in enumerate(names)]
        found = read_log(store(tmp_path, rows, [signal(n) for n in range(len(names))]), cheap_tiers=None)
        return [e.text for e in found.examples]

    assert tiers("cheap", "capable", "medium") == ["text 0", "text 2"]
    with pytest.raises(DataError, match="large, small is the dearest"):
        tiers("small", "large")


@pytest.mark.parametrize("text", ["accuracy", "review.", "outcome.churn", "praise.x", ""])
def test_what_is_no_signal_is_refused(text):
    with pytest.raises(UsageError, match=r"review\.accuracy"):
        parse_signal(text)
