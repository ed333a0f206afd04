import json

import pytest

from undertow.records.answer import SUM_OF_LOGPROBS, Evidence, Usage
from wire_samples import LOOK_UP, MESSAGES, asked, dumps, message

TOOLS = [{"name": "look_up", "input_schema": LOOK_UP["parameters"]}]


def read(answer, **fields):
    return MESSAGES.read_answer(asked(MESSAGES, **fields), answer if isinstance(answer, bytes) else dumps(answer))


def test_the_system_prompt_stands_beside_the_messages():
    prompt = asked(MESSAGES, system="Be brief.").facts
    assert prompt.prompt_hash == asked(MESSAGES, system=[{"type": "text", "text": "Be brief."}]).facts.prompt_hash
    assert prompt.prompt_hash is not None
    assert prompt.input_tokens > asked(MESSAGES).facts.input_tokens


def test_the_user_stands_in_metadata():
    assert asked(MESSAGES, metadata={"user_id": "u"}).facts.user_id == "u"


def test_a_request_that_ends_in_tool_results_is_no_turn_of_the_user():
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]}
    facts = asked(MESSAGES, messages=[{"role": "user", "content": "ask"}, result]).facts
    assert (facts.text, facts.is_user_turn) == ("ask", False)


def test_only_model_and_parameters_change():
    request = asked(MESSAGES, metadata={"user_id": "u"}, stream=True)
    body = MESSAGES.upstream_body(request, model="small", parameters={"top_k": 5}, evidence=SUM_OF_LOGPROBS)
    assert json.loads(body) == {
        "model": "small",
        "messages": [{"role": "user", "content": "How do I reset it?"}],
        "max_tokens": 100,
        "metadata": {"user_id": "u"},
        "stream": True,
        "top_k": 5,
    }


def test_facts_of_an_answer():
    body = json.dumps(message(), indent=1).encode()
    whole = read(body)
    facts = whole.facts
    assert whole.body == body
    assert facts.usage == Usage(input_tokens=125, cached_tokens=100, cache_write_tokens=20, output_tokens=4)
    assert (facts.chars, facts.finish_reason, facts.model, facts.logprob_sum) == (17, "end_turn", "small-2026", None)
    assert MESSAGES.read_answer(asked(MESSAGES), body, evidence=Evidence(text=True)).facts.text == "Press the button."


@pytest.mark.parametrize(
    ("content", "valid", "only"),
    [
        ([{"type": "tool_use", "id": "t", "name": "look_up", "input": {"order": "7"}}], True, True),
        ([{"type": "tool_use", "id": "t", "name": "look_up", "input": {}}], False, True),
        ([{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "other", "input": {}}], False, False),
        (
            [{"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}, {"type": "text", "text": "a"}],
            None,
            False,
        ),
    ],
)
def test_tool_calls(content, valid, only):
    facts = read(message(*content), tools=TOOLS).facts
    assert (facts.are_tool_calls_valid, facts.is_tool_calls_only) == (valid, only)


def test_empty_answers_and_refusals():
    assert read(message(content=[])).facts.is_empty
    assert read(message({"type": "thinking", "thinking": "hm", "signature": ""})).facts.is_empty
    assert read(message(stop_reason="refusal")).facts.is_refusal


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>",
        b"{}",
        dumps({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        dumps(message())[:-1],
    ],
)
def test_what_is_no_message_is_refused(garbage):
    with pytest.raises(ValueError):
        read(garbage)


@pytest.mark.parametrize(
    ("code", "type_", "shown"),
    [
        ("model_not_found", "invalid_request_error", "not_found_error"),
        ("invalid_api_key", "invalid_request_error", "authentication_error"),
        ("http_529", "upstream_error", "overloaded_error"),
        ("upstream_cut", "upstream_error", "api_error"),
        (None, "invalid_request_error", "invalid_request_error"),
    ],
)
def test_errors_have_anthropics_types(code, type_, shown):
    assert json.loads(MESSAGES.error_body("no", type_=type_, code=code))["error"]["type"] == shown


def test_errors_have_anthropics_shape():
    expected = {"type": "error", "error": {"type": "api_error", "message": "no"}}
    assert json.loads(MESSAGES.error_body("no", type_="api_error", code="c", param="p")) == expected
    assert MESSAGES.error_event("no", type_="api_error") == b"event: error\ndata: " + dumps(expected) + b"\n\n"
