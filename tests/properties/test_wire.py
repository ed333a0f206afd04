"""Wire formats: how bytes are cut changes nothing, garbage has its one error, and the official clients read what we write."""

import asyncio
import contextlib
import json
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.adapters.wire.body import nesting_depth
from undertow.ports.wire import WireError
from wire_samples import (
    CHAT,
    CHAT_EVENTS,
    DIALECTS,
    MESSAGES,
    RESPONSES,
    STREAMS,
    asked,
    completion,
    cut,
    dumps,
    fed,
    message,
    response,
    said,
    sse,
    tokens,
)

DIALECT = st.sampled_from(list(DIALECTS.values()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
WORDS = [
    "model",
    "messages",
    "input",
    "role",
    "content",
    "type",
    "text",
    "user",
    "system",
    "stream",
    "metadata",
    "tools",
    "function",
    "name",
    "parameters",
    "required",
    "stream_options",
    "include_usage",
    "max_tokens",
    "image_url",
    "tool_result",
    "choices",
    "delta",
    "logprobs",
    "usage",
    "error",
    "index",
    "output",
    "response",
]
LIKELY = st.recursive(
    JSON | st.sampled_from(["user", "system", "text", "message", "image", "auto", "tool_result"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=20,
)
ANSWERS = {
    CHAT.path: dumps(completion("Drück 🔘", logprobs=tokens(-1, -2))),
    MESSAGES.path: dumps(message()),
    RESPONSES.path: dumps(response(said("Drück 🔘", -1, -2))),
}


@settings(deadline=None)
@given(
    which=st.sampled_from(sorted(STREAMS)),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    places=st.lists(st.integers(0, 10_000), max_size=30),
    takes=st.booleans(),
)
def test_any_cut_of_a_stream_gives_the_same_bytes_and_facts(which, end, places, takes):
    dialect, stream = STREAMS[which]
    stream = stream.replace(b"\n", end)
    fields: dict[str, Any] = {"logprobs": takes, "stream_options": {"include_usage": takes}} if dialect is CHAT else {}
    request = asked(dialect, stream=True, **fields)
    whole, in_pieces = dialect.stream_reader(request), dialect.stream_reader(request)
    expected, seen = fed(whole, [stream]), fed(in_pieces, cut(stream, places))
    assert (seen.forward, seen.last) == (expected.forward, expected.last)
    assert whole.is_complete
    assert in_pieces.is_complete
    assert in_pieces.facts() == whole.facts()
    if takes and dialect is CHAT:
        assert seen.forward + seen.last == stream


@settings(deadline=None)
@given(
    dialect=DIALECT,
    body=LIKELY
    | st.fixed_dictionaries(
        {"model": st.just("auto"), "messages": LIKELY, "input": LIKELY}, optional=dict.fromkeys(WORDS[3:], LIKELY)
    ),
)
def test_any_json_is_read_or_refused(dialect, body):
    document = json.dumps(body).encode()
    with contextlib.suppress(WireError):
        read = dialect.read_request(document, max_nesting=20)
        made = dialect.upstream_body(read, model="small", parameters={"temperature": 0}, with_confidence=True)
        assert json.loads(made)["model"] == "small"
        assert read.facts.input_tokens >= 0


@settings(deadline=None)
@given(dialect=DIALECT, body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(dialect, body):
    with contextlib.suppress(WireError):
        dialect.read_request(body, max_nesting=20)
    with contextlib.suppress(ValueError):
        dialect.read_answer(asked(dialect), body)


@settings(deadline=None)
@given(
    dialect=DIALECT,
    chunks=st.lists(st.binary(max_size=40) | st.sampled_from([b"data: ", b"event: error\n", b"{}", b"\n\n", b"\r"])),
)
def test_any_bytes_in_a_stream_have_one_error(dialect, chunks):
    reader = dialect.stream_reader(asked(dialect, stream=True))
    with contextlib.suppress(ValueError):
        fed(reader, chunks)
    reader.facts()


@settings(deadline=None)
@given(dialect=DIALECT, events=st.lists(LIKELY, max_size=4))
def test_any_json_in_a_stream_has_one_error(dialect, events):
    reader = dialect.stream_reader(asked(dialect, stream=True))
    with contextlib.suppress(ValueError):
        fed(reader, [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events])
    reader.facts()


@settings(deadline=None)
@given(dialect=DIALECT, data=st.data())
def test_a_mutated_answer_is_read_or_refused(dialect, data):
    answer = json.loads(ANSWERS[dialect.path])
    place, steps = answer, 0
    while isinstance(place, dict | list) and place and steps < 6:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(LIKELY)
            break
        place, steps = place[key], steps + 1
    document = json.dumps(answer).encode()
    with contextlib.suppress(ValueError):
        whole = dialect.read_answer(asked(dialect), document)
        json.loads(whole.body)


@settings(deadline=None)
@given(dialect=DIALECT, place=st.integers(0, 5_000), byte=st.integers(0, 255))
def test_an_answer_with_a_broken_byte_is_read_or_refused(dialect, place, byte):
    document = bytearray(ANSWERS[dialect.path])
    document[place % len(document)] = byte
    with contextlib.suppress(ValueError):
        dialect.read_answer(asked(dialect), bytes(document))


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@settings(deadline=None)
@given(value=LIKELY | st.lists(st.text(alphabet='[]{}"\\,:'), max_size=5))
def test_the_depth_is_that_of_the_value(value):
    assert nesting_depth(json.dumps(value).encode()) == depth_of(value)
    assert nesting_depth(msgspec.json.encode(value)) == depth_of(value)


# --- the official clients


def openai_client(body: bytes) -> openai.OpenAI:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return openai.OpenAI(
        api_key="none",
        base_url="http://gateway/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def anthropic_client(body: bytes) -> anthropic.AsyncAnthropic:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return anthropic.AsyncAnthropic(
        api_key="none",
        base_url="http://gateway",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )


def passed_on(which: str) -> bytes:
    """What a caller gets of a stream that comes in small chunks."""
    dialect, stream = STREAMS[which]
    piece = fed(dialect.stream_reader(asked(dialect, stream=True)), cut(stream, range(0, 10_000, 37)))
    return piece.forward + piece.last


def read_chat(body: bytes) -> list[Any]:
    with openai_client(body) as client:
        return list(
            client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "x"}], stream=True)
        )


def read_responses(body: bytes) -> list[Any]:
    with openai_client(body) as client:
        return list(client.responses.create(model="auto", input="x", stream=True))


def read_messages(body: bytes) -> anthropic.types.Message:
    async def read() -> anthropic.types.Message:
        async with (
            anthropic_client(body) as client,
            client.messages.stream(model="auto", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream,
        ):
            return await stream.get_final_message()

    return asyncio.run(read())


def test_the_openai_client_reads_a_chat_stream():
    chunks = read_chat(passed_on("chat"))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Drück den Knopf 🔘"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert all(chunk.choices[0].logprobs is None for chunk in chunks)


def test_the_openai_client_reads_a_stream_of_a_response():
    events = read_responses(passed_on("responses"))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Drück den Knopf 🔘"
    assert all(event.logprobs == [] for event in events if event.type == "response.output_text.delta")


def test_the_anthropic_client_reads_a_stream_of_a_message():
    whole = read_messages(passed_on("messages"))
    assert whole.content[0].text == "Drück den Knopf 🔘"
    assert whole.content[1].input == {"order": "7"}
    assert whole.usage.output_tokens == 30


def test_the_openai_client_raises_at_an_error_event():
    begun = sse(*CHAT_EVENTS[:2])
    with pytest.raises(openai.APIError, match="the upstream was cut") as caught:
        read_chat(begun + CHAT.error_event("the upstream was cut", type_="upstream_error", code="cut"))
    assert (caught.value.type, caught.value.code) == ("upstream_error", "cut")
    with pytest.raises(openai.APIError, match="the upstream was cut") as caught:
        read_responses(RESPONSES.error_event("the upstream was cut", type_="upstream_error", code="cut"))
    assert (caught.value.type, caught.value.code) == ("upstream_error", "cut")


def test_the_anthropic_client_raises_at_an_error_event():
    begun = STREAMS["messages"][1][:600].rpartition(b"\n\n")[0] + b"\n\n"
    with pytest.raises(anthropic.APIStatusError, match="the upstream was cut"):
        read_messages(begun + MESSAGES.error_event("the upstream was cut", type_="api_error"))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_error_event_is_read_as_an_error_by_our_own_readers(dialect):
    piece = fed(dialect.stream_reader(asked(dialect, stream=True)), [dialect.error_event("no", type_="api_error")])
    assert piece.error == "api_error"
