import json

import pytest

from undertow.records.answer import Evidence, Usage
from wire_samples import LOOK_UP, RESPONSES, asked, dumps, response, said

TOOLS = [{"type": "function", **LOOK_UP}]


def read(answer, **fields):
    return RESPONSES.read_answer(asked(RESPONSES, **fields), answer if isinstance(answer, bytes) else dumps(answer))


def test_facts_of_an_answer():
    facts = read(response({"type": "reasoning", "summary": []}, said("Press.", -0.5, -0.25))).facts
    assert (facts.logprob_sum, facts.logprob_count, facts.finish_reason) == (-0.75, 2, "completed")
    assert facts.usage == Usage(input_tokens=9, cached_tokens=3, output_tokens=4, reasoning_tokens=1)
    assert (facts.chars, facts.model, facts.is_empty) == (6, "small-2026", False)


@pytest.mark.parametrize("style", [{"indent": 2}, {"separators": (",", ":")}, {"separators": (", ", " : ")}])
def test_log_probabilities_nobody_asked_for_become_empty_lists(style):
    answer = response(said("a", -1), said("b", -2))
    asking = json.dumps(answer, **style).encode()
    whole = read(asking)
    assert json.loads(whole.body) == response(said("a"), said("b"))
    assert whole.facts.logprob_count == 2
    assert read(asking, include=["message.output_text.logprobs"]).body == asking
    plain = json.dumps(response(), **style).encode()
    assert read(plain).body == plain


ALL = Evidence(logprobs=True, alternatives=5, tokens=True)
LOGPROBS = ["message.output_text.logprobs"]


def test_tokens_of_all_parts():
    answer = dumps(response(said("a", -0.5, alternatives=5), said("b", -0.25, alternatives=5)))
    found = RESPONSES.read_answer(asked(RESPONSES), answer, evidence=ALL).facts.tokens
    assert found.logprobs == (-0.5, -0.25)
    assert found.margins == pytest.approx((0.25, 0.25))
    half = dumps(response(said("a", -0.5, alternatives=5), said("b")))
    facts = RESPONSES.read_answer(asked(RESPONSES), half, evidence=ALL).facts
    assert (facts.tokens, facts.logprob_sum) == (None, -0.5)


@pytest.mark.parametrize("style", [{"indent": 2}, {"separators": (",", ":")}, {"separators": (", ", " : ")}])
@pytest.mark.parametrize(("include", "given"), [(LOGPROBS, 0), (LOGPROBS, 2), (LOGPROBS, 9), ([], 0), ([], 2)])
def test_a_response_tells_what_its_caller_asked_for(style, include, given):
    most = max(5, given)
    upstream = response(said("a", -1, alternatives=most), said("b", -2, alternatives=most), top_logprobs=most)
    request = asked(RESPONSES, include=include, top_logprobs=given)
    whole = RESPONSES.read_answer(request, json.dumps(upstream, **style).encode(), evidence=ALL)
    output = (
        [said("a", -1, alternatives=given), said("b", -2, alternatives=given)] if include else [said("a"), said("b")]
    )
    assert json.loads(whole.body) == response(*output, top_logprobs=given)
    assert len(whole.facts.tokens.logprobs) == 2


def test_unfinished_answers_say_why():
    cut = response(said("a"), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert read(cut).facts.finish_reason == "max_output_tokens"
    filtered = response(said("a"), status="incomplete", incomplete_details={"reason": "content_filter"})
    assert read(filtered).facts.is_refusal
    refused = said("")
    refused["content"] = [{"type": "refusal", "refusal": "No."}]
    facts = read(response(refused)).facts
    assert (facts.is_refusal, facts.is_empty) == (True, False)


@pytest.mark.parametrize(
    ("item", "valid"),
    [
        ({"type": "function_call", "name": "look_up", "arguments": '{"order": "1"}', "call_id": "c"}, True),
        ({"type": "function_call", "name": "look_up", "arguments": "{}", "call_id": "c"}, False),
        ({"type": "custom_tool_call", "name": "sql", "input": "SELECT", "call_id": "c"}, True),
        ({"type": "custom_tool_call", "name": "other", "input": "SELECT", "call_id": "c"}, False),
    ],
)
def test_tool_calls(item, valid):
    facts = read(response(item), tools=[*TOOLS, {"type": "custom", "name": "sql"}]).facts
    assert (facts.are_tool_calls_valid, facts.is_tool_calls_only) == (valid, True)


@pytest.mark.parametrize(
    ("item", "empty"),
    [
        ({"type": "reasoning", "content": None}, True),
        ({"type": "web_search_call", "status": "completed"}, True),
        ({"type": "image_generation_call", "result": "AA"}, False),
    ],
)
def test_work_on_the_way_to_an_answer_is_none(item, empty):
    assert read(response(item)).facts.is_empty is empty


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>",
        b"{}",
        dumps({"error": {"message": "x"}}),
        dumps(response(status="failed")),
        dumps(response(error={"code": "server_error", "message": "x"})),
        dumps(response({"type": "message", "content": "no list"})),
    ],
)
def test_what_is_no_response_or_failed_is_refused(garbage):
    with pytest.raises(ValueError):
        read(garbage)


def test_text_is_kept_only_when_asked():
    made = RESPONSES.read_answer(asked(RESPONSES), dumps(response(said("a"), said("b"))), evidence=Evidence(text=True))
    assert made.facts.text == "ab"
