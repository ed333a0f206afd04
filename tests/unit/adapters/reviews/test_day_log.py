import json
from datetime import date

import duckdb
import pytest

from undertow.adapters.reviews.day_log import StoreDayLog
from undertow.adapters.reviews.store import StoreReviews
from undertow.records.columns import DRAW_COLUMNS
from undertow.records.review import DrawRow

DAY = date(2026, 3, 1)
AT = "2026-03-02T06:00:00.000Z"


def decision(number, **values):
    known = {
        "decision_id": f"d{number}", "event_time": f"2026-03-01T{number % 24:02}:00:00.250Z", "tier": "cheap", "origin": "live",
        "segment": {"intent": "ab"[number % 2], "plan": "free"}, "confidence": 0.5, "prompt": "asked", "response": "said",
    }  # fmt: skip
    return known | values


@pytest.fixture
def written(tmp_path):
    def write(rows, signals=(), texts=None):
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        names = ()
        if signals:
            (tmp_path / "signals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in signals))
            names = (str(tmp_path / "signals.jsonl"),)
        if texts is not None:
            (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
        return StoreDayLog(
            tmp_path / "store",
            (str(tmp_path / "log.jsonl"),),
            names,
            None if texts is None else tmp_path / "texts.jsonl",
        )

    return write


def test_the_served_live_decisions_of_the_day_each_once(written):
    rows = [decision(i) for i in range(4)] + [
        decision(1),
        decision(5, tier=None),
        decision(6, origin="suite"),
        decision(7, event_time="2026-03-02T00:00:00Z"),
        decision(8, event_time="2026-02-28T23:59:59Z"),
        decision(9, origin=None),
    ]
    frame = written(rows).read(DAY, None)
    assert [c.decision_id for c in frame.candidates] == ["d0", "d1", "d2", "d3", "d9"]
    assert frame.segment_key == "intent"
    assert not frame.is_drawn
    first = frame.candidates[0]
    assert (first.tier, first.segment, set(first.labels), first.confidence) == (
        "cheap",
        "intent=a",
        {"intent=a", "plan=free"},
        0.5,
    )


def test_a_key_can_be_named_and_without_any_there_is_one_piece(written):
    assert written([decision(0)]).read(DAY, "plan").candidates[0].segment == "plan=free"
    frame = written([decision(0, segment=None)]).read(DAY, None)
    assert (frame.segment_key, frame.candidates[0].segment, frame.candidates[0].labels) == (None, "", ())


def test_disagreement_is_that_of_samples_or_of_a_judge_whichever_is_more(written):
    rows = [
        decision(0, features={"agreement": 0.25}),
        decision(1),
        decision(2, features={"agreement": 1.0}),
        decision(3),
    ]
    signals = [
        {
            "signal_id": "s1",
            "event_time": AT,
            "decision_id": "d1",
            "kind": "judge",
            "name": "q",
            "value": 0.0,
            "reference_value": 1.0,
        },
        {"signal_id": "s2", "event_time": AT, "decision_id": "d2", "kind": "judge", "name": "q", "value": 0.25},
        {"signal_id": "s3", "event_time": AT, "decision_id": "d3", "kind": "thumb", "name": "q", "value": 0.0},
    ]
    frame = written(rows, signals).read(DAY, None)
    assert [c.disagreement for c in frame.candidates] == [0.75, 1.0, 0.75, None]
    assert frame.measured == {"confidence", "agreement", "judge"}


def test_what_scores_are_made_of_is_what_that_day_has(written):
    verdict = {"signal_id": "s1", "event_time": AT, "kind": "judge", "name": "q", "value": 1.0}
    another_day = decision(9, event_time="2026-03-02T00:00:00Z", novelty=1.0)
    rows = [decision(0), decision(1), another_day]
    assert written(rows, [verdict | {"decision_id": "d9"}]).read(DAY, None).measured == {"confidence"}
    assert written(rows, [verdict | {"decision_id": "d1"}]).read(DAY, None).measured == {"confidence", "judge"}
    rows = [decision(0, confidence=None, novelty=0.0)]
    assert written(rows).read(DAY, None).measured == {"novelty"}


def test_a_day_that_the_gateway_drew_is_drawn(written):
    draws = [{"purpose": "review", "stratum": "tail", "inclusion_probability": 0.1, "chosen": False}]
    assert written([decision(0, draws=draws)]).read(DAY, None).is_drawn
    assert not written([decision(0, draws=[draws[0] | {"purpose": "shadow"}])]).read(DAY, None).is_drawn


def test_draws_of_all_and_texts_of_the_chosen_are_kept(written, tmp_path):
    log = written([decision(0), decision(1), decision(2, prompt=None), decision(3)])
    rows = [
        DrawRow("d0", "tail", 0.5, True),
        DrawRow("d1", "tail", 0.5, False),
        DrawRow("d2", "common", 1.0, True),
        DrawRow("d3", "tail", 0.25, True),
    ]
    kept = log.keep(DAY, rows, AT)
    assert (kept.rows, kept.texts, kept.without_text) == (4, 2, ("d2",))
    with duckdb.connect() as engine:
        found = engine.execute(
            f"SELECT * FROM read_parquet('{tmp_path}/store/draws/date=2026-03-01/*.parquet', hive_partitioning = false) ORDER BY 1"
        ).fetchall()
        names = [column[0] for column in engine.description]
    assert names == [column.name for column in DRAW_COLUMNS]
    assert [(row[0], row[1].isoformat(), row[2:]) for row in found] == [
        ("d0", "2026-03-02T06:00:00", ("review", "tail", 0.5, True)),
        ("d1", "2026-03-02T06:00:00", ("review", "tail", 0.5, False)),
        ("d2", "2026-03-02T06:00:00", ("review", "common", 1.0, True)),
        ("d3", "2026-03-02T06:00:00", ("review", "tail", 0.25, True)),
    ]
    texts = {row.decision_id: row for row in StoreReviews(tmp_path / "store", "x").material().sampled}
    assert set(texts) == {"d0", "d3"}
    assert texts["d3"].event_time == "2026-03-01T03:00:00.250Z"
    assert (texts["d3"].prompt, texts["d3"].answer, texts["d3"].inclusion_probability) == ("asked", "said", 0.25)
    assert texts["d3"].segment == {"intent": "b", "plan": "free"}
    assert log.read(DAY, None).is_drawn


def test_texts_that_the_log_lacks_come_from_a_file(written, tmp_path):
    texts = [
        {"decision_id": "d0", "prompt": "from file", "answer": "a"},
        {"decision_id": "d1", "prompt": "not drawn", "answer": "b"},
        7,
    ]
    log = written([decision(0, prompt=None, response=None), decision(1, prompt=None)], texts=texts)
    log.keep(DAY, [DrawRow("d0", "tail", 0.5, True), DrawRow("d1", "tail", 0.5, False)], AT)
    (kept,) = StoreReviews(tmp_path / "store", "x").material().sampled
    assert (kept.decision_id, kept.prompt, kept.answer) == ("d0", "from file", "a")


def test_texts_are_cleaned_and_not_kept_where_that_fails(written, tmp_path):
    def clean(text):
        if text == "said 1":
            raise RuntimeError
        return text.replace("asked", "***")

    written([decision(0, response="said 0"), decision(1, response="said 1")])
    log = StoreDayLog(tmp_path / "store", (str(tmp_path / "log.jsonl"),), redact=clean)
    kept = log.keep(DAY, [DrawRow("d0", "tail", 0.5, True), DrawRow("d1", "tail", 0.5, True)], AT)
    assert kept.without_text == ("d1",)
    assert [row.prompt for row in StoreReviews(tmp_path / "store", "x").material().sampled] == ["***"]
