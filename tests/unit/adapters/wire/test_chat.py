import json

import pytest

from undertow.adapters.wire.chat import openai_error
from undertow.ports.wire import WireError
from undertow.records.answer import NO_EVIDENCE, SUM_OF_LOGPROBS, Evidence
from wire_samples import CHAT, LOOK_UP, asked, dumps


def sent(request, *, parameters=None, evidence=NO_EVIDENCE):
    return CHAT.upstream_body(request, model="small", parameters=parameters or {}, evidence=evidence)


def test_the_system_prompt_is_hashed():
    def prompt_hash(*messages):
        return asked(CHAT, messages=[*messages, {"role": "user", "content": "x"}]).facts.prompt_hash

    prompt = prompt_hash({"role": "system", "content": "Be brief."})
    assert prompt == prompt_hash({"role": "developer", "content": [{"type": "text", "text": "Be brief."}]})
    assert prompt != prompt_hash({"role": "system", "content": "Be long."})
    assert prompt_hash() is None


@pytest.mark.parametrize(
    ("fields", "has_media"),
    [
        ({"modalities": ["text"]}, False),
        ({"modalities": ["text", "audio"]}, True),
        ({"modalities": None, "audio": None}, False),
        ({"audio": {"voice": "ash"}}, True),
    ],
)
def test_asking_for_sound_is_media(fields, has_media):
    assert asked(CHAT, **fields).facts.has_media is has_media


@pytest.mark.parametrize(("field", "other"), [("max_completion_tokens", "max_tokens"), ("max_tokens", "stop")])
def test_the_newer_limit_counts_first(field, other):
    assert asked(CHAT, **{other: None, field: 5}).facts.output_limit == 5
    assert asked(CHAT, max_tokens=9, max_completion_tokens=5).facts.output_limit == 5


def test_tools_and_the_older_functions_are_offered():
    assert asked(CHAT, tools=[{"type": "function", "function": LOOK_UP}]).tools["look_up"].required == ("order",)
    assert asked(CHAT, functions=[LOOK_UP]).facts.has_tools
    assert not asked(CHAT, tools=[]).facts.has_tools


@pytest.mark.parametrize("messages", [[], "hi", None, [1], {"role": "user"}])
def test_messages_are_needed(messages):
    with pytest.raises(WireError) as caught:
        asked(CHAT, messages=messages)
    assert caught.value.param == "messages"


def test_unknown_fields_go_on_as_they_came_and_in_order():
    body = b'{"x": {"deep": [1.50, 1e2]}, "model":"auto","n":2, "messages":[{"role":"user","content":"\\u00e4","name": "me"}] ,"seed":12345678901234567890}'
    request = CHAT.read_request(body, max_nesting=9)
    assert sent(request) == (
        b'{"x":{"deep": [1.50, 1e2]},"model":"small","n":2,'
        b'"messages":[{"role":"user","content":"\\u00e4","name": "me"}],"seed":12345678901234567890}'
    )


def test_a_tiers_parameters_go_over_the_callers():
    request = asked(CHAT, temperature=1, max_tokens=500)
    body = json.loads(
        sent(request, parameters={"temperature": 0, "max_completion_tokens": 50, "stream": True, "messages": []})
    )
    assert (body["temperature"], body["max_completion_tokens"]) == (0, 50)
    assert "max_tokens" not in body
    assert "stream" not in body
    assert body["messages"]


@pytest.mark.parametrize(
    ("fields", "parameters", "evidence", "logprobs"),
    [
        ({}, {}, SUM_OF_LOGPROBS, True),
        ({"logprobs": False, "n": 2}, {}, SUM_OF_LOGPROBS, True),
        ({"logprobs": True, "top_logprobs": 3}, {}, SUM_OF_LOGPROBS, True),
        ({"audio": {"voice": "ash"}}, {}, SUM_OF_LOGPROBS, None),
        ({}, {"logprobs": False}, SUM_OF_LOGPROBS, False),
        ({}, {}, NO_EVIDENCE, None),
        ({"logprobs": False}, {}, NO_EVIDENCE, False),
    ],
)
def test_log_probabilities_are_asked_for_where_a_confidence_is_needed(fields, parameters, evidence, logprobs):
    request = asked(CHAT, **fields)
    body = json.loads(sent(request, parameters=parameters, evidence=evidence))
    assert body.get("logprobs") is logprobs
    assert request.wants_logprobs is (fields.get("logprobs") is True)


@pytest.mark.parametrize(
    ("fields", "parameters", "expected"),
    [
        ({}, {}, (True, 5)),
        ({"logprobs": True}, {}, (True, 5)),
        ({"logprobs": True, "top_logprobs": 2}, {}, (True, 5)),
        ({"logprobs": True, "top_logprobs": 9}, {}, (True, 9)),
        ({"logprobs": True, "top_logprobs": "odd"}, {}, (True, "odd")),
        ({}, {"top_logprobs": 3}, (True, 3)),
        ({}, {"logprobs": True}, (True, 5)),
        ({}, {"logprobs": False}, (False, None)),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": False}, (False, 2)),
        ({"audio": {"voice": "ash"}}, {}, (None, None)),
    ],
)
def test_alternatives_are_asked_for_unless_the_caller_asks_for_more(fields, parameters, expected):
    request = asked(CHAT, **fields)
    body = json.loads(sent(request, parameters=parameters, evidence=Evidence(logprobs=True, alternatives=5)))
    assert (body.get("logprobs"), body.get("top_logprobs")) == expected
    unasked = json.loads(sent(request, evidence=Evidence(alternatives=5)))
    assert unasked.get("top_logprobs") == fields.get("top_logprobs")


@pytest.mark.parametrize(
    ("options", "parameters", "expected", "wants"),
    [
        (None, {}, {"include_usage": True}, False),
        (
            {"include_usage": False, "include_obfuscation": False},
            {},
            {"include_obfuscation": False, "include_usage": True},
            False,
        ),
        ({"include_usage": True, "x": 1}, {}, {"include_usage": True, "x": 1}, True),
        ("odd", {"stream_options": {"y": 2}}, {"y": 2, "include_usage": True}, False),
    ],
)
def test_streams_are_asked_for_their_usage(options, parameters, expected, wants):
    request = asked(CHAT, stream=True, stream_options=options)
    assert request.wants_usage is wants
    assert json.loads(sent(request, parameters=parameters))["stream_options"] == expected


def test_whole_answers_need_no_stream_options():
    assert "stream_options" not in json.loads(sent(asked(CHAT)))


def test_errors_have_openais_shape():
    body = json.loads(CHAT.error_body("no", type_="invalid_request_error", code="c", param="model"))
    assert body == {"error": {"message": "no", "type": "invalid_request_error", "param": "model", "code": "c"}}
    event = CHAT.error_event("cut", type_="upstream_error", code="cut")
    assert event == b"data: " + dumps(openai_error("cut", type_="upstream_error", code="cut", param=None)) + b"\n\n"
