import json

import pytest

from undertow.adapters.wire.responses import LOGPROBS
from undertow.ports.wire import WireError
from undertow.records.answer import NO_EVIDENCE, SUM_OF_LOGPROBS, Evidence
from wire_samples import RESPONSES, asked


def sent(request, *, parameters=None, evidence=NO_EVIDENCE):
    made = RESPONSES.upstream_body(request, model="small", parameters=parameters or {}, evidence=evidence)
    return json.loads(made)


def test_input_may_be_a_list_of_items():
    facts = asked(
        RESPONSES,
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "Be kind."},
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "data:,"}],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
        ],
    ).facts
    assert (facts.text, facts.is_user_turn, facts.has_media) == ("look", False, True)
    assert facts.prompt_hash == asked(RESPONSES, instructions="Be brief.\nBe kind.").facts.prompt_hash


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "data:,"}]},
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": "data:,"},
        },
        {"role": "user", "content": [{"type": "input_file", "file_data": "AAAA"}]},
    ],
)
def test_media_among_the_items(item):
    assert asked(RESPONSES, input=[item]).facts.has_media


def test_items_of_other_kinds_may_have_any_shape():
    items = [{"type": "reasoning", "summary": [], "content": {"odd": 1}}, {"role": "user", "content": "x"}]
    assert asked(RESPONSES, input=items).facts.text == "x"


@pytest.mark.parametrize("given", [5, {}, [], [1], None])
def test_input_is_needed(given):
    with pytest.raises(WireError) as caught:
        asked(RESPONSES, input=given)
    assert caught.value.param == "input"


def test_a_stored_prompt_or_conversation_may_stand_for_the_input():
    assert asked(RESPONSES, input=None, prompt={"id": "p"}).facts.text == ""


def test_log_probabilities_are_included_where_a_confidence_is_needed():
    assert sent(asked(RESPONSES, include=["a"]), evidence=SUM_OF_LOGPROBS)["include"] == ["a", LOGPROBS]
    assert sent(asked(RESPONSES), evidence=SUM_OF_LOGPROBS)["include"] == [LOGPROBS]
    assert "include" not in sent(asked(RESPONSES))
    asking = asked(RESPONSES, include=[LOGPROBS])
    assert asking.wants_logprobs
    assert sent(asking, evidence=SUM_OF_LOGPROBS)["include"] == [LOGPROBS]


@pytest.mark.parametrize(
    ("fields", "parameters", "expected"),
    [
        ({}, {}, 5),
        ({"include": [LOGPROBS], "top_logprobs": 2}, {}, 5),
        ({"include": [LOGPROBS], "top_logprobs": 9}, {}, 9),
        ({}, {"top_logprobs": 3}, 3),
        ({"top_logprobs": "odd"}, {}, "odd"),
    ],
)
def test_alternatives_are_asked_for_unless_the_caller_asks_for_more(fields, parameters, expected):
    body = sent(asked(RESPONSES, **fields), parameters=parameters, evidence=Evidence(logprobs=True, alternatives=5))
    assert (body["top_logprobs"], body["include"]) == (expected, [LOGPROBS])
    plain = sent(asked(RESPONSES, **fields), evidence=SUM_OF_LOGPROBS)
    assert plain.get("top_logprobs") == fields.get("top_logprobs")


def test_a_tiers_parameters_go_over_the_callers():
    body = sent(
        asked(RESPONSES, temperature=1, stream=True), parameters={"temperature": 0, "input": "x", "stream": False}
    )
    assert body == {"model": "small", "input": "How do I reset it?", "temperature": 0, "stream": True}


def test_errors_have_openais_shape_and_the_event_both():
    error = {"message": "no", "type": "t", "param": None, "code": "c"}
    assert json.loads(RESPONSES.error_body("no", type_="t", code="c")) == {"error": error}
    name, data, *_ = RESPONSES.error_event("no", type_="t", code="c").split(b"\n")
    event = json.loads(data.removeprefix(b"data: "))
    assert (name, event["type"], event["message"], event["code"]) == (b"event: error", "error", "no", "c")
    assert event["error"] == error
