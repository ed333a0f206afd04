"""Conversations as people read them, in every wire format, whatever callers send."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.wire import dialects
from undertow.adapters.wire.transcript import CUT, MOST_CHARS, transcript
from undertow.ports.wire import ReadRequest, WireError
from undertow.records.request import RequestFacts

FORMATS = dialects()


def read(path, **body):
    return transcript(FORMATS[path].read_request(json.dumps({"model": "auto", **body}).encode(), max_nesting=100))


def chat(*messages, **more):
    return read("/v1/chat/completions", messages=list(messages), **more)


def test_a_chat_reads_from_top_to_bottom():
    assert chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "image_url", "image_url": {"url": "data:x"}}]},
    ) == "system: Be brief.\n\nuser: Hi\n\nassistant: Yes?\n\nuser: What is\n[image]"  # fmt: skip


def test_calls_of_tools_and_their_results_are_in_words():
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"order":7}'}}
    assert chat(
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "on its way"},
    ).splitlines()[2::2] == ['assistant: [calls look_up({"order":7})]', "tool: on its way"]
    assert read(
        "/v1/messages",
        max_tokens=5,
        system=[{"type": "text", "text": "Be kind."}],
        messages=[
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": "1", "name": "look_up", "input": {"order": 7}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "on its way"}]}]},
        ],
    ) == 'system: Be kind.\n\nuser: Where is it?\n\nassistant: I look.\n[calls look_up({"order":7})]\n\ntool: on its way'  # fmt: skip
    assert read(
        "/v1/responses",
        instructions="Be kind.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Where is it?"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "1", "name": "look_up", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "on its way"},
        ],
    ).split("\n\n") == ["system: Be kind.", "user: Where is it?", "assistant: [calls look_up({})]", "tool: on its way"]


def test_an_input_that_is_text_is_the_user_s():
    assert read("/v1/responses", input="Hi") == "user: Hi"


def test_a_long_conversation_keeps_its_beginning_and_its_end():
    shown = chat({"role": "user", "content": "first " + "x" * (2 * MOST_CHARS) + " last"})
    assert len(shown) <= MOST_CHARS
    assert shown.startswith("user: first ")
    assert shown.endswith(" last")
    assert CUT in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "type", "text", "content", "tool_calls", "function", "arguments", "input", "name", "output", "refusal"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(st.sampled_from(sorted(FORMATS)), st.lists(json_values, max_size=4), json_values)
def test_nothing_that_is_admitted_breaks_it(path, items, system):
    body = {
        "model": "auto",
        "max_tokens": 1,
        "messages": items,
        "input": items,
        "system": system,
        "instructions": system,
    }
    try:
        request = FORMATS[path].read_request(json.dumps(body).encode(), max_nesting=100)
    except WireError:  # refused, so it is never drawn
        return
    assert isinstance(transcript(request), str)


@pytest.mark.parametrize("odd", [None, 7, {"a": 1}, ["a", {"type": 5}], [{"type": "text"}]])
def test_content_of_any_kind_is_text(odd):
    fields = {"messages": msgspec.Raw(msgspec.json.encode([{"role": odd, "content": odd, "tool_calls": odd}]))}
    assert transcript(ReadRequest(facts=RequestFacts("messages", "auto"), fields=fields)).startswith("unknown: ")
