import pytest

from undertow.records.answer import Evidence, Usage
from wire_samples import LOOK_UP, MESSAGE_EVENTS, MESSAGES, asked, fed, sse


def reader_for(**fields):
    return MESSAGES.stream_reader(asked(MESSAGES, stream=True, **fields))


def test_a_whole_stream_is_passed_on_byte_for_byte():
    stream = b": hi\n\n" + sse(*MESSAGE_EVENTS)
    reader = reader_for(tools=[{"name": "look_up", "input_schema": LOOK_UP["parameters"]}])
    piece = fed(reader, [stream])
    assert piece.forward + piece.last == stream
    assert piece.last == sse(MESSAGE_EVENTS[-1])
    facts = reader.facts()
    assert facts.usage == Usage(input_tokens=125, cached_tokens=100, cache_write_tokens=20, output_tokens=30)
    assert (facts.finish_reason, facts.tool_names, facts.are_tool_calls_valid) == ("tool_use", ("look_up",), True)
    assert not facts.is_tool_calls_only


def test_a_call_without_arguments_has_none():
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "now", "input": {}},
    }
    reader = reader_for(tools=[{"name": "now", "input_schema": {}}])
    assert fed(reader, [sse(start)]).has_content
    assert reader.facts().are_tool_calls_valid is True


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (MESSAGE_EVENTS[0], False),
        ({"type": "ping"}, False),
        ({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, False),
        ({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}}, True),
        ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}, True),
        ({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "a"}}, True),
        ({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}}, True),
        ({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}}, False),
    ],
)
def test_what_the_first_token_is(event, content):
    assert fed(reader_for(), [sse(event)]).has_content is content


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"secret"}}\n\n',
            "overloaded_error",
        ),
        (b'data: {"type":"error"}\n\n', "error"),
        (b'event: error\ndata: {"message":"secret"}\n\n', "error"),
    ],
)
def test_an_error_in_the_stream_is_told_and_not_passed_on(event, word):
    reader = reader_for()
    start = sse(MESSAGE_EVENTS[0])
    piece = fed(reader, [start + event + sse(MESSAGE_EVENTS[-1])])
    assert (piece.error, piece.forward, piece.last) == (word, start, b"")
    assert not reader.is_complete


def test_text_is_kept_and_tokens_there_are_none():
    reader = MESSAGES.stream_reader(
        asked(MESSAGES, stream=True), evidence=Evidence(text=True, tokens=True, logprobs=True)
    )
    fed(reader, [sse(*MESSAGE_EVENTS)])
    facts = reader.facts()
    assert (facts.text, facts.tokens, facts.logprob_sum) == ("Drück den Knopf 🔘", None, None)


def test_a_refusal_is_a_stop_reason():
    reader = reader_for()
    fed(reader, [sse({"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}})])
    assert reader.facts().is_refusal
