"""Texts of drawn decisions: written out elsewhere, redacted or not kept, counted where they are lost, and never in a request's way."""

import json
import logging
import threading

import msgspec
import pytest

from undertow.adapters.store.row_log import SAMPLED, SKETCHES, RowLog, read_rows
from undertow.adapters.wire.chat import ChatDialect
from undertow.gateway import sampled
from undertow.gateway.sampled import DrawnTexts
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.sampling import Drawn
from undertow.records.watched import SampledText, TextSketch
from undertow.services.routing import Incoming
from undertow.slices.keyed import SketchKey
from undertow.slices.sketch import sketch

BODY = b'{"model": "auto",  "temperature":0.50, "messages": [{"role": "user", "content": "my card 4711"}], "metadata": {"intent": "billing"}}'
REVIEW = Drawn("review", "tail", 0.25, chosen=True)
SHADOW = Drawn("shadow", "common+intent=billing", 0.5, chosen=True)


def drawn(number: int = 1, *draws: Drawn, body: bytes = BODY, answer: str | None = "the answer 4711"):
    record = DecisionRecord(
        decision_id=f"d{number}",
        event_time="2026-03-01T12:00:00.000Z",
        tier="cheap",
        model="small",
        segment={"intent": "billing"},
        confidence=0.75,
        draws=draws or (REVIEW,),
        status="ok",
    )
    read = ChatDialect().read_request(body, max_nesting=100)
    incoming = Incoming(
        dialect=ChatDialect(),
        read=read,
        facts=read.facts,
        placement=None,  # type: ignore[arg-type]
        decision_id=record.decision_id,
        event_time=record.event_time,
        began=0.0,
        headers=((b"traceparent", b"00-1-2-01"), (b"openai-beta", b"x=1")),
    )
    return record, incoming, AnswerFacts(text=answer, written=answer)


class Kept:
    """What came of it."""

    def __init__(self, root, redact=None, *, has_log=True):
        self.root, self.requests, self.lost = root, [], []
        log = RowLog(root, SAMPLED, "w0") if has_log else None
        self.texts = DrawnTexts(log, redact, self.requests.append, self.lost.append)

    @property
    def rows(self):
        return read_rows(self.root, SAMPLED, SampledText).rows


def test_the_text_of_a_decision_drawn_for_review_is_kept_with_what_a_reviewer_needs(tmp_path):
    kept = Kept(tmp_path)
    kept.texts.take(*drawn())
    assert kept.rows == [], "nothing is written while a request is at work"
    kept.texts.sync()
    assert kept.rows == [
        SampledText(
            decision_id="d1",
            event_time="2026-03-01T12:00:00.000Z",
            tier="cheap",
            segment={"intent": "billing"},
            inclusion_probability=0.25,
            stratum="tail",
            confidence=0.75,
            prompt="user: my card 4711",
            answer="the answer 4711",
        )
    ]
    assert (kept.requests, kept.lost) == ([], [])


def test_a_text_says_with_which_probability_a_second_answer_was_drawn_too(tmp_path):
    kept = Kept(tmp_path)
    kept.texts.take(*drawn(1, REVIEW, SHADOW))
    kept.texts.take(*drawn(2, REVIEW, Drawn("shadow", "common", 0.5, chosen=False)))
    kept.texts.sync()
    assert {row.decision_id: row.shadow_probability for row in kept.rows} == {"d1": 0.5, "d2": None}


def test_what_is_answered_again_goes_on_with_the_caller_s_own_body_and_into_no_file(tmp_path):
    kept = Kept(tmp_path, lambda text: text.replace("4711", "#"))
    kept.texts.take(*drawn(1, SHADOW))
    kept.texts.take(*drawn(2, REVIEW, SHADOW))
    kept.texts.sync()
    one, both = kept.requests
    assert json.loads(one.body) == json.loads(BODY)
    assert b'"temperature":0.50' in one.body, "values are the caller's, byte for byte"
    assert (one.prompt, one.answer) == ("user: my card #", "the answer #")
    assert (one.endpoint, one.tier, one.model, one.stratum) == (
        "chat.completions",
        "cheap",
        "small",
        "common+intent=billing",
    )
    assert (one.inclusion_probability, one.review_probability, one.review_stratum) == (0.5, None, None)
    assert (both.review_probability, both.review_stratum) == (0.25, "tail")
    assert one.headers == (("openai-beta", "x=1"),)
    assert [row.decision_id for row in kept.rows] == ["d2"]


def test_what_was_not_chosen_goes_nowhere(tmp_path):
    kept = Kept(tmp_path)
    kept.texts.take(*drawn(1, Drawn("review", "tail", 0.25, chosen=False), SHADOW))
    kept.texts.sync()
    assert kept.rows == []
    assert len(kept.requests) == 1


@pytest.mark.parametrize("hook", [lambda _: 1 / 0, lambda _: None, lambda _: 7])
def test_a_text_that_cannot_be_redacted_is_kept_nowhere(tmp_path, hook, caplog):
    kept = Kept(tmp_path, hook)
    kept.texts.take(*drawn(1, REVIEW, SHADOW))
    with caplog.at_level(logging.WARNING):
        kept.texts.sync()
    assert (kept.rows, kept.requests, kept.lost) == ([], [], ["redaction"])
    assert "redaction_failed" in caplog.text


def test_no_log_line_quotes_a_text(tmp_path, caplog):
    def hook(text):
        raise ValueError(text)

    kept = Kept(tmp_path, hook)
    kept.texts.take(*drawn())
    with caplog.at_level(logging.DEBUG):
        kept.texts.sync()
    assert "4711" not in caplog.text


