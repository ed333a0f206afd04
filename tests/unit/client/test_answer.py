"""An answer reads like the official clients' and can go into the next request."""

import copy
import pickle

import pytest

from undertow.adapters.wire.sse import EventSplitter
from undertow.client.answer import Answer, AnswerError, Fields, decode_body, encode_body, read_events
from undertow.ports.reply import ServedBy


def pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (our own)


def test_fields_are_attributes_and_keys_down_to_the_last():
    answer = Answer({"choices": [{"message": {"content": "hi"}}]}, ServedBy("d1", "cheap"))
    assert answer.choices[0].message.content == answer["choices"][0]["message"]["content"] == "hi"
    assert answer.undertow.tier == "cheap"
    assert answer.to_dict() == {"choices": [{"message": {"content": "hi"}}]}


def test_an_unknown_field_is_named_with_the_known_ones():
    with pytest.raises(AttributeError, match="no field 'choces'; it has choices"):
        _ = Fields({"choices": []}).choces


def test_answers_can_be_copied_and_pickled():
    answer = Answer({"a": {"b": 1}}, ServedBy("d1"))
    for same in (copy.copy(answer), copy.deepcopy(answer), pickled(answer)):
        assert same == answer
        assert same.undertow == answer.undertow


def test_errors_can_be_pickled():
    error = AnswerError(404, {"error": {"message": "no such model", "code": "model_not_found"}}, "d1")
    same = pickled(error)
    assert (str(same), same.status, same.code, same.decision_id) == ("no such model", 404, "model_not_found", "d1")


@pytest.mark.parametrize("body", [{}, {"error": "text"}, {"error": {"message": None}}])
def test_an_error_of_any_shape_has_a_message(body):
    error = AnswerError(503, body, None)
    assert str(error) == "status 503"
    assert error.code is None


def test_no_repr_shows_what_was_said():
    assert "secret" not in repr(Fields({"content": "secret"}))


class Model:
    def model_dump(self, **how):
        assert how == {"mode": "json", "exclude_unset": True}
        return {"role": "assistant", "content": "from a client"}


def test_a_request_may_hold_parts_of_an_earlier_answer_and_of_official_clients():
    earlier = Fields({"message": {"role": "assistant", "tool_calls": [{"id": "c1"}]}})
    assert encode_body({"messages": [earlier.message, Model()]}) == (
        b'{"messages":[{"role":"assistant","tool_calls":[{"id":"c1"}]},{"role":"assistant","content":"from a client"}]}'
    )


def test_what_json_does_not_have_is_refused_by_its_type():
    with pytest.raises(TypeError, match="cannot hold a object"):
        encode_body({"messages": [object()]})


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"cut', b'{"a":' * 100_000])
def test_what_is_no_object_is_none(body):
    assert decode_body(body) is None


def test_half_a_surrogate_pair_is_read_all_the_same():
    assert decode_body(b'{"a": "\\ud800"}') == {"a": "\ud800"}


def test_events_may_be_cut_anywhere():
    stream = b'event: x\r\ndata: {"a": 1}\r\n\r\n: ping\n\ndata: {"b":\ndata: 2}\n\ndata: [DONE]\n\n'
    found, splitter = [], EventSplitter()
    for at in range(len(stream)):
        found += read_events(splitter.feed(stream[at : at + 1]))
    assert found == [{"a": 1}, {"b": 2}]
