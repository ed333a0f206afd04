"""Wire formats: how bytes are cut changes nothing, garbage has its one error, and the official clients read what we write."""

import asyncio
import contextlib
import json
import math
from typing import Any

import anthropic
import httpx2
import jsonschema
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.adapters.wire.body import nesting_depth, outside_strings
from undertow.adapters.wire.schema_cost import schema_cost
from undertow.adapters.wire.schemas import fits_schema
from undertow.ports.wire import WireError
from undertow.records.answer import SUM_OF_LOGPROBS, Evidence
from wire_samples import (
    CHAT,
    CHAT_EVENTS,
    DIALECTS,
    MESSAGES,
    RESPONSES,
    STREAMS,
    asked,
    chunk,
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
        made = dialect.upstream_body(read, model="small", parameters={"temperature": 0}, evidence=SUM_OF_LOGPROBS)
        dialect.self_check_body(read, "yes", model="small", parameters={})
        dialect.sample_body(read, model="small", parameters={}, temperature=0.7)
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


# --- evidence


ALTERNATIVES = st.lists(st.floats(-20, -1.7), min_size=2, max_size=5)
TOKENS = st.lists(
    st.fixed_dictionaries(
        {
            "token": st.text(max_size=3),
            "logprob": st.floats(-30, 0),
            "top_logprobs": ALTERNATIVES.map(lambda values: [{"token": "x", "logprob": value} for value in values]),
        }
    ),
    max_size=6,
)
ALL = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)


def stream_of(dialect: Any, pieces: list[tuple[str, list[Any]]]) -> bytes:
    """A whole stream of pieces of text, each with its tokens."""
    if dialect is CHAT:
        return sse(
            *(chunk({"content": text}, logprobs={"content": found, "refusal": None}) for text, found in pieces),
            done=True,
        )
    end = {"type": "response.completed", "response": response(output=[])}
    return sse(
        *({"type": "response.output_text.delta", "delta": text, "logprobs": found} for text, found in pieces), end
    )


def answer_of(dialect: Any, text: str, found: list[Any]) -> bytes:
    """The same as a whole answer."""
    if dialect is CHAT:
        return dumps(completion(text, logprobs={"content": found, "refusal": None}))
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": found}
    return dumps(response({"type": "message", "role": "assistant", "content": [part]}))


