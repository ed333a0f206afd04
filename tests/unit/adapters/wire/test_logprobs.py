import json

import msgspec
import pytest

from undertow.adapters.wire.logprobs import choice_logprobs, rebuilt_without_logprobs, token_logprobs, without_logprobs
from wire_samples import tokens


def raw(value):
    return msgspec.Raw(msgspec.json.encode(value))


def test_sums_are_over_all_tokens_of_text_and_refusal():
    assert choice_logprobs(raw(tokens(-0.5, -1, 0))) == (-1.5, 3)
    assert choice_logprobs(raw({"content": None, "refusal": tokens(-2.0)["content"]})) == (-2.0, 1)
    assert token_logprobs(raw(tokens(-0.5, -1)["content"])) == (-1.5, 2)


@pytest.mark.parametrize("value", [[], 5, {"content": [{"token": "a"}]}, {"content": [{"logprob": None}]}])
def test_what_makes_no_sense_is_no_confidence(value):
    assert choice_logprobs(raw(value)) == (0.0, 0)


def test_only_the_values_under_the_key_go_and_all_else_stays_byte_for_byte():
    value = msgspec.json.encode(tokens(-1))
    before = b'{"x":%b, "text":"\\"logprobs\\":%b" ,"logprobs": %b,"n": 1.50,"deep":[{"logprobs":[1]}]}'
    document = before % (value, b"{}", value)
    found = [msgspec.Raw(value), msgspec.Raw(b"[1]")]
    assert without_logprobs(document, found, b"null") == (before % (value, b"{}", b"null")).replace(b"[1]", b"null")


def test_unusual_white_space_is_left_to_the_rebuilt_document():
    document = b'{"choices": [{"logprobs" :\n{"content": []}, "n": [1, {"logprobs": 3}]}]}'
    assert without_logprobs(document, [msgspec.Raw(b'{"content": []}')], b"null") is None
    cleared = json.loads(rebuilt_without_logprobs(document, None))
    assert cleared == {"choices": [{"logprobs": None, "n": [1, {"logprobs": None}]}]}
