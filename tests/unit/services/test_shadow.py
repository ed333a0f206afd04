import asyncio
import json
from datetime import UTC, datetime

import pytest

from shadow_requests import ASK, PRICES, BookInMemory, shadow_request
from undertow.adapters.wire import dialects
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.serving import EndpointPlan, TierPlan
from undertow.services.shadow import ShadowAnswers, ShadowParts
from undertow.services.watching_budget import WatchingBudget

CAPABLE = TierPlan(
    name="capable", model="large", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),), prices=(PRICES,)
)
FORMATS = {dialect.endpoint: dialect for dialect in dialects().values()}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def completion(text="On Monday.", usage=(100, 10), **message):
    body = {
        "model": "large-2026",
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}],
    }
    if usage:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return json.dumps(body).encode()


class Answer:
    headers, tries, is_event_stream = {}, 1, False

    def __init__(self, body):
        self.body = body

    async def read(self):
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


class Upstream:
    def __init__(self, *answers, kinds=("openai", "anthropic")):
        self.answers, self.asked, self.kinds = list(answers), [], kinds

    def speaks(self, kind):
        return kind in self.kinds

    async def ask(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer[0] if isinstance(answer, tuple) else answer)


class Stage:
    def __init__(self, *answers, tier=CAPABLE, limit=10.0, never=(), redact=None, **upstream):
        self.book = BookInMemory()
        self.upstream = Upstream(*answers, **upstream)
        clock = iter(float(second) for second in range(1000))
        self.answers = ShadowAnswers(
            ShadowParts(
                tier=tier,
                upstream=self.upstream,
                dialects=FORMATS,
                never=frozenset(never),
                budget=WatchingBudget("shadow", limit, self.book),
                now=lambda: next(clock),
                wall=lambda: NOON,
                redact=redact,
            )
        )

    def ask(self, request=None):
        return asyncio.run(self.answers.answer(request or shadow_request()))

    @property
    def spent(self):
        return self.book.read("shadow").usd


def test_a_pair_and_its_call():
    stage = Stage(completion())
    found = stage.ask()
    call, pair = found.call, found.pair
    assert (call.purpose, call.tier, call.model, call.status, call.segment) == (
        "shadow", "capable", "large-2026", "ok", {"intent": "billing"},
    )  # fmt: skip
    assert (call.input_tokens, call.output_tokens, call.latency_ms) == (100, 10, 1000.0)
    assert call.cost_usd == pytest.approx(100 * 1e-5 + 10 * 2e-5)
    assert stage.spent == pytest.approx(call.cost_usd)
    assert (pair.answer, pair.reference_answer) == ("It was sent on Monday.", "On Monday.")
    assert (pair.tier, pair.reference_tier, pair.reference_model) == ("cheap", "capable", "large-2026")
    assert (pair.inclusion_probability, pair.stratum, pair.confidence) == (0.02, "common", 0.9)
    assert pair.answered_at == call.at == "2026-03-01T12:00:00.000Z"


def test_the_tier_is_asked_whole_with_the_callers_tools_and_its_own_parameters():
    stage = Stage(
        completion(),
        tier=TierPlan(name="capable", model="large", endpoints=(), parameters={"reasoning_effort": "high"}),
    )
    tools = [{"type": "function", "function": {"name": "refund", "parameters": {}}}]
    headers = (("openai-beta", "x"), ("authorization", "Bearer stolen"), ("traceparent", "00-1"))
    stage.ask(shadow_request(body={**ASK, "stream": True, "tools": tools, "temperature": 0.2}, headers=headers))
    (asked,) = stage.upstream.asked
    sent = json.loads(asked.body)
    assert (sent["model"], sent["tools"], sent["temperature"]) == ("large", tools, 0.2)
    assert sent["reasoning_effort"] == "high"
    assert "stream" not in sent
    assert not asked.wants_stream
    assert asked.headers == ((b"openai-beta", b"x"),)


def test_a_call_of_a_tool_is_text_and_a_refusal_too():
    call = {"id": "c", "type": "function", "function": {"name": "refund", "arguments": '{"order": 7}'}}
    stage = Stage(completion(None, tool_calls=[call]), completion(None, refusal="I cannot."), completion(None))
    written = [stage.ask().pair.reference_answer for _ in range(3)]
    assert written == ['[calls refund({"order": 7})]', "I cannot.", ""]


