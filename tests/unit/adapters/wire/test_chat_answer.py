import json

import pytest

from undertow.records.answer import Evidence, Usage
from wire_samples import CHAT, LOOK_UP, asked, completion, dumps, tokens, with_alternatives

TOOLS = [{"type": "function", "function": LOOK_UP}]


def read(answer, **fields):
    return CHAT.read_answer(asked(CHAT, **fields), answer if isinstance(answer, bytes) else dumps(answer))


def calling(*calls, content=None, **changes):
    made = [{"id": "c", "type": "function", "function": {"name": name, "arguments": text}} for name, text in calls]
    return completion(content, message={"tool_calls": made}, finish_reason="tool_calls", **changes)


def test_facts_of_an_answer():
    facts = read(completion(logprobs=tokens(-0.5, -0.25))).facts
    assert (facts.logprob_sum, facts.logprob_count) == (-0.75, 2)
    assert (facts.finish_reason, facts.model, facts.fingerprint) == ("stop", "small-2026", "fp_1")
    assert facts.usage == Usage(input_tokens=9, output_tokens=4)
    assert (facts.chars, facts.text) == (17, None)
    assert not facts.is_empty
    assert not facts.is_refusal
    assert facts.are_tool_calls_valid is None


def test_an_answer_is_byte_for_byte_what_came_when_nothing_is_taken_out():
    spaced = json.dumps(completion("Ü", extra={"n": 1.50}), indent=1).encode()
    assert read(spaced).body == spaced
    with_logprobs = json.dumps(completion(logprobs=tokens(-1)), indent=3).encode()
    assert read(with_logprobs, logprobs=True).body == with_logprobs


@pytest.mark.parametrize("style", [{"indent": 2}, {"separators": (",", ":")}, {"separators": (", ", " : ")}])
def test_log_probabilities_nobody_asked_for_become_null_in_every_choice(style):
    answer = completion(logprobs=tokens(-1))
    answer["choices"] += [{**answer["choices"][0], "index": 1, "logprobs": tokens(-2)}]
    whole = read(json.dumps(answer, **style).encode())
    assert whole.facts.logprob_sum == -1
    for choice in answer["choices"]:
        choice["logprobs"] = None
    assert json.loads(whole.body) == answer


def test_the_text_is_kept_only_when_asked():
    request = asked(CHAT)
    assert (
        CHAT.read_answer(request, dumps(completion()), evidence=Evidence(text=True)).facts.text == "Press the button."
    )


ALL = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)


def test_tokens_are_those_of_the_first_choice():
    answer = completion(logprobs=with_alternatives(tokens(-0.5, -0.25), 5))
    answer["choices"].append({**answer["choices"][0], "index": 1, "logprobs": tokens(-3)})
    facts = CHAT.read_answer(asked(CHAT, n=2), dumps(answer), evidence=ALL).facts
    assert (facts.tokens.logprobs, facts.tokens.is_content) == ((-0.5, -0.25), (True, True))
    assert facts.tokens.margins == pytest.approx((0.25, 0.25))
    assert len(facts.tokens.entropies) == 2
    assert (facts.logprob_sum, facts.logprob_count) == (-0.75, 2)
    assert read(answer).facts.tokens is None


@pytest.mark.parametrize("style", [{"indent": 2}, {"separators": (",", ":")}, {"separators": (", ", " : ")}])
@pytest.mark.parametrize("given", [0, 2, 5, 9])
def test_a_caller_gets_as_many_alternatives_as_it_asked_for(style, given):
    upstream = completion(logprobs=with_alternatives(tokens(-0.5, -0.25), max(5, given)))
    body = json.dumps(upstream, **style).encode()
    request = asked(CHAT, logprobs=True, top_logprobs=given)
    whole = CHAT.read_answer(request, body, evidence=ALL)
    assert json.loads(whole.body) == completion(logprobs=with_alternatives(tokens(-0.5, -0.25), given))
    assert len(whole.facts.tokens.margins) == 2
    if given >= 5:
        assert whole.body == body


