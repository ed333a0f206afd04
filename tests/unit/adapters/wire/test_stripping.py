import json

import msgspec
import pytest

from undertow.adapters.wire.stripping import Stripping, with_count, with_fewer_alternatives, without_logprobs
from undertow.records.answer import NO_EVIDENCE, Evidence
from wire_samples import CHAT, asked, dumps, tokens

FIVE = Evidence(logprobs=True, alternatives=5)


def test_only_the_values_under_the_key_go_and_all_else_stays_byte_for_byte():
    value = msgspec.json.encode(tokens(-1))
    before = b'{"x":%b, "text":"\\"logprobs\\":%b" ,"logprobs": %b,"n": 1.50,"deep":[{"logprobs":[1]}]}'
    document = before % (value, b"{}", value)
    found = [msgspec.Raw(value), msgspec.Raw(b"[1]")]
    assert without_logprobs(document, found, b"null") == (before % (value, b"{}", b"null")).replace(b"[1]", b"null")


def test_unusual_white_space_is_left_to_the_rebuilt_document():
    document = b'{"choices": [{"logprobs" :\n{"content": []}, "n": [1, {"logprobs": 3}]}]}'
    assert without_logprobs(document, [msgspec.Raw(b'{"content": []}')], b"null") is None
    cleared = json.loads(Stripping(asked(CHAT), NO_EVIDENCE, b"null").rebuilt(document))
    assert cleared == {"choices": [{"logprobs": None, "n": [1, {"logprobs": None}]}]}


@pytest.mark.parametrize(
    ("fields", "evidence", "is_all", "most"),
    [
        ({}, NO_EVIDENCE, True, None),
        ({}, FIVE, True, 0),
        ({"logprobs": True}, FIVE, False, 0),
        ({"logprobs": True, "top_logprobs": 2}, FIVE, False, 2),
        ({"logprobs": True, "top_logprobs": 5}, FIVE, False, None),
        ({"logprobs": True, "top_logprobs": 9}, FIVE, False, None),
        ({"logprobs": True, "top_logprobs": "odd"}, FIVE, False, None),
        ({"logprobs": True, "top_logprobs": 2}, Evidence(logprobs=True), False, None),
        ({"logprobs": True, "top_logprobs": 2}, Evidence(alternatives=5), False, None),
    ],
)
def test_what_the_caller_gets_of_what_was_asked(fields, evidence, is_all, most):
    stripping = Stripping(asked(CHAT, **fields), evidence, b"null")
    assert (stripping.is_all, stripping.most) == (is_all, most)


def value_with(*counts):
    """`logprobs` of a choice whose tokens have so many alternatives each; every token has text that looks like the key."""
    made = tokens(*[-0.5] * len(counts))
    for token, count in zip(made["content"], counts, strict=True):
        alternatives = [{"token": f"a{n}", "logprob": -1.0 - n, "bytes": None} for n in range(count)]
        token |= {"token": '"top_logprobs":[', "top_logprobs": alternatives}
    return made


@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}])
def test_alternatives_beyond_the_callers_are_cut_in_place(style):
    before = {"x": 1.50, "logprobs": value_with(5, 1, 0, 3), "y": [{"top_logprobs": [1, 2, 3]}]}
    document = json.dumps(before, **style).encode()
    found = [msgspec.Raw(json.dumps(before["logprobs"], **style).encode())]
    made = with_fewer_alternatives(document, found, 2)
    assert json.loads(made) == {**before, "logprobs": value_with(2, 1, 0, 2)}
    assert with_fewer_alternatives(document, found, 5) == document


def test_alternatives_of_refusals_and_of_plain_lists_are_cut_too():
    refusal = {"content": None, "refusal": value_with(3)["content"]}
    for value in (refusal, refusal["refusal"]):
        document = dumps({"logprobs": value})
        made = with_fewer_alternatives(document, [msgspec.Raw(dumps(value))], 0)
        assert json.loads(made)["logprobs"] != value
        assert b'"a0"' not in made


def test_unusual_white_space_is_left_to_the_rebuilt_document_here_too():
    stripping = Stripping(asked(CHAT, logprobs=True, top_logprobs=1), FIVE, b"null")
    document = {"top_logprobs": 5, "logprobs": value_with(2), "tools": {"top_logprobs": {"type": "integer"}}}
    spaced = json.dumps(document, separators=(",", " : ")).encode()
    found = [msgspec.Raw(json.dumps(document["logprobs"], separators=(",", " : ")).encode())]
    assert stripping.in_place(spaced, found) is None
    assert json.loads(stripping.rebuilt(spaced)) == {**document, "top_logprobs": 1, "logprobs": value_with(1)}


@pytest.mark.parametrize("odd", [b"5", b'{"content": 5}', b'{"content": [{"top_logprobs": {}}]}', b"[]"])
def test_what_makes_no_sense_stays_as_it_is(odd):
    document = b'{"logprobs":%b}' % odd
    assert with_fewer_alternatives(document, [msgspec.Raw(odd)], 0) == document


def test_a_count_that_is_not_found_is_left_to_the_rebuilt_document():
    assert with_count(b'{"top_logprobs" : 5}', msgspec.Raw(b"5"), 0) is None
