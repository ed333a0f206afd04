import json

import pytest

from undertow.records.answer import Evidence, Usage
from wire_samples import LOOK_UP, RESPONSE_EVENTS, RESPONSES, asked, fed, response, said, sse, tokens, with_alternatives

LOGPROBS = ["message.output_text.logprobs"]


def reader_for(**fields):
    return RESPONSES.stream_reader(asked(RESPONSES, stream=True, **fields))


def test_a_caller_that_asked_gets_every_byte():
    stream = sse(*RESPONSE_EVENTS)
    reader = reader_for(include=LOGPROBS)
    piece = fed(reader, [stream])
    assert piece.forward + piece.last == stream
    assert piece.last == sse(RESPONSE_EVENTS[-1])
    facts = reader.facts()
    assert (facts.logprob_sum, facts.logprob_count, facts.finish_reason, facts.chars) == (-0.75, 2, "completed", 17)
    assert facts.usage == Usage(input_tokens=9, cached_tokens=3, output_tokens=4, reasoning_tokens=1)


def test_log_probabilities_nobody_asked_for_are_taken_out_of_every_event():
    piece = fed(reader_for(), [sse(*RESPONSE_EVENTS)])
    stream = piece.forward + piece.last
    events = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]
    assert [event["type"] for event in events] == [event["type"] for event in RESPONSE_EVENTS]
    assert b'"logprob"' not in stream
    assert events[3] == {**RESPONSE_EVENTS[3], "logprobs": []}
    assert events[-1]["response"]["output"] == [said("Drück den Knopf 🔘")]


def test_a_stream_whose_last_event_leaves_out_the_output_is_not_empty():
    reader = reader_for()
    fed(reader, [sse(*RESPONSE_EVENTS[:-1], {"type": "response.completed", "response": response(output=[])})])
    facts = reader.facts()
    assert (facts.is_empty, facts.chars, facts.logprob_count, facts.finish_reason) == (False, 17, 2, "completed")
    assert not facts.usage.is_estimated


def test_log_probabilities_of_the_pieces_stand_where_the_whole_has_none():
    last = {"type": "response.completed", "response": response(said("Drück den Knopf 🔘"))}
    reader = reader_for()
    fed(reader, [sse(*RESPONSE_EVENTS[:-1], last)])
    assert reader.facts().logprob_sum == -0.75


def events_with(alternatives):
    """The sample stream with so many alternatives of each token."""
    content = with_alternatives(tokens(-0.25, -0.5), alternatives)["content"]
    whole = said("Drück den Knopf 🔘", -0.25, -0.5, alternatives=alternatives)
    asked_for = {"top_logprobs": alternatives}
    return [
        {**event, "response": {**event["response"], **asked_for}}
        if kind == "response.created"
        else {**event, "response": response(whole, **asked_for)}
        if kind == "response.completed"
        else {**event, "logprobs": content}
        if kind == "response.output_text.done"
        else {**event, "logprobs": [{**event["logprobs"][0], "top_logprobs": content[0]["top_logprobs"]}]}
        if kind == "response.output_text.delta"
        else {**event, "part": whole["content"][0]}
        if kind == "response.content_part.done"
        else {**event, "item": whole}
        if kind == "response.output_item.done"
        else event
        for event in RESPONSE_EVENTS
        for kind in [event["type"]]
    ]


ALL = Evidence(logprobs=True, alternatives=5, tokens=True)


@pytest.mark.parametrize("given", [0, 2, 9])
def test_a_caller_gets_as_many_alternatives_as_it_asked_for_in_every_event(given):
    request = asked(RESPONSES, stream=True, include=LOGPROBS, top_logprobs=given)
    reader = RESPONSES.stream_reader(request, evidence=ALL)
    piece = fed(reader, [sse(*events_with(max(5, given)))])
    assert piece.forward + piece.last == sse(*events_with(given))


def test_what_only_the_gateway_asked_for_leaves_nothing_behind():
    reader = RESPONSES.stream_reader(asked(RESPONSES, stream=True), evidence=ALL)
    piece = fed(reader, [sse(*events_with(5))])
    stream = piece.forward + piece.last
    assert b'"logprob"' not in stream
    assert stream.count(b'"top_logprobs":0') == 2
    assert b'"top_logprobs":5' not in stream


