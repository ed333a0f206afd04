"""What is written down of a request: what it cost, what was delivered, and nothing that should not be kept."""

import asyncio

import pytest

from unit.services.stage import Stage, events, plan, whole


def test_an_empty_answer_of_the_last_tier_is_marked():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[whole("")])
    record = stage.request()
    assert (record.status, record.error, record.tier) == ("error", "empty_answer", "capable")


def test_a_caller_that_leaves_before_a_whole_answer_came_has_its_exact_cost_recorded():
    stage = Stage(plan(kind="fixed", tier="capable"), capable=[whole("sure", usage=(100, 50))])
    stage.reply.disconnected = False
    original = stage.capable.ask

    async def ask(request):
        stage.reply.disconnect()
        return await original(request)

    stage.capable.ask = ask
    record = stage.request()
    assert (record.status, record.output_tokens) == ("abandoned", 50)


def test_a_cancelled_request_leaves_its_record():
    stage = Stage(plan(kind="fixed", tier="capable"))

    async def ask(request):
        raise asyncio.CancelledError

    stage.capable.ask = ask
    with pytest.raises(asyncio.CancelledError):
        stage.request()
    assert [(r.status, r.error) for r in stage.log.records] == [("abandoned", "cancelled")]


def test_the_baseline_of_a_cheap_answer_uses_the_measured_ratio_of_lengths_or_is_absent():
    assert Stage(plan(), cheap=[whole()]).request().baseline_cost_usd is None
    record = Stage(plan(), cheap=[whole()], ratio=2.0).request()
    assert record.baseline_cost_usd == pytest.approx(10 * 4e-6 + 4 * 8e-6)


def test_text_is_kept_only_where_wanted_and_only_redacted():
    record = Stage(plan(), cheap=[whole("my card")]).request()
    assert (record.prompt, record.response) == (None, None)
    record = Stage(
        plan(), cheap=[whole("my card")], keeps_text=True, redact=lambda text: text.replace("card", "***")
    ).request()
    assert record.response == "my ***"
    assert "hi" in record.prompt

    def broken(text):
        raise ValueError(text)

    record = Stage(plan(), cheap=[whole("my card")], keeps_text=True, redact=broken).request()
    assert (record.prompt, record.response) == (None, None)


@pytest.mark.parametrize("streams", [False, True])
def test_who_left_before_anything_was_sent_was_served_nothing(streams):
    stage = Stage(plan(threshold=0.7))
    stage.cheap.replies = [events("a") if streams else whole("yes")]
    original = stage.cheap.ask

    async def ask(request):
        reply = await original(request)
        stage.reply.disconnect()
        return reply

    stage.cheap.ask = ask
    record = stage.request(stream=streams)
    assert (record.status, record.tier, record.delivered_chars) == ("abandoned", None, None)
