import json

import pytest

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import PAIRS, SAMPLED, RowLog
from undertow.adapters.suites.live_texts import last_user_turn, read_live_texts
from undertow.errors import LogError
from undertow.records.decision import DecisionRecord
from undertow.records.serving import StorePlan
from undertow.records.watched import AnswerPair, SampledText

AT = "2026-03-01T12:00:00.000Z"


def sampled(name, text, p=0.5, **given):
    return SampledText(
        decision_id=name, event_time=AT, tier="cheap", inclusion_probability=p, stratum="common",
        prompt=f"system: s\n\nuser: {text}", answer="a", **given,
    )  # fmt: skip


def pair(name, text, p):
    return AnswerPair(
        decision_id=name, event_time=AT, answered_at=AT, tier="cheap", reference_tier="capable", inclusion_probability=p,
        stratum="common", prompt=f"user: {text}", answer="a", reference_answer="b",
    )  # fmt: skip


def fill(tmp_path, folder, *rows):
    log = RowLog(tmp_path, folder, "w0")
    log.append(*rows)
    log.close()


def test_like_texts_come_once_with_all_their_traffic(tmp_path):
    fill(
        tmp_path,
        SAMPLED,
        sampled("d1", "Where is it?", 0.5, segment={"intent": "a"}),
        sampled("d2", "where  is it?", 0.25),
    )
    fill(tmp_path, PAIRS, pair("d1", "Where is it?", 0.1), pair("d3", "Cancel it", 0.1))
    found = {one.text: one.traffic for one in read_live_texts(tmp_path)}
    assert found == {"Where is it?": 6.0, "Cancel it": 10.0}


def test_texts_kept_in_the_log_count_once_and_those_of_a_suite_not_at_all(tmp_path):
    log = StoreDecisionLog(StorePlan(path=str(tmp_path)), "w0")
    for name, origin, text in (("d1", "live", "one"), ("d2", "suite", "two"), ("d3", "live", None)):
        prompt = None if text is None else json.dumps([{"role": "user", "content": text}])
        log.finish(
            DecisionRecord(decision_id=name, event_time=AT, origin=origin, segment={"intent": "b"}, prompt=prompt)
        )
    log.close()
    (one,) = read_live_texts(tmp_path)
    assert (one.text, one.traffic, one.segment) == ("one", 1.0, {"intent": "b"})


def test_a_store_without_text_says_what_to_set(tmp_path):
    with pytest.raises(LogError, match=r"set \[retention\] sampled_text_days"):
        read_live_texts(tmp_path)


@pytest.mark.parametrize(
    ("transcript", "text"),
    [
        ("user: a\n\nassistant: b\n\nuser: c\n\nd", "c\n\nd"),
        ("user: a\n\ntool: {}", "a"),
        ("assistant: b", ""),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_the_last_user_turn(transcript, text):
    assert last_user_turn(transcript) == text