def test_tokens_so_far_and_of_the_whole():
    reader = RESPONSES.stream_reader(asked(RESPONSES, stream=True), evidence=ALL)
    events = events_with(5)
    fed(reader, [sse(*events[:4])])
    assert reader.facts().tokens.logprobs == (-0.25,)
    fed(reader, [sse(*events[4:-1])])
    before = reader.facts().tokens
    assert before.logprobs == (-0.25, -0.5)
    fed(reader, [sse(events[-1])])
    assert reader.facts().tokens == before


def test_tokens_of_the_pieces_stand_where_the_whole_has_none():
    last = {"type": "response.completed", "response": response(said("Drück den Knopf 🔘"))}
    reader = RESPONSES.stream_reader(asked(RESPONSES, stream=True), evidence=ALL)
    fed(reader, [sse(*RESPONSE_EVENTS[:-1], last)])
    assert reader.facts().tokens.logprobs == (-0.25, -0.5)
    reader = RESPONSES.stream_reader(asked(RESPONSES, stream=True), evidence=ALL)
    fed(reader, [sse(*RESPONSE_EVENTS[:4], {**RESPONSE_EVENTS[4], "logprobs": []}, last)])
    assert reader.facts().tokens is None


def test_an_unfinished_answer_ends_too():
    last = {
        "type": "response.incomplete",
        "response": response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
    }
    reader = reader_for()
    assert fed(reader, [sse(last)]).last == sse(last)
    assert reader.is_complete
    assert reader.facts().finish_reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ({"type": "error", "code": "server_error", "message": "secret", "param": None}, "server_error"),
        ({"type": "error", "error": {"type": "rate_limit", "message": "secret"}}, "rate_limit"),
        (
            {
                "type": "response.failed",
                "response": response(status="failed", error={"code": "server_error", "message": "secret"}),
            },
            "server_error",
        ),
    ],
)
def test_an_error_in_the_stream_is_told_and_not_passed_on(event, word):
    reader = reader_for()
    before = sse(RESPONSE_EVENTS[0])
    piece = fed(reader, [before + sse(event) + sse(RESPONSE_EVENTS[-1])])
    assert (piece.error, piece.forward, piece.last) == (word, before, b"")
    assert not reader.is_complete


def test_a_function_call_in_pieces():
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "look_up", "arguments": ""}
    events = [{"type": "response.output_item.added", "output_index": 0, "item": item}]
    events += [
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": text}
        for text in ('{"order"', ':"1"}')
    ]
    reader = reader_for(tools=[{"type": "function", **LOOK_UP}])
    assert fed(reader, [sse(events[0])]).has_content
    fed(reader, [sse(*events[1:])])
    facts = reader.facts()
    assert (facts.are_tool_calls_valid, facts.tool_names, facts.is_tool_calls_only) == (True, ("look_up",), True)


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (RESPONSE_EVENTS[0], False),
        (RESPONSE_EVENTS[1], False),
        (RESPONSE_EVENTS[2], False),
        ({"type": "response.output_text.delta", "delta": ""}, False),
        ({"type": "response.output_text.delta", "delta": "a"}, True),
        ({"type": "response.refusal.delta", "delta": "a"}, True),
        ({"type": "response.reasoning_summary_text.delta", "delta": "a"}, True),
        ({"type": "response.audio.delta", "delta": "AA"}, True),
        ({"type": "response.image_generation_call.partial_image", "partial_image_b64": "AA"}, True),
        ({"type": "response.unknown.delta", "delta": {"odd": 1}}, False),
    ],
)
def test_what_the_first_token_is(event, content):
    assert fed(reader_for(), [sse(event)]).has_content is content


def test_taking_log_probabilities_out_of_an_event_with_unusual_white_space():
    event = {"type": "response.output_text.delta", "delta": "a", "logprobs": tokens(-1)["content"]}
    raw = b"event: response.output_text.delta\ndata: " + json.dumps(event, separators=(",", " : ")).encode() + b"\n\n"
    assert b'"logprobs":[]' in fed(reader_for(), [raw]).forward