@settings(deadline=None)
@given(
    dialect=st.sampled_from([CHAT, RESPONSES]),
    found=TOKENS.filter(bool),
    sizes=st.lists(st.integers(1, 3), max_size=6),
    places=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_any_cut_of_a_stream_gives_the_tokens_of_the_whole_answer(dialect, found, sizes, places):
    pieces, rest = [], found
    for size in [*sizes, len(found)]:
        if rest:
            pieces.append(("word ", rest[:size]))
            rest = rest[size:]
    reader = dialect.stream_reader(asked(dialect, stream=True), evidence=ALL)
    fed(reader, cut(stream_of(dialect, pieces), places))
    whole = dialect.read_answer(asked(dialect), answer_of(dialect, "word " * len(pieces), found), evidence=ALL).facts
    seen = reader.facts()
    assert seen.tokens == whole.tokens
    assert len(seen.tokens.logprobs) == len(seen.tokens.margins) == len(found)
    assert all(0 <= margin <= 1 for margin in seen.tokens.margins)
    assert all(0 <= entropy <= math.log(6) + 1e-9 for entropy in seen.tokens.entropies)
    assert (seen.text, seen.logprob_count) == (whole.text, whole.logprob_count)
    assert seen.logprob_sum == pytest.approx(whole.logprob_sum)


@settings(deadline=None)
@given(
    dialect=st.sampled_from([CHAT, RESPONSES]),
    found=TOKENS,
    given_=st.integers(0, 6),
    odd=st.booleans(),
    places=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_a_caller_never_sees_how_many_alternatives_the_gateway_wanted(dialect, found, given_, odd, places):
    fields = {"logprobs": True} if dialect is CHAT else {"include": ["message.output_text.logprobs"]}
    request = asked(dialect, **fields, top_logprobs=given_, stream=True)
    fewer = [{**token, "top_logprobs": token["top_logprobs"][:given_]} for token in found]
    expected = fewer if given_ < ALL.alternatives else found
    separators = (" , ", " : ") if odd else (",", ":")
    body = json.dumps(json.loads(answer_of(dialect, "x", found)), separators=separators).encode()
    assert json.loads(dialect.read_answer(request, body, evidence=ALL).body) == json.loads(
        answer_of(dialect, "x", expected)
    )
    piece = fed(dialect.stream_reader(request, evidence=ALL), cut(stream_of(dialect, [("x", found)]), places))
    assert piece.forward + piece.last == stream_of(dialect, [("x", expected)])


@settings(deadline=None)
@given(dialect=DIALECT, data=st.data())
def test_a_mutated_answer_never_gives_evidence_that_is_none(dialect, data):
    answer = json.loads(ANSWERS[dialect.path])
    place: Any = answer
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key]:
            place[key] = data.draw(LIKELY | st.floats(allow_nan=False, allow_infinity=False))
            break
        place = place[key]
    with contextlib.suppress(ValueError):
        kept = dialect.read_answer(asked(dialect), json.dumps(answer).encode(), evidence=ALL).facts.tokens
        assert kept is None or all(-math.inf < value <= 1e-6 for value in kept.logprobs)


@settings(deadline=None)
@given(body=st.binary(max_size=60) | LIKELY.map(lambda value: json.dumps(value).encode()))
def test_any_answer_to_a_self_check_is_a_probability_or_none(body):
    found = CHAT.read_self_check(body)
    assert found is None or 0 <= found <= 1


# --- schemas


REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/x"]).map(lambda to: {"$ref": to})
SCHEMAS = st.recursive(
    REFERENCES
    | st.booleans()
    | st.sampled_from(["object", "array", "integer", "string", "null"]).map(lambda kind: {"type": kind})
    | st.lists(st.integers(0, 3) | st.sampled_from(["x", None]), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    )
    | st.integers(0, 3).map(lambda least: {"minimum": least}),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(["not", "items", "additionalProperties", "contains", "if", "then", "propertyNames"]),
            inner,
            min_size=1,
            max_size=3,
        )
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(["allOf", "anyOf", "oneOf"], st.lists(inner, min_size=1, max_size=3))
        )
        | st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2)})
    ),
    max_leaves=8,
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 4) | st.sampled_from(["x", "y", "text, 1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=3),
    max_leaves=10,
)
ROOTS = st.fixed_dictionaries(
    {"$defs": st.fixed_dictionaries({"a": SCHEMAS, "b": SCHEMAS}), "properties": st.fixed_dictionaries({"x": SCHEMAS})},
    optional={"allOf": st.lists(SCHEMAS, min_size=1, max_size=2), "items": SCHEMAS},
)


@settings(deadline=None)
@given(schema=ROOTS, document=DOCUMENTS)
def test_a_document_fits_as_another_validator_says(schema, document):
    fits = fits_schema(dumps(schema), dumps(document))
    assert fits is None or fits is jsonschema.Draft202012Validator(schema).is_valid(document)


@settings(deadline=None)
@given(
    schema=LIKELY | st.dictionaries(st.sampled_from(["$ref", "$id", "type", "pattern", "enum", "items"]), LIKELY),
    document=LIKELY,
)
def test_any_schema_and_any_document_have_an_answer(schema, document):
    assert fits_schema(json.dumps(schema).encode(), json.dumps(document).encode()) in (True, False, None)


def evaluations(schema: Any, root: Any, value: Any) -> int:
    """How many subschemas are held against values, by a validator that leaves nothing out."""
    if not isinstance(schema, dict):
        return 0
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    count = 1
    if "$ref" in schema:
        target = root
        for part in schema["$ref"][2:].split("/") if schema["$ref"] != "#" else []:
            target = target[part]
        count += evaluations(target, root, value)
    for name in ("not", "if", "then"):
        count += evaluations(schema.get(name), root, value)
    for name in ("allOf", "anyOf", "oneOf"):
        count += sum(evaluations(part, root, value) for part in schema.get(name, []))
    for name in ("items", "contains", "additionalProperties"):
        count += sum(evaluations(schema.get(name), root, item) for item in inside)
    if isinstance(value, dict):
        count += sum(evaluations(schema.get("propertyNames"), root, key) for key in value)
        named = schema.get("properties", {})
        count += sum(evaluations(named[key], root, item) for key, item in value.items() if key in named)
    return count


@settings(deadline=None)
@given(schema=ROOTS, document=DOCUMENTS)
def test_the_work_is_never_more_than_its_bound(schema, document):
    cost = schema_cost(schema)
    if cost is not None:
        raw = dumps(document)
        values = 1 + sum(outside_strings(raw).count(mark) for mark in (b",", b"[", b"{"))
        assert evaluations(schema, schema, document) <= cost._bound(nesting_depth(raw)).steps * values


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
