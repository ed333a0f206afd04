"""Further calls about an answer that is held: what they cost, what they say, and that none of them can do harm."""

import asyncio
import json
import math

import pytest

from undertow.policies.base import Ask, Release, Sample, SelfCheck
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.answer import Evidence
from undertow.services.checking import MOST_SAMPLES
from unit.services.stage import BUSY, Answer, Coming, Flow, Scripted, Stage, plan, stream, whole

HOLD = Ask("cheap", hold=True, reason="cascade")
KEEP = Release("cheap", "confident")
NEEDS = Evidence(logprobs=True, text=True)


def verdict(p_true, usage=(50, 1)):
    """What a tier answers when it is asked whether its answer is right."""
    top = [
        {"token": word, "logprob": math.log(p), "bytes": None} for word, p in (("True", p_true), ("False", 1 - p_true))
    ]
    first = {"token": "True", "logprob": math.log(p_true), "bytes": None, "top_logprobs": top}
    choice = {
        "index": 0, "message": {"role": "assistant", "content": "True"}, "logprobs": {"content": [first]},
        "finish_reason": "length",
    }  # fmt: skip
    document = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    document["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return Answer([json.dumps(document).encode()], events=False)


def stage_of(*commands, **options):
    policy = Scripted(HOLD, *commands, KEEP, needs=NEEDS)
    return Stage(plan(), policy=policy, **options), policy


def test_a_tier_is_asked_whether_its_answer_is_right():
    stage, policy = stage_of(SelfCheck("cheap"), cheap=[whole("The 4th."), verdict(0.8)])
    record = stage.request()
    assert policy.events[1].p_true == pytest.approx(0.8)
    assert "The 4th." in json.dumps(stage.cheap.asked[1]["messages"])
    assert stage.cheap.asked[1].get("stream") in {None, False}
    assert [(call.purpose, call.status, call.input_tokens) for call in record.calls] == [
        ("serve", "ok", 10),
        ("self_check", "ok", 50),
    ]
    assert record.cost_usd == pytest.approx(14e-6 + 52e-6)
    assert record.response is None, "only the policy needed the text"
    assert stage.told[0][1].text is None
    assert stage.told[0][1].tokens is None


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        (BUSY, "http_503"),
        (Answer([b"<html>"], events=False), "garbage"),
        (Answer([], events=False, fails=UpstreamFailedError("cut")), "cut"),
        (whole("True"), "ok"),
    ],
    ids=["503", "html", "cut", "no alternatives"],
)
def test_whatever_is_wrong_with_a_self_check_there_is_no_number_and_no_harm(answered, status):
    stage, policy = stage_of(SelfCheck("cheap"), cheap=[whole("yes"), answered])
    record = stage.request()
    assert policy.events[1].p_true is None
    assert (record.tier, record.status) == ("cheap", "ok")
    assert (record.calls[1].purpose, record.calls[1].status) == ("self_check", status)


def test_what_cannot_be_asked_costs_nothing():
    stage, policy = stage_of(SelfCheck("cheap"), cheap=[whole("yes")])
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    record = stage.request(messages=[{"role": "user", "content": [image]}])
    if policy.told[0] == "Held":  # images may be kept off the cheap tier before
        assert policy.events[1].p_true is None
        assert len(record.calls) == 1


def test_samples_are_drawn_at_once_and_compared():
    waiting = [Coming(whole(text)) for text in ("Yes.", "no", "yes")]
    stage, policy = stage_of(Sample("cheap", 3), cheap=[whole("yes"), *waiting])
    asked = stage.cheap.ask

    async def ask(request):
        if len(stage.cheap.asked) == 3:  # the last one is on its way: all may be answered now
            for coming in waiting:
                coming.event.set()
        return await asked(request)

    stage.cheap.ask = ask
    record = stage.request()
    assert policy.events[1].agreement == pytest.approx(2 / 3)
    assert [body["temperature"] for body in stage.cheap.asked[1:]] == [0.7] * 3
    assert "temperature" not in stage.cheap.asked[0]
    assert [call.purpose for call in record.calls] == ["serve", *["self_check"] * 3]
    assert record.cost_usd == pytest.approx(4 * 14e-6)


def test_samples_that_fail_are_left_out():
    stage, policy = stage_of(Sample("cheap", 3), cheap=[whole("yes"), BUSY, whole("yes"), whole("")])
    stage.request()
    assert policy.events[1].agreement == 1.0
    stage, policy = stage_of(Sample("cheap", 2), cheap=[whole("yes"), BUSY, BUSY])
    stage.request()
    assert policy.events[1].agreement is None


def test_no_policy_draws_without_bound():
    stage, _ = stage_of(Sample("cheap", 1000), cheap=[whole("yes"), *[whole("yes") for _ in range(1000)]])
    assert len(stage.request().calls) == 1 + MOST_SAMPLES


def test_the_caller_of_a_stream_that_leaves_ends_the_further_calls_too():
    never = asyncio.Event()
    check = Flow([never])

    async def read():
        asyncio.get_running_loop().call_later(0.01, stage.reply.disconnect)
        await never.wait()
        raise UpstreamFailedError("aborted")

    check.read = read
    stage, policy = stage_of(SelfCheck("cheap"), cheap=[Flow(stream("a")), check])
    record = stage.request(stream=True)
    assert policy.told[:2] == ["Held", "Checked"]
    assert (record.status, record.tier) == ("abandoned", None)
    assert record.calls[1].status == "aborted"


def test_a_caller_that_has_left_is_asked_about_no_more():
    stage, policy = stage_of(SelfCheck("cheap"))
    stage.cheap.replies = [whole("yes")]
    original = stage.cheap.ask

    async def ask(request):
        stage.reply.disconnect()
        return await original(request)

    stage.cheap.ask = ask
    record = stage.request()
    assert len(stage.cheap.asked) == 1
    assert (record.status, record.error) == ("abandoned", "client_closed")
    assert policy.told == ["Held"]


def test_a_request_that_is_cancelled_while_samples_are_drawn_notes_them():
    stage, _ = stage_of(Sample("cheap", 2))
    waiting = [Coming(whole()), Coming(whole())]
    stage.cheap.replies = [whole("yes"), *waiting]

    async def main():
        task = asyncio.ensure_future(stage.route(stage.incoming()))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    (record,) = stage.log.records
    assert all(coming.was_cancelled for coming in waiting)
    assert [call.status for call in record.calls] == ["discarded", "abandoned", "abandoned"]
    assert (record.status, record.error) == ("abandoned", "cancelled")
