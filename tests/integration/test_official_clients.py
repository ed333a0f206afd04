"""The official `openai` and `anthropic` clients against `undertow serve`: nothing changes for them but `base_url`.

Each call leaves exactly one decision record, which the gateway shows under the id that the answer bears.
"""

# ruff: noqa: SIM117, PT012 (what is nested says what is inside of what: one record for all that raises)

import asyncio
import contextlib
import json

import anthropic
import openai
import pytest
from pydantic import BaseModel

from gateway_fakes.raw import post
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import UPSTREAM_KEY, running_gateway, settings_for

ASK = [{"role": "user", "content": "When was my invoice sent?"}]
TEXT = "The invoice was sent on Monday."
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
CLAUDE = """
[tiers.haiku]
model = "claude-small"
rank = 2
kind = "anthropic"
base_url = "{url}"
api_key_env = "UPSTREAM_KEY"
prices = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}
[tiers.opus]
model = "claude-large"
rank = 3
kind = "anthropic"
base_url = "{url}"
api_key_env = "UPSTREAM_KEY"
[policies.claude]
tiers = ["haiku", "opus"]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with (
        FakeUpstream() as upstream,
        running_gateway(
            tmp_path_factory.mktemp("gateway"),
            settings_for(upstream.base_url, CLAUDE.format(url=upstream.base_url)),
        ) as gateway,
    ):
        yield upstream, gateway


@pytest.fixture
def gateway(served):
    return served[1]


@pytest.fixture
def upstream(served):
    upstream = served[0]
    upstream.requests.clear()
    upstream._answers.clear()
    upstream._scripted.clear()
    return upstream


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="none") as client:
        yield client


@pytest.fixture
def claude(gateway):
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key="none") as client:
        yield client


@contextlib.contextmanager
def one_decision(gateway, **expected):
    """One record, with these values, and the gateway shows the same under its id."""
    with gateway.new_records() as records:
        yield records
    record = records[0]
    assert {name: record.get(name) for name in expected} == expected
    shown = gateway.decision(record["decision_id"])
    assert shown == record


# --- chat completions


def test_an_answer(client, gateway, upstream):
    with one_decision(gateway, tier="cheap", status="ok", reason="confident", requested_model="auto") as records:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=ASK, user="u1", metadata={"intent": "billing", "conversation_id": "c1"}
        )
    answer = raw.parse()
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].logprobs is None  # the gateway asked for them, the caller did not
    assert answer.usage.completion_tokens == 6
    assert raw.headers["x-undertow-decision-id"] == records[0]["decision_id"]
    assert raw.headers["x-undertow-tier"] == "cheap"
    assert raw.headers["x-undertow-model"] == "small"
    assert raw.headers["x-undertow-policy"] == "auto"
    assert float(raw.headers["x-undertow-confidence"]) == pytest.approx(0.95, abs=1e-6)
    record = records[0]
    assert (record["user_id"], record["conversation_id"], record["segment"]) == ("u1", "c1", {"intent": "billing"})
    assert record["cost_usd"] == pytest.approx((12 * 1.0 + 6 * 2.0) / 1e6)
    assert upstream.requests[0].json["logprobs"] is True
    assert upstream.requests[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


def test_an_unsure_answer_is_replaced_and_both_are_paid(client, gateway, upstream):
    upstream.answer("small", Reply(text="Perhaps.", confidence=0.3))
    with one_decision(gateway, tier="capable", first_tier="cheap", reason="unsure", escalated=True) as records:
        answer = client.chat.completions.create(model="auto", messages=ASK)
    assert answer.choices[0].message.content == TEXT
    assert [(call["tier"], call["status"]) for call in records[0]["calls"]] == [
        ("cheap", "discarded"),
        ("capable", "ok"),
    ]


def test_an_async_answer(gateway, upstream):
    async def ask():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key="none") as client:
            return await client.chat.completions.create(model="auto", messages=ASK)

    with one_decision(gateway, tier="cheap", status="ok"):
        assert asyncio.run(ask()).choices[0].message.content == TEXT


@pytest.mark.parametrize("model", ["auto", "capable"])
def test_a_stream(client, gateway, upstream, model):
    with one_decision(gateway, status="ok", finish_reason="stop", output_tokens=6):
        with client.chat.completions.create(model=model, messages=ASK, stream=True) as stream:
            chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert all(chunk.choices for chunk in chunks), "a caller that asked for no usage gets no chunk without choices"
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices[0].logprobs is None for chunk in chunks)
    assert upstream.requests[0].json["stream_options"] == {"include_usage": True}


def test_an_async_stream(gateway, upstream):
    async def ask():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key="none") as client:
            stream = await client.chat.completions.create(model="capable", messages=ASK, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    with one_decision(gateway, tier="capable", status="ok", reason="requested"):
        assert asyncio.run(ask()) == TEXT


def test_the_clients_own_accumulating_stream(client, gateway, upstream):
    with one_decision(gateway, status="ok"):
        with client.chat.completions.stream(model="auto", messages=ASK) as stream:
            assert "".join(event.delta for event in stream if event.type == "content.delta") == TEXT
            assert stream.get_final_completion().choices[0].message.content == TEXT


def test_usage_in_a_stream_for_those_who_ask(client, gateway, upstream):
    upstream.answer("small", Reply(input_tokens=100, cached_tokens=60, output_tokens=50, reasoning_tokens=30))
    with one_decision(gateway, input_tokens=100, output_tokens=50) as records:
        chunks = list(
            client.chat.completions.create(
                model="auto", messages=ASK, stream=True, stream_options={"include_usage": True}
            )
        )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 100
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 60
    assert records[0]["calls"][0]["cached_tokens"] == 60
    assert records[0]["calls"][0]["reasoning_tokens"] == 30


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_for_those_who_ask(client, gateway, upstream, stream):
    with one_decision(gateway, status="ok"):
        answer = client.chat.completions.create(
            model="auto", messages=ASK, logprobs=True, top_logprobs=2, stream=stream
        )
        tokens = (
            [
                token
                for chunk in answer
                for token in ((chunk.choices[0].logprobs or None) and chunk.choices[0].logprobs.content) or []
            ]
            if stream
            else answer.choices[0].logprobs.content
        )
    assert "".join(token.token for token in tokens) == TEXT
    assert {len(token.top_logprobs) for token in tokens} == {2}


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(client, gateway, upstream, stream):
    calls = (("get_weather", '{"city":"Paris","unit":"C"}'), ("get_weather", '{"city":"Rome"}'))
    upstream.answer("small", Reply(text=None, tool_calls=calls))
    with one_decision(gateway, status="ok", finish_reason="tool_calls", tier="cheap"):
        if stream:
            with client.chat.completions.stream(model="auto", messages=ASK, tools=TOOLS) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(model="auto", messages=ASK, tools=TOOLS).choices[0].message
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == list(calls)
    assert message.content is None


def test_structured_output(client, gateway, upstream):
    class Invoice(BaseModel):
        day: str
        amount: float

    upstream.answer("small", Reply(text='{"day": "Monday", "amount": 12.5}'))
    with one_decision(gateway, status="ok", tier="cheap"):
        parsed = client.chat.completions.parse(model="auto", messages=ASK, response_format=Invoice)
    assert parsed.choices[0].message.parsed == Invoice(day="Monday", amount=12.5)
    assert upstream.requests[0].json["response_format"]["type"] == "json_schema"


def test_several_choices(client, gateway, upstream):
    with one_decision(gateway, status="ok"):
        answer = client.chat.completions.create(model="auto", messages=ASK, n=2)
    assert [choice.message.content for choice in answer.choices] == [TEXT, TEXT]
    assert [choice.logprobs for choice in answer.choices] == [None, None]


@pytest.mark.parametrize("stream", [False, True])
def test_refusals_and_reasoning_are_passed_on(client, gateway, upstream, stream):
    upstream.answer("large", Reply(text=None, refusal="I cannot help with that.", reasoning="Let me see."))
    with one_decision(gateway, tier="capable"):
        answer = client.chat.completions.create(model="capable", messages=ASK, stream=stream)
        parts = [chunk.choices[0].delta for chunk in answer] if stream else [answer.choices[0].message]
    assert "".join(part.refusal or "" for part in parts) == "I cannot help with that."
    assert "".join(getattr(part, "reasoning_content", None) or "" for part in parts) == "Let me see."


def test_unknown_fields_go_both_ways(client, gateway, upstream):
    upstream.script(
        Reply(
            body=json.dumps(
                {"id": "x", "object": "chat.completion", "created": 1, "model": "small", "from_tomorrow": {"a": [1]},
                 "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]}
            ).encode()
        )
    )  # fmt: skip
    with one_decision(gateway, status="ok"):
        answer = client.chat.completions.create(
            model="capable", messages=ASK, reasoning_effort="low", extra_body={"new_field": {"deep": [1, 2]}}
        )
    assert answer.model_extra["from_tomorrow"] == {"a": [1]}
    assert upstream.requests[0].json["new_field"] == {"deep": [1, 2]}
    assert upstream.requests[0].json["reasoning_effort"] == "low"


def test_the_list_of_models(client):
    names = [model.id for model in client.models.list()]
    assert names[0] == "auto"
    assert {"cheap", "capable", "small", "large", "claude"} <= set(names)


def test_headers_of_the_upstream_that_are_meant_for_callers(client, gateway, upstream):
    told = {
        "x-request-id": "req_1", "x-ratelimit-limit-requests": "100", "x-ratelimit-reset-requests": "1s",
        "openai-processing-ms": "7", "set-cookie": "a=b", "x-internal": "secret", "server": "nginx",
    }  # fmt: skip
    upstream.answer("large", Reply(headers=told))
    with one_decision(gateway, status="ok"):
        raw = client.chat.completions.with_raw_response.create(model="capable", messages=ASK)
    shown = {name: raw.headers.get(name) for name in told}
    assert shown == told | {"set-cookie": None, "x-internal": None, "server": None}
    assert raw.request_id == "req_1"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_an_upstreams_error_raises_what_it_raises_without_a_gateway(client, gateway, upstream, status, error, stream):
    upstream.answer("large", Reply(status=status, headers={"retry-after": "300"}))
    with one_decision(gateway, status="error", error=f"http_{status}"):
        with pytest.raises(error) as raised:
            client.chat.completions.create(model="capable", messages=ASK, stream=stream)
    assert raised.value.status_code == status
    assert raised.value.response.headers["retry-after"] == "300"
    assert "as asked" in str(raised.value.body["message"])
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_an_upstream_that_refuses_our_credentials_is_no_callers_affair(client, gateway, upstream, status):
    upstream.answer("large", Reply(status=status))
    with one_decision(gateway, status="error", error=f"http_{status}"):
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(model="capable", messages=ASK)
    assert raised.value.status_code == 502
    assert raised.value.code == "upstream_refused"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_the_client_does_not_retry_what_the_gateway_has_given_up(client, gateway, upstream, status):
    upstream.answer("large", Reply(status=status))
    with one_decision(gateway, status="error"):
        with pytest.raises(openai.APIStatusError) as raised:
            client.with_options(max_retries=2).chat.completions.create(model="capable", messages=ASK)
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1


def test_errors_of_the_gateway_itself(client, gateway, upstream):
    with one_decision(gateway, status="refused", error="model_not_found", reason="refused"):
        with pytest.raises(openai.NotFoundError) as raised:
            client.chat.completions.create(model="no-such-model", messages=ASK)
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    with one_decision(gateway, status="refused"):
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="auto", messages="none")
    assert upstream.requests == []


@pytest.mark.parametrize("how", ["cut", "error"])
def test_a_stream_that_breaks_off_raises_and_keeps_what_came(client, gateway, upstream, how):
    upstream.answer("large", Reply(cut_after=4, gap_s=0.02, cut_how="close" if how == "cut" else "error"))
    seen = []
    with one_decision(gateway, status="error", tier="capable", delivered_chars=len("The invoice was ")):
        with (
            pytest.raises(openai.APIError),
            client.chat.completions.create(model="capable", messages=ASK, stream=True) as stream,
        ):
            for chunk in stream:
                seen.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 (what came before the error counts)
    assert "".join(seen) == "The invoice was "


def test_a_cheap_stream_that_breaks_off_is_replaced_by_the_capable_tiers(client, gateway, upstream):
    upstream.answer("small", Reply(cut_after=3))
    with one_decision(gateway, status="fallback", tier="capable", reason="upstream_error"):
        stream = client.chat.completions.create(model="auto", messages=ASK, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXT


def test_a_client_that_leaves_a_stream(client, gateway, upstream):
    upstream.answer("large", Reply(endless="drip"))
    with one_decision(gateway, status="abandoned", error="client_closed", tier="capable"):
        with client.chat.completions.create(model="capable", messages=ASK, stream=True) as stream:
            for number, _ in enumerate(stream):
                if number == 2:
                    break


# --- responses


def test_responses(client, gateway, upstream):
    with one_decision(gateway, tier="cheap", status="ok", endpoint="responses", reason="confident"):
        answer = client.responses.create(
            model="auto", input="When was my invoice sent?", metadata={"intent": "billing"}
        )
    assert answer.output_text == TEXT
    assert answer.usage.output_tokens == 6
    assert upstream.requests[0].path == "/v1/responses"


def test_streamed_responses(client, gateway, upstream):
    with one_decision(gateway, tier="cheap", status="ok", endpoint="responses"):
        events = list(client.responses.create(model="auto", input="When was my invoice sent?", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == TEXT


def test_async_responses_with_tools(gateway, upstream):
    upstream.answer("small", Reply(text=None, tool_calls=(("get_weather", '{"city":"Paris"}'),)))

    async def ask():
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key="none") as client:
            return await client.responses.create(
                model="auto",
                input="Weather?",
                tools=[{"type": "function", "name": "get_weather", "parameters": WEATHER}],
            )

    with one_decision(gateway, status="ok", endpoint="responses"):
        call = asyncio.run(ask()).output[0]
    assert (call.name, call.arguments) == ("get_weather", '{"city":"Paris"}')


def test_streamed_responses_that_break_off(client, gateway, upstream):
    upstream.answer("large", Reply(cut_after=6))
    with one_decision(gateway, status="error", endpoint="responses"):
        with pytest.raises(openai.APIError):
            list(client.responses.create(model="capable", input="When?", stream=True))


def test_errors_of_responses(client, gateway, upstream):
    upstream.answer("large", Reply(status=422))
    with one_decision(gateway, status="error", error="http_422"), pytest.raises(openai.UnprocessableEntityError):
        client.responses.create(model="capable", input="When?")
    with one_decision(gateway, status="refused"), pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody", input="When?")


# --- Anthropic messages

MESSAGE = {"max_tokens": 100, "messages": ASK}


def test_messages(claude, gateway, upstream):
    upstream.answer("claude-small", Reply(input_tokens=100, cached_tokens=60, output_tokens=50))
    with one_decision(gateway, tier="haiku", status="ok", endpoint="messages", input_tokens=100) as records:
        raw = claude.messages.with_raw_response.create(model="haiku", metadata={"user_id": "u7"}, **MESSAGE)
    answer = raw.parse()
    assert answer.content[0].text == TEXT
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (40, 60)
    assert raw.headers["x-undertow-tier"] == "haiku"
    assert records[0]["user_id"] == "u7"
    sent = upstream.requests[0]
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (
        UPSTREAM_KEY,
        anthropic.Anthropic(api_key="x").default_headers["anthropic-version"],
    )
    assert "authorization" not in sent.headers


def test_messages_are_routed_by_a_policy_of_tiers_that_speak_them(claude, gateway, upstream):
    # No log-probabilities in this format: nothing vouches for the cheap answer, so the capable tier's is served.
    with one_decision(gateway, tier="opus", first_tier="haiku", status="ok", policy="claude"):
        answer = claude.messages.create(model="claude", **MESSAGE)
    assert answer.content[0].text == TEXT


def test_streamed_messages(claude, gateway, upstream):
    with one_decision(gateway, tier="opus", status="ok", endpoint="messages", output_tokens=6):
        with claude.messages.stream(model="opus", **MESSAGE) as stream:
            assert "".join(stream.text_stream) == TEXT
            assert stream.get_final_message().usage.output_tokens == 6


def test_async_messages_with_tools(gateway, upstream):
    upstream.answer("claude-large", Reply(text=None, tool_calls=(("get_weather", '{"city":"Paris"}'),)))

    async def ask():
        async with anthropic.AsyncAnthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key="none") as client:
            tools = [{"name": "get_weather", "input_schema": WEATHER}]
            async with client.messages.stream(model="opus", tools=tools, **MESSAGE) as stream:
                streamed = await stream.get_final_message()
            return streamed, await client.messages.create(model="opus", tools=tools, **MESSAGE)

    with gateway.new_records(2) as records:
        answers = asyncio.run(ask())
    for answer in answers:
        assert (answer.stop_reason, answer.content[0].name) == ("tool_use", "get_weather")
        assert answer.content[0].input == {"city": "Paris"}
    assert [record["finish_reason"] for record in records] == ["tool_use", "tool_use"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (404, anthropic.NotFoundError),
        (413, anthropic.APIStatusError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
def test_errors_of_messages(claude, gateway, upstream, status, error):
    upstream.answer("claude-large", Reply(status=status))
    with one_decision(gateway, status="error", error=f"http_{status}"), pytest.raises(error) as raised:
        claude.messages.create(model="opus", **MESSAGE)
    assert raised.value.status_code == status
    assert raised.value.body["type"] == "error"
    assert len(upstream.requests) == 1


def test_errors_of_the_gateway_in_the_shape_of_messages(claude, gateway, upstream):
    with (
        one_decision(gateway, status="refused", error="model_not_found"),
        pytest.raises(anthropic.NotFoundError) as raised,
    ):
        claude.messages.create(model="claude-nobody", **MESSAGE)
    assert raised.value.body["error"]["type"] == "not_found_error"


def test_streamed_messages_that_break_off(claude, gateway, upstream):
    upstream.answer("claude-large", Reply(cut_after=5))
    with one_decision(gateway, status="error", tier="opus"):
        with pytest.raises(anthropic.APIStatusError), claude.messages.stream(model="opus", **MESSAGE) as stream:
            list(stream)


def test_a_tier_that_speaks_another_format_is_refused(claude, client, gateway, upstream):
    with one_decision(gateway, status="refused", error="wire_format_unsupported"):
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.create(model="cheap", **MESSAGE)
    with one_decision(gateway, status="refused", error="wire_format_unsupported"):
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="opus", messages=ASK)


# --- what comes after


def test_feedback_and_outcomes_find_their_decision_in_the_audit(client, gateway, upstream):
    with one_decision(gateway) as records:
        raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASK, user="u9")
    decision_id = raw.headers["x-undertow-decision-id"]
    assert decision_id == records[0]["decision_id"]
    thumb = {"decision_id": decision_id, "value": 1}
    for accepted, duplicates in ((1, 0), (0, 1)):
        answer = post(gateway.port, "/v1/feedback", thumb, idempotency_key="once")
        assert answer.status == 202
        assert (answer.json["accepted"], answer.json["duplicates"]) == (accepted, duplicates)
    outcomes = [{"user_id": "u9", "name": "ticket", "value": 1}, {"value": 2}]
    answer = post(gateway.port, "/v1/outcomes", outcomes)
    assert (answer.status, answer.json["rejected"][0]["index"]) == (202, 1)
    assert post(gateway.port, "/v1/feedback", {"decision_id": decision_id, "value": 5}).status == 422


def test_the_audit_counts_what_the_clients_did(client, gateway, upstream):
    from undertow.bootstrap.audit import AuditRequest, run_audit

    client.chat.completions.create(model="auto", messages=ASK)
    records = gateway.records()
    report = run_audit(AuditRequest(inputs=(str(gateway.store),)))
    assert report.coverage.decisions == len(records)
    assert report.coverage.duplicates == 0
    served = [record for record in records.values() if record.get("tier") == "cheap"]
    assert next(tier for tier in report.tiers if tier.tier == "cheap").decisions == len(served)
