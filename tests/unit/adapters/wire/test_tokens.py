import json
import math

import msgspec
import pytest

from undertow.adapters.wire.tokens import MAX_TOKENS, TokenCollector


def token(logprob, *alternatives, text="a"):
    top = [{"token": f"x{n}", "logprob": value} for n, value in enumerate(alternatives)]
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": top}


def collected(*values):
    """Evidence of some pieces, each a list of tokens or a choice's `logprobs`."""
    collector = TokenCollector()
    for value in values:
        raw = msgspec.Raw(json.dumps(value).encode())
        collector.add_list(raw) if isinstance(value, list) else collector.add_choice(raw)
    return collector.evidence()


def test_tokens_of_text_and_of_refusals_in_order():
    found = collected({"content": [token(-0.5)], "refusal": None}, {"content": None, "refusal": [token(-0.25)]})
    assert found.logprobs == (-0.5, -0.25)
    assert collected([token(-0.5)], [], [token(-0.25)]) == found
    assert collected() is None
    assert collected({"content": None}) is None


@pytest.mark.parametrize(
    ("text", "is_content"),
    [
        ("a", True),
        (" Knöpfe", True),
        ("7", True),
        ("漢", True),
        (" ", False),
        ("", False),
        ('{"', False),
        ("-\n", False),
    ],
)
def test_content_has_a_letter_or_a_digit(text, is_content):
    assert collected([token(-1, text=text)]).is_content == (is_content,)


def test_margin_and_entropy_of_the_alternatives():
    found = collected([token(-0.5, math.log(0.25), math.log(0.5), math.log(0.125))])
    assert found.margins == pytest.approx((0.25,))
    assert found.entropies == pytest.approx((-(0.5 * math.log(0.5) + 0.25 * math.log(0.25) + 0.25 * math.log(0.125)),))
    certain = collected([token(0, 0.0, -9999.0)])
    assert (certain.margins, certain.entropies) == ((1.0,), (0.0,))


@pytest.mark.parametrize(
    "last",
    [token(-1), token(-1, -0.5), {"token": "a", "logprob": -1}, {"token": "a", "logprob": -1, "top_logprobs": None}],
    ids=["none", "one", "absent", "null"],
)
def test_alternatives_are_told_only_where_every_token_has_them(last):
    found = collected([token(-1, -0.7, -0.8), last, token(-1, -0.7, -0.8)])
    assert (len(found.logprobs), found.margins, found.entropies) == (3, (), ())


def test_a_single_alternative_that_is_certain_leaves_nothing_unknown():
    assert collected([token(0, 0.0)]).margins == (1.0,)


@pytest.mark.parametrize(
    "odd",
    [
        token(0.01),
        token(None),
        token("-1"),
        token(True),
        {"token": "a"},
        {"logprob": -1},
        token(-1, text=None),
        token(-1, -0.1, 0.2),
        token(-1, -0.1, "x"),
        token(-1, -0.1, -0.1),
        5,
    ],
)
def test_one_token_that_makes_no_sense_and_there_is_no_evidence(odd):
    assert collected([token(-1, -0.7, -0.8), odd]) is None
    assert collected([token(-1, -0.7, -0.8)], {"content": [odd]}, [token(-1)]) is None


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_are_none(number):
    collector = TokenCollector()
    collector.add_list(msgspec.Raw(b'[{"token": "a", "logprob": %b}]' % number))
    assert collector.evidence() is None


def test_rounding_above_zero_is_no_lie():
    assert collected([token(5e-7)]).logprobs == (5e-7,)


@pytest.mark.parametrize("sizes", [[MAX_TOKENS + 5], [MAX_TOKENS - 1, 3, 1000], [1000] * 6])
def test_memory_is_bounded(sizes):
    found = collected(*([token(-1, -0.7, -0.8)] * size for size in sizes))
    assert {len(values) for values in (found.logprobs, found.is_content, found.margins, found.entropies)} == {
        MAX_TOKENS
    }
