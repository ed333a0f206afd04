"""What is written down of a request: what it cost, what was delivered, and nothing that should not be kept."""

import asyncio

import msgspec
import pytest

from undertow.policies.base import Ask, Judgement
from undertow.records.sampling import Drawn, SampleRate, SamplingRates
from unit.services.stage import BUSY, Scripted, Stage, events, plan, whole


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


ALL = SamplingRates(rates=tuple(SampleRate(tier=tier, review=1.0, shadow=1.0) for tier in ("cheap", "capable")))


def purposes(record):
    return [draw.purpose for draw in record.draws or ()]


def test_every_decision_that_was_served_whole_is_drawn_and_its_probabilities_stand_in_the_record():
    rates = SamplingRates(
        rates=(
            SampleRate(tier="cheap", review=1.0, shadow=1e-9),
            SampleRate(tier="cheap", segment="intent=x", review=1.0),
        ),
        tail_cuts={"cheap": 0.3},
    )
    stage = Stage(plan(threshold=0.5), cheap=[whole(probability=0.6)], rates=rates)
    record = stage.request(labels={"intent": "x"})
    assert record.draws == (Drawn("review", "tail", 1.0, chosen=True), Drawn("shadow", "tail", 1e-9, chosen=False))
    ((drawn, incoming, facts),) = stage.drawn
    assert drawn is record
    assert facts.written == facts.text == "yes"
    assert incoming.read.fields["messages"]
    assert record.response is record.prompt is None, "the log itself keeps no text for that"
    assert stage.told[0][1].text is None


def test_nothing_is_collected_for_a_decision_that_cannot_be_chosen():
    rates = SamplingRates(rates=(SampleRate(tier="cheap", review=1e-12, shadow=1e-12),))
    stage = Stage(plan(), cheap=[whole()], rates=rates)
    record = stage.request()
    assert [draw.chosen for draw in record.draws] == [False, False]
    assert stage.drawn == []
    assert Stage(plan(), cheap=[whole()]).request().draws is None


def test_only_cheaper_answers_of_routed_requests_are_answered_again():
    escalated = Stage(plan(threshold=0.7), cheap=[whole(probability=0.1)], capable=[whole()], rates=ALL).request()
    assert (escalated.tier, purposes(escalated)) == ("capable", ["review"])
    observed = Stage(plan(mode="observe"), cheap=[whole()], rates=ALL)
    assert purposes(observed.request(model="cheap")) == ["review"]
    named = Stage(plan(), cheap=[whole()], rates=ALL)
    # Asked for by name, or all that a key allows: it must not be sent to another tier.
    assert purposes(named.request(model="cheap")) == ["review"]
    after_a_failure = Stage(
        plan(kind="split", shares={"cheap": 1.0, "capable": 0.0}), cheap=[BUSY], capable=[whole()], rates=ALL
    )
    record = after_a_failure.request()
    assert (record.status, purposes(record)) == ("fallback", ["review"])


def test_what_was_not_served_whole_or_is_no_traffic_is_not_drawn():
    failed = Stage(plan(), cheap=[BUSY], capable=[BUSY], rates=ALL)
    assert failed.request().draws is None
    cut = Stage(plan(kind="fixed", tier="capable"), capable=[events("a", done=False)], rates=ALL)
    assert cut.request(stream=True).draws is None
    suite = Stage(plan(), cheap=[whole()], rates=ALL)
    incoming = msgspec.structs.replace(suite.incoming(), origin="suite")
    asyncio.run(suite.route(incoming))
    assert suite.log.records[0].draws is None
    assert suite.drawn == failed.drawn == cut.drawn == []


def test_streams_are_drawn_with_all_of_their_text():
    stage = Stage(plan(kind="fixed", tier="cheap"), cheap=[events("one ", "two")], rates=ALL)
    stage.request(stream=True)
    ((_, _, facts),) = stage.drawn
    assert facts.text == "one two"


@pytest.mark.parametrize("streams", [False, True])
def test_a_policy_sees_no_more_of_what_is_drawn_than_of_the_rest(streams):
    """Else a confidence, or the features that a calibration to come is fitted on, would depend on being drawn."""

    def features(rates):
        answer_ = events("I am not sure.") if streams else whole("I am not sure.")
        stage = Stage(plan(threshold=0.5), cheap=[answer_], rates=rates)
        record = stage.request(stream=streams)
        return record.features, record.confidence, len(stage.drawn)

    drawn, plain = features(ALL), features(None)
    assert drawn[:2] == plain[:2]
    assert (drawn[2], plain[2]) == (1, 0)


def test_the_long_tail_is_told_by_confidence_and_agreement():
    rates = SamplingRates(rates=(SampleRate(tier="capable", review=1.0),), tail_cuts={"capable": 0.95})

    def stratum(probability, agreement):
        judgement = Judgement(confidence=probability, features={"agreement": agreement})
        ask = Ask("capable", hold=False, reason="unsure", judgement=judgement)
        stage = Stage(plan(), capable=[whole()], rates=rates, policy=Scripted(ask))
        return stage.request().draws[0].stratum

    assert stratum(0.9, 1.0) == "common"
    assert stratum(0.04, 1.0) == "tail"
    assert stratum(0.5, 0.05) == "tail"