@pytest.mark.parametrize(
    ("answer", "status", "is_charged"),
    [
        (UpstreamFailedError("timeout"), "timeout", True),
        (UpstreamFailedError("cut"), "cut", True),
        ((UpstreamFailedError("too_large"),), "too_large", True),
        (b"<html>", "garbage", True),
        (b'{"error": {"message": "x"}}', "garbage", True),
        (UpstreamFailedError("status", status=400), "http_400", False),
        (UpstreamFailedError("status", status=503), "http_503", False),
        (UpstreamFailedError("connect"), "connect", False),
        (UpstreamFailedError("breaker_open", tries=0), "breaker_open", False),
    ],
)
def test_a_failure_leaves_its_row_and_no_pair(answer, status, is_charged):
    stage = Stage(answer)
    found = stage.ask()
    assert (found.call.status, found.call.cost_usd, found.pair) == (status, None, None)
    # What a failed call has cost nobody knows: the budget counts the estimate, the ledger nothing.
    assert (stage.spent > 0) is is_charged


def test_a_segment_that_forbids_it_is_never_sent():
    stage = Stage(never=("intent=fraud",))
    found = stage.ask(shadow_request(segment={"intent": "fraud", "region": "eu"}))
    assert (found.call.status, found.pair, stage.upstream.asked) == ("forbidden", None, [])


@pytest.mark.parametrize(
    "request_",
    [
        shadow_request(body={**ASK, "tools": [{"type": "mcp", "server_url": "https://x"}]}),
        shadow_request(endpoint="responses", body={"model": "a", "input": "b", "conversation": "c"}),
        shadow_request(tier="capable"),
        shadow_request(body=[]),
    ],
)
def test_what_cannot_be_sent_twice_is_not(request_):
    stage = Stage()
    assert stage.ask(request_).call.status == "unsupported"
    assert stage.spent == 0.0


def test_a_format_that_the_tier_does_not_speak_is_not_sent():
    stage = Stage(kinds=("openai",))
    body = {"model": "m", "max_tokens": 5, "messages": ASK["messages"]}
    assert stage.ask(shadow_request(endpoint="messages", body=body)).call.status == "unsupported"


def test_the_budget_stops_it():
    stage = Stage(completion(), limit=0.001)
    assert stage.ask().call.status == "budget"
    assert stage.upstream.asked == []


def test_the_forecast_learns_how_long_answers_are():
    """Answers of 1,000 tokens at 2 cents: the second call is refused, since it would pass the limit."""
    limited = {**ASK, "max_tokens": 2000}
    stage = Stage(completion(usage=(100, 1000)), completion(usage=(100, 1000)), limit=0.03)
    assert stage.ask(shadow_request(1, body=limited)).call.status == "ok"
    assert stage.ask(shadow_request(2, body=limited)).call.status == "budget"


def test_without_a_price_the_cost_is_not_known_and_calls_are_counted():
    stage = Stage(completion(), tier=TierPlan(name="capable", model="large", endpoints=()))
    assert stage.ask().call.cost_usd is None
    assert (stage.spent, stage.book.read("shadow").unpriced) == (0.0, 1)


def test_usage_that_was_not_told_leaves_the_cost_unknown_and_the_estimate_spent():
    stage = Stage(completion(usage=None))
    assert stage.ask().call.cost_usd is None
    assert stage.spent > 0


def test_the_second_answer_goes_through_the_redaction_hook_once_as_the_first_has():
    stage = Stage(completion("call Ann"), redact=lambda text: f"<{text.replace('Ann', '[name]')}>")
    pair = stage.ask(shadow_request(prompt="<I am [name]>", answer="<Hello [name]>")).pair
    assert (pair.prompt, pair.answer, pair.reference_answer) == ("<I am [name]>", "<Hello [name]>", "<call [name]>")


@pytest.mark.parametrize("hook", [lambda _text: 1 / 0, lambda _text: None])
def test_what_cannot_be_redacted_is_not_kept(hook, caplog):
    stage = Stage(completion("secret"), redact=hook)
    found = stage.ask(shadow_request(prompt="secret"))
    assert (found.pair, found.is_unredacted, found.call.status) == (None, True, "ok")
    assert "secret" not in caplog.text


def test_texts_are_bounded_after_redaction():
    stage = Stage(completion("x" * 300_000))
    assert len(stage.ask().pair.reference_answer) == 200_000
