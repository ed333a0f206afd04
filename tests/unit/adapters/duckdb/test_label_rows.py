"""Label rows: which labels cross, with which texts, and that no other text does."""

import json
from pathlib import Path

import numpy as np

from topic_log import read_rows
from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.adapters.store.row_log import PAIRS, SAMPLED, SKETCHES, RowLog
from undertow.ports.audit_source import CellOptions
from undertow.records.segment import Segment
from undertow.records.watched import AnswerPair, SampledText, TextSketch
from undertow.slices.keyed import SketchKey
from undertow.slices.sketch import sketch
from unit.adapters.duckdb.logs import decision, signal, write_jsonl


def test_labels_of_people_on_decisions_cross_with_the_texts_of_theirs(tmp_path):
    decisions = [decision(i, prompt=f"question {i}") for i in range(6)]
    signals = [
        signal(0, value=0.0),
        signal(1, inclusion_probability=0.25),
        signal(2, kind="judge", name="quality", source="judge:x"),
        signal(3, decision_id=None, conversation_id="c3"),
        signal(4, kind="outcome", name="ticket", value=3.0),
        signal(5, stratum="tail+intent=billing"),
    ]
    cells = read_rows(tmp_path, decisions, signals)
    rows = cells.rows
    assert sorted(rows.texts) == ["question 0", "question 1", "question 5"]
    assert sorted(rows.failure.tolist()) == [0.0, 0.0, 1.0]
    assert sorted(rows.weight.tolist()) == [2.0, 2.0, 4.0], "what steering drew counts by its weight"
    assert {cells.segments[code] for code in rows.segments.ravel().tolist()} == {Segment("intent", "billing")}
    assert {cells.tiers[code] for code in rows.tier.tolist()} == {"cheap"}
    assert {cells.signals[code] for code in rows.signal.tolist()} == {"review.accuracy"}


def test_a_log_without_texts_sends_labels_without(tmp_path):
    decisions = [*(decision(i) for i in range(3)), decision(3, tier="capable")]
    cells = read_rows(tmp_path, decisions, [signal(i) for i in range(4)])
    rows = cells.rows
    assert len(rows) == 3
    assert {cells.tiers[code] for code in rows.tier.tolist()} == {"cheap"}, (
        "the capable tier is searched for topics alone"
    )
    assert rows.left_out == 0
    assert rows.texts == ()
    assert (rows.text == -1).all()


def store(tmp_path: Path) -> DuckDbAuditSource:
    write_jsonl(tmp_path / "decisions" / "a.jsonl", [decision(i) for i in range(4)])
    write_jsonl(tmp_path / "signals" / "a.jsonl", [signal(i) for i in range(3)])
    return DuckDbAuditSource(LogInputs((str(tmp_path),)))


def sampled(number: int) -> SampledText:
    return SampledText(
        decision_id=f"d{number}", event_time="2026-03-01T00:00:00Z", tier="cheap", inclusion_probability=0.5, stratum="common",
        prompt=f"user: question {number}", answer="a secret answer",
    )  # fmt: skip


def test_a_stores_drawn_texts_and_pairs_stand_in(tmp_path):
    log = RowLog(tmp_path, SAMPLED, "w0")
    log.append(sampled(0), sampled(3))
    log.close()
    pairs = RowLog(tmp_path, PAIRS, "keeper")
    pairs.append(
        AnswerPair(
            decision_id="d1", event_time="2026-03-01T00:00:00Z", answered_at="2026-03-01T00:00:01Z", tier="cheap",
            reference_tier="capable", inclusion_probability=0.1, stratum="common", prompt="user: the pair", answer="x",
            reference_answer="y",
        )
    )  # fmt: skip
    pairs.close()
    rows = store(tmp_path).cells(CellOptions()).rows
    assert sorted(rows.texts) == ["user: question 0", "user: the pair"]
    assert sorted((rows.text >= 0).tolist()) == [False, True, True]


def test_a_kept_sketch_stands_in_where_the_text_is_gone_for_who_has_the_key(tmp_path):
    log, sketches, key = RowLog(tmp_path, SAMPLED, "w0"), RowLog(tmp_path, SKETCHES, "w0"), SketchKey(b"secret")
    log.append(sampled(0))
    for number in (0, 1, 3):
        hidden = key.hidden(sketch(f"question {number}"))
        sketches.append(TextSketch(decision_id=f"d{number}", at="2026-03-01T00:00:00Z", hidden=hidden))
    sketches.append(TextSketch(decision_id="d2", at="2026-03-01T00:00:00Z", hidden=(2**30,)))
    log.close()
    sketches.close()
    source = store(tmp_path)
    assert source.cells(CellOptions()).rows.texts == ("user: question 0",), "without a key they are not read"
    keyed = DuckDbAuditSource(LogInputs((str(tmp_path),), sketch_key=b"secret")).cells(CellOptions()).rows
    kept = dict(zip(keyed.texts, keyed.sketches, strict=True))
    assert kept == {"user: question 0": None, "": sketch("question 1")}
    assert sorted((keyed.text >= 0).tolist()) == [False, True, True]


def test_a_broken_line_beside_the_log_is_no_text(tmp_path):
    log = RowLog(tmp_path, SAMPLED, "w0")
    log.append(sampled(0))
    log.close()
    (path,) = (tmp_path / SAMPLED).glob("*.jsonl")
    path.write_bytes(
        path.read_bytes() + b'{"decision_id": 7}\n\xff\xfe\n' + json.dumps({"prompt": "x"}).encode() + b"\n"
    )
    assert store(tmp_path).cells(CellOptions()).rows.texts == ("user: question 0",)


def test_two_labels_of_one_decision_share_its_text(tmp_path):
    signals = [signal(0), signal(1, decision_id="d0", value=0.0)]
    rows = read_rows(tmp_path, [decision(0, prompt="q")], signals).rows
    assert rows.texts == ("q",)
    assert rows.text.tolist() == [0, 0]
    assert len(set(rows.decision.tolist())) == 1


def test_rows_are_in_order_of_time(tmp_path):
    rows = read_rows(
        tmp_path, [decision(i, hours=24.0 * i) for i in range(5)], [signal(i, hours=24.0 * (9 - i)) for i in range(5)]
    ).rows
    assert (np.diff(rows.available) >= 0).all()
    assert (np.diff(rows.decided) <= 0).all()
