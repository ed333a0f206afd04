import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.behaviour import normalising
from undertow.behaviour.normalising import telling, telling_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\u2019t STOP, me!", ["dont", "stop", "me"]),
        ("Größe — naïve café", ["grosse", "naive", "cafe"]),
        ("snake_case x2", ["snake", "case", "x2"]),
        ("退款 now", ["退", "款", "now"]),
        ("  \n\t…", []),
        ("\ud800 lone", ["lone"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_politeness_and_small_words_do_not_count():
    assert telling_words("Hi, can you PLEASE tell me: how to reset passwords?") == ["how", "reset", "password"]
    assert telling_words("Könnten Sie mir bitte sagen, wie ich kündige") == ["wie", "kundige"]


def test_negations_and_question_words_stay():
    assert telling_words("why does it not work") == ["why", "not", "work"]


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_ascii_takes_the_short_way_to_the_same_words(text):
    assert words(text) == normalising._WORD.findall(normalising._APOSTROPHES.sub("", text.casefold()))


def test_a_plural_loses_its_s_where_that_joins_no_two_words():
    assert telling(["orders", "glass", "gas", "buses", "yes"]) == ["order", "glass", "gas", "buse"]