def test_a_disk_that_fails_costs_a_text_and_nothing_else(tmp_path):
    (tmp_path / SAMPLED).write_text("in the way")
    kept = Kept(tmp_path)
    kept.texts.take(*drawn(1, REVIEW, SHADOW))
    kept.texts.sync()
    assert kept.lost == ["disk"]
    assert len(kept.requests) == 1
    (tmp_path / SAMPLED).unlink()
    kept.texts.take(*drawn(2))
    kept.texts.sync()
    assert [row.decision_id for row in kept.rows] == ["d2"]


def test_one_text_that_fails_stops_no_other(tmp_path):
    kept = Kept(tmp_path)
    kept.texts.take(*drawn(1, answer=None))
    kept.texts.take(*drawn(2))
    kept.texts.sync()
    assert kept.lost == ["error"]
    assert [row.decision_id for row in kept.rows] == ["d2"]


def test_more_than_fits_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "MOST_WAITING", 2)
    kept = Kept(tmp_path)
    for number in range(4):
        kept.texts.take(*drawn(number))
    assert kept.lost == ["full", "full"]
    kept.texts.sync()
    kept.texts.take(*drawn(9))
    kept.texts.sync()
    assert [row.decision_id for row in kept.rows] == ["d0", "d1", "d9"]


def test_so_are_more_bytes_than_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "MOST_WAITING_BYTES", 200)
    kept = Kept(tmp_path)
    for number in range(4):
        kept.texts.take(*drawn(number))
    assert len(kept.lost) == 2
    kept.texts.sync()
    kept.texts.take(*drawn(9))
    assert len(kept.lost) == 2, "what was written out waits no longer"
    huge = drawn(10, body=msgspec.json.encode({"model": "a", "messages": [{"role": "user", "content": "x" * 1_000}]}))
    kept.texts.sync()
    kept.texts.take(*huge)
    kept.texts.sync()
    assert kept.rows[-1].decision_id == "d10", "one that is large by itself has its turn"


def test_without_retention_nothing_is_written_and_second_answers_go_on(tmp_path):
    kept = Kept(tmp_path, has_log=False)
    kept.texts.take(*drawn(1, REVIEW, SHADOW))
    kept.texts.close()
    assert kept.rows == []
    assert len(kept.requests) == 1
    assert not (tmp_path / SAMPLED).exists()


def test_a_slow_hook_holds_up_the_end_for_a_few_seconds_and_the_rest_is_counted(tmp_path):
    now, lost = [0.0], []

    def slow(text):
        now[0] += 0.5
        return text

    texts = DrawnTexts(RowLog(tmp_path, SAMPLED, "w0"), slow, lambda _: None, lost.append, monotonic=lambda: now[0])
    for number in range(20):
        texts.take(*drawn(number))
    texts.sync()
    assert texts.is_dirty
    assert len(read_rows(tmp_path, SAMPLED, SampledText).rows) == 1
    texts.close()
    kept = len(read_rows(tmp_path, SAMPLED, SampledText).rows)
    assert kept == 1 + 3
    assert lost == ["full"] * (20 - kept)


def test_it_is_dirty_while_something_waits_and_now_and_then(tmp_path):
    now = [0.0]
    texts = DrawnTexts(RowLog(tmp_path, SAMPLED, "w0"), None, lambda _: None, lambda _: None, monotonic=lambda: now[0])
    texts.sync()
    assert not texts.is_dirty
    texts.take(*drawn())
    assert texts.is_dirty
    texts.sync()
    assert not texts.is_dirty
    now[0] += sampled.TICK_S
    assert texts.is_dirty, "a segment that is a day old must be closed though nothing comes"
    texts.close()


def test_both_threads_can_be_at_work(tmp_path):
    kept = Kept(tmp_path)
    over = threading.Event()

    def write():
        while not over.is_set():
            kept.texts.sync()

    other = threading.Thread(target=write)
    other.start()
    for number in range(300):
        kept.texts.take(*drawn(number))
    over.set()
    other.join()
    kept.texts.close()
    assert [row.decision_id for row in kept.rows] == [f"d{number}" for number in range(300)]
    assert kept.lost == []


def test_a_sketch_is_kept_of_what_was_asked_though_no_text_is(tmp_path):
    key, requests = SketchKey(b"secret"), []
    texts = DrawnTexts(
        None,
        lambda text: text.replace("4711", "#"),
        requests.append,
        print,
        sketches=(RowLog(tmp_path, SKETCHES, "w0"), key),
    )
    texts.take(*drawn(1, REVIEW))
    texts.take(*drawn(2, SHADOW))
    texts.sync()
    rows = read_rows(tmp_path, SKETCHES, TextSketch).rows
    assert [row.decision_id for row in rows] == ["d1", "d2"]
    assert {key.shown(row.hidden) for row in rows} == {sketch("my card #")}, "of the last message alone, and redacted"
    assert not (tmp_path / SAMPLED).exists()
    texts.close()
    assert not list((tmp_path / SKETCHES).glob("*.open"))


def test_what_cannot_be_redacted_leaves_no_sketch_either(tmp_path):
    lost = []
    texts = DrawnTexts(
        None, lambda _: 1 / 0, print, lost.append, sketches=(RowLog(tmp_path, SKETCHES, "w0"), SketchKey(b"secret"))
    )
    texts.take(*drawn())
    texts.close()
    assert lost == ["redaction"]
    assert read_rows(tmp_path, SKETCHES, TextSketch).rows == []
