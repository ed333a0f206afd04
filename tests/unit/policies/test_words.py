"""Words of doubt and refusal, and answers that are one option."""

import pytest

from undertow.policies.words import HEDGES, REFUSAL_CHARS, REFUSALS, has_refusal_words, hedging, option_of


@pytest.mark.parametrize("phrase", HEDGES)
def test_every_hedge_counts_once(phrase):
    words = f"Well {phrase} it".split()
    assert hedging(f"Well {phrase} it") == pytest.approx(1 / len(words))


@pytest.mark.parametrize("phrase", REFUSALS)
def test_every_refusal_is_seen_whatever_its_apostrophe(phrase):
    assert has_refusal_words(f"Hello. {phrase.capitalize().replace(chr(39), chr(0x2019))} help.")


def test_parts_of_words_are_no_hedges():
    assert hedging("The mighty unlikelyhood of mayberry") == 0.0
    assert hedging("?!") is None


def test_a_refusal_is_looked_for_at_the_beginning():
    assert not has_refusal_words("x" * REFUSAL_CHARS + " I cannot")
    assert not has_refusal_words("They cannot do it.")


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("A", "a"), ("(b)", "b"), ("**C**.", "c"), ("[12]", "12"), (" No. ", "no"), ("TRUE", "true"), ("`x`", "x"),
        ("abc", None), ("A or B", None), ("", None), ("()", None), ("é", None), ("-1", None), ("b" + " " * 50, "b"),
        ("yes" * 9, None), ("yes\nno", None),
    ],
)  # fmt: skip
def test_options(text, option):
    assert option_of(text) == option
