"""The fakes are what the gateway's tests stand on, so the official clients must find them faithful."""

import anthropic
import openai
import pytest

from gateway_fakes.raw import RawConnection, exchange, get, post, request_bytes
from gateway_fakes.reply import Reply, reply_for
from gateway_fakes.upstream import FakeUpstream, closed_port

ASK = [{"role": "user", "content": "When was my invoice sent?"}]
TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]


@pytest.fixture
def upstream():
    with FakeUpstream() as running:
        yield running


@pytest.fixture
def client(upstream):
    with openai.OpenAI(base_url=upstream.base_url, api_key="k", max_retries=0, timeout=5) as made:
        yield made


def test_the_openai_client_reads_a_chat_answer_with_its_logprobs(client):
    answer = client.chat.completions.create(model="confidence-0.5", messages=ASK, logprobs=True)
    assert answer.choices[0].message.content == Reply().text
    assert answer.choices[0].logprobs.content[0].logprob == pytest.approx(-0.693, abs=0.001)
    assert answer.usage.completion_tokens == 6


def test_the_openai_client_reads_a_chat_stream_with_usage_and_tools(client):
    chunks = list(
        client.chat.completions.create(
            model="text-and-tools", messages=ASK, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    calls = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
    assert text == Reply().text
    assert calls[0].function.name == "lookup"
    assert "".join(call.function.arguments for call in calls) == '{"city":"Paris"}'
    assert chunks[-1].usage.completion_tokens == 8


@pytest.mark.parametrize("model", ["small", "tools", "refusal", "length", "reasoning"])
def test_the_openai_client_reads_the_same_response_whole_and_streamed(client, model):
    tools = [{"type": "function", "name": "lookup", "parameters": {"type": "object"}, "strict": False}]
    whole = client.responses.create(model=model, input="hello", tools=tools)
    with client.responses.stream(model=model, input="hello", tools=tools) as stream:
        events = list(stream)
    assert events[-1].response.output_text == whole.output_text
    assert [item.type for item in events[-1].response.output] == [item.type for item in whole.output]


@pytest.mark.parametrize("model", ["small", "tools", "text-and-tools", "refusal", "reasoning"])
def test_the_anthropic_client_reads_the_same_message_whole_and_streamed(upstream, model):
    root = upstream.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=root, api_key="k", max_retries=0, timeout=5) as client:
        whole = client.messages.create(model=model, max_tokens=9, messages=ASK)
        with client.messages.stream(model=model, max_tokens=9, messages=ASK) as stream:
            streamed = stream.get_final_message()
    assert [block.to_dict() for block in whole.content] == [
        {k: v for k, v in block.to_dict().items() if k != "parsed_output"} for block in streamed.content
    ]
    assert streamed.stop_reason == whole.stop_reason
    assert streamed.usage.output_tokens == whole.usage.output_tokens


def test_scripted_replies_come_first_and_requests_are_kept(client, upstream):
    upstream.script(Reply(status=503, headers={"retry-after": "1"}), Reply(text="second"))
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="small", messages=ASK)
    assert failed.value.response.headers["retry-after"] == "1"
    assert client.chat.completions.create(model="small", messages=ASK).choices[0].message.content == "second"
    assert [request.json["model"] for request in upstream.requests] == ["small", "small"]
    assert upstream.requests[0].headers["authorization"] == "Bearer k"
    assert upstream.connections == 1


@pytest.mark.parametrize(
    ("model", "whole", "events"),
    [
        ("cut-after-0", False, 0),
        ("cut-after-3", False, 3),
        ("cut-inside-3", False, 4),
        ("reset-after-3", False, 3),
        ("short-after-3", True, 3),
        ("error-after-3", True, 4),
        ("small", True, 9),
    ],
)
def test_streams_stop_where_the_model_name_says(upstream, model, whole, events):
    answer = post(upstream.port, "/v1/chat/completions", {"model": model, "stream": True})
    assert answer.is_whole is whole
    assert len(answer.events) == events


@pytest.mark.parametrize("model", ["close", "reset", "short-body", "half-head"])
def test_connections_break_where_the_model_name_says(upstream, model):
    assert not post(upstream.port, "/v1/chat/completions", {"model": model}).is_whole


@pytest.mark.parametrize("model", ["hang", "drip", "endless", "endless-event", "endless-body", "hang-after-2"])
def test_what_never_ends_ends_with_the_caller(upstream, model):
    with RawConnection(upstream.port) as connection:
        connection.send(request_bytes("/v1/chat/completions", {"model": model, "stream": model != "endless-body"}))
        upstream.wait_until(lambda seen: len(seen.requests) == 1)
        connection.reset()
    if model in {"drip", "endless", "endless-event", "endless-body"}:
        upstream.wait_until(lambda seen: seen.aborted == 1)


def test_a_listener_that_refuses_listens_again_on_the_same_port(upstream):
    upstream.refuse()
    with pytest.raises(ConnectionRefusedError):
        get(upstream.port, "/v1/models")
    upstream.listen()
    assert get(upstream.port, "/v1/models").json["object"] == "list"
    with pytest.raises(ConnectionRefusedError):
        get(closed_port(), "/")


def test_requests_in_pieces_and_in_chunks_are_read(upstream):
    body = b'{"model":"small"}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = (head[:20], head[20:], b"5\r\n" + body[:5] + b"\r\n", b"c\r\n" + body[5:] + b"\r\n", b"0\r\n\r\n")
    assert exchange(upstream.port, *chunks, pause_s=0.002).status == 200
    assert upstream.requests[0].body == body


def test_requests_that_come_before_the_answer_are_not_lost(upstream):
    one = request_bytes("/v1/chat/completions", {"model": "small"})
    with RawConnection(upstream.port) as connection:
        connection.send(one + one, one)
        assert [connection.read_answer().status for _ in range(3)] == [200, 200, 200]


def test_names_with_a_providers_prefix_behave_alike():
    assert reply_for("openai/fail-429-after-2") == Reply(status=429, headers={"retry-after": "2"})
