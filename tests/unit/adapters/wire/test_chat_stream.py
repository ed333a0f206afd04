import json

import pytest

from undertow.records.answer import Evidence, Usage
from wire_samples import (
    CHAT,
    CHAT_EVENTS,
    CHAT_USAGE,
    LOOK_UP,
    asked,
    chunk,
    dumps,
    fed,
    sse,
    tokens,
    with_alternatives,
)

WHOLE = sse(*CHAT_EVENTS, done=True)


def reader_for(**fields):
    return CHAT.stream_reader(asked(CHAT, stream=True, **fields))


def test_facts_of_a_stream():
    reader = reader_for()
    piece = fed(reader, [WHOLE])
    facts = reader.facts()
    assert (facts.logprob_sum, facts.logprob_count, facts.finish_reason) == (-1.0, 3, "stop")
    assert facts.usage == Usage(input_tokens=9, output_tokens=4)
    assert piece.has_content
    assert piece.last == b"data: [DONE]\n\n"


def test_a_caller_that_asked_for_everything_gets_every_byte():
    reader = reader_for(logprobs=True, stream_options={"include_usage": True})
    piece = fed(reader, [b": ping\n\nevent: x\ndata: {}\n\n", WHOLE])
    assert piece.forward + piece.last == b": ping\n\nevent: x\ndata: {}\n\n" + WHOLE


def test_what_only_the_gateway_asked_for_is_taken_out():
    piece = fed(reader_for(), [WHOLE])
    expected = [
        {**event, "choices": [{**choice, "logprobs": None} for choice in event["choices"]]}
        for event in CHAT_EVENTS[:-1]
    ]
    assert piece.forward == sse(*expected)


ALL = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)


def piece_of(text, *logprobs, alternatives=5):
    return chunk({"content": text}, logprobs=with_alternatives(tokens(*logprobs), alternatives))


def test_tokens_so_far():
    reader = CHAT.stream_reader(asked(CHAT, stream=True), evidence=ALL)
    assert reader.facts().tokens is None
    fed(reader, [sse(CHAT_EVENTS[0], piece_of("a", -0.5))])
    assert (reader.facts().tokens.logprobs, reader.facts().text) == ((-0.5,), "a")
    fed(reader, [sse(piece_of("b", -0.25, -1))])
    facts = reader.facts()
    assert (facts.tokens.logprobs, facts.text) == ((-0.5, -0.25, -1), "ab")
    assert len(facts.tokens.margins) == len(facts.tokens.entropies) == 3


def test_text_without_log_probabilities_in_the_middle_is_no_evidence_but_a_sum():
    for missing in (chunk({"content": "b"}), chunk({"content": "b"}, logprobs={"content": [{"token": "b"}]})):
        reader = CHAT.stream_reader(asked(CHAT, stream=True), evidence=ALL)
        fed(reader, [sse(piece_of("a", -0.5), missing, piece_of("c", -0.5))])
        assert (reader.facts().tokens, reader.facts().logprob_sum) == (None, -1.0)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("given", [0, 2, 9])
def test_a_caller_gets_as_many_alternatives_as_it_asked_for(given, end):
    reader = CHAT.stream_reader(asked(CHAT, stream=True, logprobs=True, top_logprobs=given), evidence=ALL)
    upstream = [piece_of("a", -0.5, -1, alternatives=max(5, given)), chunk({"content": ""}, logprobs=tokens(-1))]
    expected = sse(piece_of("a", -0.5, -1, alternatives=given), upstream[1], end=end)
    assert fed(reader, [sse(*upstream, end=end)]).forward == expected


def test_the_format_is_told_at_the_end_only():
    reader = reader_for(response_format={"type": "json_object"})
    fed(reader, [sse(chunk({"content": "{}"}), chunk({}, finish="stop"))])
    assert reader.facts().is_format_valid is None
    fed(reader, [b"data: [DONE]\n\n"])
    assert (reader.facts().is_format_valid, reader.facts().text) == (True, None)


def test_taking_log_probabilities_out_of_an_event_with_unusual_white_space():
    event = json.dumps(chunk({"content": "a"}, logprobs=tokens(-1)), separators=(",", " : ")).encode()
    piece = fed(reader_for(), [b"event: x\ndata: " + event + b"\n\n"])
    assert piece.forward.startswith(b"event: x\ndata: {")
    assert json.loads(piece.forward.split(b"data: ")[1])["choices"][0]["logprobs"] is None


def test_a_chunk_without_choices_that_is_no_usage_is_passed_on():
    filtered = sse(chunk(prompt_filter_results=[]))
    assert fed(reader_for(), [filtered]).forward == filtered


