import json

import msgspec
import pytest

from undertow.adapters.wire.answer_format import has_format, read_answer_format, read_text_format
from undertow.ports.wire import AnswerFormat
from wire_samples import CHAT, MESSAGES, RESPONSES, asked, completion, dumps, response, said

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
CHAT_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
TEXT_SCHEMA = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}, "verbosity": "low"}


def raw(value):
    return msgspec.Raw(dumps(value))


def test_formats_of_both_apis():
    assert read_answer_format(raw(CHAT_SCHEMA)) == read_text_format(raw(TEXT_SCHEMA)) == AnswerFormat(raw(SCHEMA))
    assert read_answer_format(raw({"type": "json_object"})) == AnswerFormat()
    assert read_text_format(raw({"format": {"type": "json_object"}})) == AnswerFormat()


@pytest.mark.parametrize(
    "value",
    [None, 5, [], {}, {"type": "text"}, {"type": "grammar"}, {"type": 5}, {"type": "json_schema", "json_schema": 5}],
)
def test_what_demands_nothing_or_makes_no_sense(value):
    assert read_answer_format(raw(value)) is None
    assert read_text_format(raw({"format": value})) is None
    assert read_text_format(raw(value)) is None


@pytest.mark.parametrize(
    ("text", "is_json", "fits"),
    [
        ('{"n": 1}', True, True),
        (' {"n": 1}\n', True, True),
        ('{"n": "1"}', True, False),
        ("{}", True, False),
        ("7", True, False),
        ('{"n": 1', False, False),
        ('```json\n{"n": 1}\n```', False, False),
        ('{"n": NaN}', False, False),
        ("", False, False),
        ("[" * 100_000, False, False),
    ],
)
def test_a_text_has_the_format_or_not(text, is_json, fits):
    assert has_format(AnswerFormat(), text) is is_json
    assert has_format(AnswerFormat(raw(SCHEMA)), text) is fits


@pytest.mark.parametrize("schema", [5, {"type": "nonsense"}, {"$ref": "https://example.org/s.json"}])
def test_a_schema_that_cannot_be_checked_leaves_only_what_is_no_json(schema):
    demanded = AnswerFormat(raw(schema))
    assert has_format(demanded, "{}") is None
    assert has_format(demanded, "no JSON") is False


@pytest.mark.parametrize(
    ("dialect", "fields", "answer"),
    [
        (CHAT, {"response_format": CHAT_SCHEMA}, completion),
        (CHAT, {"response_format": CHAT_SCHEMA, "tools": []}, completion),
        (RESPONSES, {"text": TEXT_SCHEMA}, lambda text: response(said(text))),
    ],
    ids=["plain chat", "chat", "responses"],
)
def test_whole_answers_are_held_against_the_demand(dialect, fields, answer):
    request = asked(dialect, **fields)
    assert request.facts.has_format
    for text, valid in (('{"n": 1}', True), ('{"n": null}', False), ("Sure: 1", False)):
        facts = dialect.read_answer(request, dumps(answer(text))).facts
        assert (facts.is_format_valid, facts.text) == (valid, None)
    plain = asked(dialect)
    assert not plain.facts.has_format
    assert dialect.read_answer(plain, dumps(answer("x"))).facts.is_format_valid is None


def test_messages_demand_no_format_that_is_checked():
    assert not asked(MESSAGES, response_format={"type": "json_object"}).facts.has_format


def test_with_several_choices_the_first_is_checked():
    answer = completion('{"n": 1}')
    answer["choices"].append({**answer["choices"][0], "index": 1, "message": {"role": "assistant", "content": "x"}})
    facts = CHAT.read_answer(asked(CHAT, n=2, response_format=CHAT_SCHEMA), json.dumps(answer).encode()).facts
    assert facts.is_format_valid is True
