import json
import math

import pytest

from undertow.adapters.wire.chat_checks import QUESTION, read_self_check
from undertow.records.answer import Evidence
from wire_samples import CHAT, LOOK_UP, MESSAGES, RESPONSES, asked, completion, dumps


def check_of(request, *, answer="Press the button.", parameters=None):
    made = CHAT.self_check_body(request, answer, model="small", parameters=parameters or {})
    return None if made is None else json.loads(made)


def sample_of(request, *, parameters=None, temperature=0.7):
    return json.loads(CHAT.sample_body(request, model="small", parameters=parameters or {}, temperature=temperature))


def test_the_answer_is_put_to_the_model_that_gave_it():
    assert check_of(asked(CHAT, user="u", temperature=1)) == {
        "model": "small",
        "messages": [
            {"role": "user", "content": "How do I reset it?"},
            {"role": "assistant", "content": "Press the button."},
            {"role": "user", "content": QUESTION},
        ],
        "user": "u",
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 5,
    }


def test_nothing_that_was_meant_for_the_answer_is_in_the_check():
    request = asked(
        CHAT,
        stream=True,
        stream_options={"include_usage": True},
        n=3,
        stop=["True"],
        tools=[{"type": "function", "function": LOOK_UP}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        logit_bias={"1": 100},
        top_p=0.1,
        store=True,
        logprobs=False,
        top_logprobs=0,
    )
    body = check_of(request, parameters={"n": 2, "reasoning_effort": "none", "tools": [LOOK_UP]})
    assert set(body) == {
        "model",
        "messages",
        "temperature",
        "max_tokens",
        "logprobs",
        "top_logprobs",
        "reasoning_effort",
    }


@pytest.mark.parametrize(
    ("fields", "parameters", "limit", "other"),
    [
        ({"max_completion_tokens": 500}, {}, "max_completion_tokens", "max_tokens"),
        ({"max_tokens": 500}, {"max_completion_tokens": 50}, "max_completion_tokens", "max_tokens"),
        ({"max_tokens": 500}, {}, "max_tokens", "max_completion_tokens"),
        ({"max_completion_tokens": 500}, {"max_tokens": 50}, "max_tokens", "max_completion_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_upstream_takes(fields, parameters, limit, other):
    body = check_of(asked(CHAT, **fields), parameters=parameters)
    assert body[limit] == 1
    assert other not in body


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}, {}),
        ({"audio": {"voice": "ash"}}, {}),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{"id": "c"}]}]}, {}),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}, {"role": "user", "content": "x"}]}, {}),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "42"}]}, {}),
        ({}, {"logprobs": False}),
    ],
)
def test_what_cannot_be_asked_is_not(fields, parameters):
    assert check_of(asked(CHAT, **fields), parameters=parameters) is None


def test_offered_tools_that_were_not_called_are_no_hindrance():
    messages = [{"role": "user", "content": "x", "tool_calls": None}, {"role": "assistant", "tool_calls": []}]
    assert check_of(asked(CHAT, messages=messages, tools=[{"type": "function", "function": LOOK_UP}])) is not None


def test_messages_go_on_as_they_came():
    body = b'{"model":"a","messages":[{"role":"user","content":"\\u00e4 \\ud83d","name": "me"}]}'
    made = CHAT.self_check_body(CHAT.read_request(body, max_nesting=9), "ä", model="small", parameters={})
    assert b'{"role":"user","content":"\\u00e4 \\ufffd","name": "me"}' in made


def answer_with(*alternatives, **changes):
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in alternatives]
    first = {"token": "True", "logprob": -0.1, "top_logprobs": top} | changes
    return dumps(completion("True", logprobs={"content": [first], "refusal": None}))


@pytest.mark.parametrize(
    ("probs", "expected"),
    [
        ({"True": 0.6, "False": 0.2}, 0.75),
        ({" true": 0.25, "TRUE\n": 0.25, "False": 0.5}, 0.5),
        ({"Yes": 0.3, "no": 0.1, "Maybe": 0.5}, 0.75),
        ({"True": 0.9}, 1.0),
        ({"false": 0.9, "Trustworthy": 0.05}, 0.0),
        ({"True": 0.05, "False": 0.04, "The": 0.9}, None),
        ({"The": 0.9}, None),
        ({"True": 0.9, "False": 0.8}, None),
        ({}, None),
    ],
)
def test_the_probability_of_true_among_true_and_false(probs, expected):
    found = CHAT.read_self_check(answer_with(*((token, math.log(prob)) for token, prob in probs.items())))
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"choices": []}',
        dumps(completion("True")),
        dumps(completion("True", logprobs={"content": []})),
        dumps(completion("True", logprobs={"content": [{"token": "True", "logprob": -0.1}]})),
        answer_with(("True", 0.5)),
        answer_with(("True", None)),
        answer_with(("True", "-0.1")),
        answer_with(("True", -0.1), (None, -3)),
        answer_with(("True", -0.1), top_logprobs={}),
        answer_with(("True", -0.1)).replace(b"-0.1", b"NaN"),
        answer_with(("True", -0.1)).replace(b"-0.1", b"-1e999"),
        b"[" * 100_000,
    ],
)
def test_what_gives_no_probability(body):
    assert read_self_check(body) is None


def test_a_sample_is_the_same_request_at_another_temperature():
    request = asked(CHAT, stream=True, n=3, temperature=0, seed=7, logprobs=True, top_logprobs=2, max_tokens=9)
    assert sample_of(request, parameters={"temperature": 0.1, "x": 1}) == {
        "model": "small",
        "messages": [{"role": "user", "content": "How do I reset it?"}],
        "temperature": 0.7,
        "max_tokens": 9,
        "x": 1,
    }


def test_the_text_of_a_sample_is_read_as_any_answer():
    request = asked(CHAT, stream=True, logprobs=True)
    assert CHAT.read_answer(request, dumps(completion("B")), evidence=Evidence(text=True)).facts.text == "B"


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
def test_the_other_formats_have_neither(dialect):
    request = asked(dialect)
    assert dialect.self_check_body(request, "x", model="small", parameters={}) is None
    assert dialect.read_self_check(answer_with(("True", -0.1))) is None
    assert dialect.sample_body(request, model="small", parameters={}, temperature=0.7) is None
