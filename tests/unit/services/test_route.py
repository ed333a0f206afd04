"""The live driver against scripted upstreams: what the caller gets, what is recorded, and in which order."""

import asyncio
import json

import msgspec
import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.serving import HoldoutPlan
from undertow.services.admit import Context
from unit.services.stage import BUSY, Answer, Reply, Stage, answer, plan, stream, whole


def test_a_confident_cheap_answer_is_served_and_recorded_before_it_is_sent():
    stage = Stage(plan(threshold=0.7), cheap=[whole("yes", probability=0.9)])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "record", "end"]
    assert (record.tier, record.reason, record.status, record.escalated) == ("cheap", "confident", "ok", False)
    assert record.confidence == pytest.approx(0.9)
    assert record.confidence_kind == "uncalibrated"
    assert record.cost_usd == pytest.approx(10e-6 + 4e-6)
    assert stage.reply.served.tier == "cheap"
    assert stage.reply.served.confidence == pytest.approx(0.9)
    assert json.loads(stage.reply.body)["choices"][0]["logprobs"] is None, "asked for by the gateway alone"
    assert stage.cheap.asked[0]["logprobs"] is True


def test_an_unsure_cheap_answer_is_replaced_and_paid_for():
    stage = Stage(plan(threshold=0.95), cheap=[whole("hm", probability=0.5)], capable=[whole("sure")])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "ask capable", "record", "end"]
    assert (record.first_tier, record.tier, record.reason, record.escalated) == ("cheap", "capable", "unsure", True)
    assert [call.status for call in record.calls] == ["discarded", "ok"]
    assert record.cost_usd == pytest.approx(14e-6 + 56e-6)
    assert record.baseline_cost_usd == pytest.approx(56e-6), "the thrown-away answer is no part of the baseline"
    assert json.loads(stage.reply.body)["choices"][0]["message"]["content"] == "sure"
    assert record.confidence == pytest.approx(0.5), "the judgement that made it escalate"


@pytest.mark.parametrize(
    ("cheap", "reason"),
    [
        (BUSY, "upstream_error"),
        (UpstreamFailedError("timeout"), "upstream_error"),
        (Answer([b"<html>"], events=False), "upstream_error"),
        (Answer([b'{"error": {"message": "no"}}'], events=False), "upstream_error"),
        (Answer([answer()[:80]], events=False), "upstream_error"),
        (Answer([], events=False, fails=UpstreamFailedError("cut")), "upstream_error"),
        (whole(""), "empty_answer"),
        (Answer([answer().replace(b'"logprobs"', b'"other"')], events=False), "no_confidence"),
    ],
    ids=["503", "timeout", "html", "error body under 200", "truncated", "cut", "empty", "no log-probabilities"],
)
def test_whatever_is_wrong_with_the_cheap_answer_the_capable_tier_answers(cheap, reason):
    stage = Stage(plan(), cheap=[cheap], capable=[whole("sure")])
    record = stage.request()
    assert (record.tier, record.reason) == ("capable", reason)
    assert record.status == ("fallback" if reason == "upstream_error" else "ok")
    assert stage.reply.status == 200


def test_when_the_capable_tier_fails_nothing_cheaper_is_asked_or_served():
    stage = Stage(plan(threshold=0.95), cheap=[whole("hm", probability=0.5)], capable=[BUSY])
    record = stage.request()
    assert stage.journal == ["intent", "ask cheap", "ask capable", "record", "end"]
    assert (record.status, record.tier, record.error) == ("error", None, "http_503")
    assert stage.reply.status == 503
    assert stage.reply.headers[b"retry-after"] == b"7"
    assert json.loads(stage.reply.body)["error"]["message"] == "busy"
    assert record.cost_usd == pytest.approx(14e-6)


def test_an_upstream_that_refuses_our_credentials_says_nothing_of_them_to_the_caller():
    refused = UpstreamFailedError("status", status=401, body=b'{"error":{"message":"Incorrect API key sk-abc"}}')
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[refused])
    stage.request()
    assert stage.reply.status == 502
    assert b"sk-abc" not in stage.reply.body


def test_a_caller_that_leaves_while_the_cheap_answer_is_held_asks_no_dearer_tier():
    stage = Stage(plan(threshold=0.99))
    stage.cheap.replies = [
        Answer(stream("a", "b"), events=True, before_chunk=lambda n: stage.reply.disconnect() if n == 1 else None)
    ]
    record = stage.request(stream=True)
    assert "ask capable" not in stage.journal
    assert record.status == "abandoned"


def test_a_named_tier_is_asked_alone_and_its_failure_is_its_own():
    stage = Stage(plan(), cheap=[BUSY])
    record = stage.request(model="cheap-model")
    assert (record.reason, record.policy, record.status) == ("requested", None, "error")
    assert "ask capable" not in stage.journal


def test_the_holdout_is_served_by_the_capable_tier():
    stage = Stage(plan(), capable=[whole("sure")])
    stage.plan = msgspec.structs.replace(stage.plan, holdout=HoldoutPlan(share=0.5))
    stage.admission._plan = stage.plan
    records = []
    for number in range(20):
        stage.reply, stage.log.records = Reply(stage.journal), []
        stage.cheap.replies, stage.capable.replies = [whole("yes")], [whole("sure")]
        records.append(_as_user(stage, f"user-{number}"))
    held = [record for record in records if record.arm == "holdout"]
    assert 3 < len(held) < 17
    assert {(record.tier, record.reason) for record in held} == {("capable", "holdout")}
    assert {record.tier for record in records if record.arm == "treatment"} == {"cheap"}


def _as_user(stage, user):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}], "user": user}).encode()
    context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, {})
    incoming = stage.admission.admit(ChatDialect(), body, context)
    asyncio.run(stage.router.route(incoming, stage.reply))
    return stage.log.records[0]


def test_a_fault_of_ours_is_an_error_to_the_caller_and_a_record():
    stage = Stage(plan(kind="fixed", tier="capable"))
    stage.capable.ask = None
    record = stage.request()
    assert (stage.reply.status, record.status, record.error) == (500, "error", "internal")