def test_usage_beside_choices_is_read_and_passed_on():
    event = sse(chunk({}, finish="stop", usage=CHAT_USAGE))
    reader = reader_for()
    assert fed(reader, [event]).forward == event
    assert not reader.facts().usage.is_estimated


@pytest.mark.parametrize(
    ("delta", "content"),
    [
        ({"role": "assistant", "content": ""}, False),
        ({"content": None, "reasoning_content": ""}, False),
        ({"content": "a"}, True),
        ({"content": [{"type": "text", "text": "a"}]}, True),
        ({"refusal": "No"}, True),
        ({"reasoning_content": "hm"}, True),
        ({"reasoning": "hm"}, True),
        ({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look_up", "arguments": ""}}]}, True),
        ({"tool_calls": [{"index": 0}]}, True),
        ({"function_call": {"name": "look_up"}}, True),
        ({"audio": {"id": "a"}}, True),
        ({}, False),
    ],
)
def test_what_the_first_token_is(delta, content):
    assert fed(reader_for(), [sse(chunk(delta))]).has_content is content


def test_tool_calls_are_put_together():
    pieces = [("look_up", ""), (None, '{"or'), (None, 'der": "7"}')]
    events = [
        chunk({"tool_calls": [{"index": 1, "function": {"name": name, "arguments": text}}]}) for name, text in pieces
    ]
    reader = reader_for(tools=[{"type": "function", "function": LOOK_UP}])
    fed(reader, [sse(*events[:-1])])
    assert reader.facts().are_tool_calls_valid is False
    fed(reader, [sse(events[-1])])
    facts = reader.facts()
    assert facts.are_tool_calls_valid is True
    assert facts.is_tool_calls_only
    assert facts.tool_names == ("look_up",)


def test_with_several_choices_the_first_is_what_a_confidence_is_of():
    first, second = (
        {"index": n, "delta": {"content": "ab"}, "logprobs": tokens(-1 - n), "finish_reason": f"f{n}"} for n in (0, 1)
    )
    reader = CHAT.stream_reader(asked(CHAT, stream=True, n=2), evidence=Evidence(text=True))
    fed(reader, [sse(chunk(choices=[second]), chunk(choices=[first]))])
    facts = reader.facts()
    assert (facts.logprob_sum, facts.finish_reason, facts.chars, facts.text) == (-1, "f0", 4, "ab")


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (b'data: {"error": {"type": "server_error", "message": "secret"}}\n\n', "server_error"),
        (b'event: error\ndata: {"message": "secret"}\n\n', "error"),
        (b"data: " + dumps(chunk({"content": "x"}, error={"code": 502})) + b"\n\n", "502"),
    ],
)
def test_an_error_in_the_stream_is_told_and_not_passed_on(event, word):
    reader = reader_for()
    before = sse(chunk({"content": "a"}))
    piece = fed(reader, [before + event + WHOLE])
    assert (piece.error, piece.forward, piece.last) == (word, before, b"")
    assert not reader.is_complete


def test_a_null_error_is_none():
    assert fed(reader_for(), [sse(chunk({"content": "x"}, error=None))]).error is None


def test_a_finish_reason_is_not_the_end():
    reader = reader_for()
    fed(reader, [sse(*CHAT_EVENTS)])
    assert not reader.is_complete


def test_half_a_surrogate_pair_does_not_end_a_stream():
    event = rb'data: {"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}' + b"\n\n"
    reader = reader_for()
    assert fed(reader, [event]).forward == event
    assert reader.facts().chars == 1


def test_refusals_in_streams():
    for event in (chunk({"refusal": "No"}), chunk({}, finish="content_filter")):
        reader = reader_for()
        fed(reader, [sse(event)])
        assert reader.facts().is_refusal


@pytest.mark.shared
def test_a_recorded_stream_of_a_tool_call(shared_dir):
    lines = (shared_dir / "samples" / "openai" / "stream_tool_calls_tensorzero_fixture.jsonl").read_bytes().splitlines()
    stream = b"".join(b"data: " + line + b"\n\n" for line in lines if line.strip()) + b"data: [DONE]\n\n"
    reader = reader_for(
        tools=[{"type": "function", "function": {"name": "response", "parameters": {"required": ["answer"]}}}]
    )
    piece = fed(reader, [stream])
    assert piece.forward + piece.last == stream
    facts = reader.facts()
    assert facts.are_tool_calls_valid is True
    assert facts.tool_names == ("response",)