def test_alternatives_that_only_the_gateway_asked_for_leave_nothing_behind():
    body = dumps(completion(logprobs=with_alternatives(tokens(-0.5), 5)))
    assert CHAT.read_answer(asked(CHAT), body, evidence=ALL).body == dumps(completion())
    assert CHAT.read_answer(asked(CHAT, top_logprobs=2), body, evidence=ALL).body == dumps(completion())


@pytest.mark.parametrize(
    ("answer", "empty"),
    [
        (completion(None), True),
        (completion(""), True),
        (completion(" \n"), True),
        (completion(None, message={"reasoning_content": "hm"}), True),
        (completion(None, message={"refusal": "No."}), False),
        (completion(None, message={"audio": {"id": "a", "data": "AA"}}), False),
        (completion([{"type": "text", "text": "parts"}]), False),
        (calling(("look_up", "{}")), False),
    ],
)
def test_what_is_empty(answer, empty):
    assert read(answer).facts.is_empty is empty


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (completion(None, message={"refusal": "No."}), True),
        (completion("half", finish_reason="content_filter"), True),
        (completion("half", finish_reason="length"), False),
    ],
)
def test_refusals(answer, refusal):
    assert read(answer).facts.is_refusal is refusal


@pytest.mark.parametrize(
    ("answer", "valid", "names"),
    [
        (calling(("look_up", '{"order": "7"}')), True, ("look_up",)),
        (calling(("look_up", '{"order": "7"}'), ("look_up", "{}")), False, ("look_up", "look_up")),
        (calling(("invented", "{}")), False, ("invented",)),
        (calling(("look_up", {"order": "7"})), False, ("look_up",)),
        (
            completion(None, message={"function_call": {"name": "look_up", "arguments": '{"order":"1"}'}}),
            True,
            ("look_up",),
        ),
        (completion(None, message={"tool_calls": [{"id": "c"}]}), False, ()),
    ],
)
def test_tool_calls_are_held_against_what_was_offered(answer, valid, names):
    facts = read(answer, tools=TOOLS).facts
    assert (facts.are_tool_calls_valid, facts.tool_names) == (valid, names)
    assert facts.is_tool_calls_only


def test_custom_tools_take_any_text():
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    offered = [{"type": "custom", "custom": {"name": "sql"}}]
    assert read(completion(None, message={"tool_calls": [call]}), tools=offered).facts.are_tool_calls_valid is True


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        dumps(completion())[:-5],
        dumps({"error": {"message": "secret", "type": "server_error"}}),
        dumps({"error": {"message": "x"}, "choices": None}),
        dumps(completion(choices=[])),
        dumps(completion(choices=[{"index": 0, "text": "legacy"}])),
        dumps(completion()).replace(b"button", b"\xff"),
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused_without_quoting_it(garbage):
    with pytest.raises(ValueError) as caught:
        read(garbage)
    assert "secret" not in str(caught.value)


def test_an_answer_without_usage_or_with_odd_details_is_still_an_answer():
    facts = read(completion(usage=None, system_fingerprint=None, logprobs={"content": "?"})).facts
    assert (facts.usage, facts.logprob_sum) == (None, None)


@pytest.mark.shared
def test_recorded_answers_are_read(shared_dir):
    path = shared_dir / "samples" / "openai" / "chat_completions_examples_from_openapi.json"
    examples = [example["response"].strip() for example in json.loads(path.read_text())]
    whole = [
        read(example.encode(), tools=TOOLS)
        for example in examples
        if '"chat.completion"' in example and "data:" not in example
    ]
    assert len(whole) >= 3
    for answer in whole:
        assert answer.facts.usage is not None
        assert answer.facts.usage.input_tokens > 0
        assert not answer.facts.is_empty
