"""Answers that say the same in other words agree; answers that differ in the one word that matters do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.policies.agreement import MAX_CHARS, agreement_of, is_same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Paris", " the PARIS. ", True),
        ("B", "(b)", True),
        ("yes", "no", False),
        ("It is **Paris**", "it's Paris", False),
        ("The answer is 42.", "6 * 7 = 42", True),
        ("42", "43", False),
        ("1,200 EUR", "1200 EUR", False),
        ("so 1,200", "1200.0", True),
        ("-3", "3", False),
        ("from 2 to 3-4", "4", True),
        ("version v2", "2", False),
        ("1.2.3", "3", False),
        ('{"a": 1, "b": [1, 2]}', '{"b":[1.0,2],"a":1}', True),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 1}', '{"a": 2}', False),
        ("[1, 2]", "[2, 1]", False),
        ("{not json", "{not json", True),
        ("it is red", "it is blue", False),
        ("!?", "!?", True),
        ("!?", "...", False),
        ("!?", "word", False),
    ],
)
def test_same(one, other, same):
    assert is_same(one, other) is same
    assert is_same(other, one) is same


def test_longer_texts_agree_by_the_words_that_they_share():
    long = "Your parcel left our warehouse on Monday and reaches you within three working days"
    reworded = "On Monday your parcel left our warehouse and it reaches you within three working days"
    other = "We could not find any order under this number please send us the mail of confirmation"
    assert is_same(long, reworded)
    assert not is_same(long, other)


def test_agreement_is_the_share_that_says_the_same():
    assert agreement_of("Paris", ["paris", "Lyon", "The Paris.", "Nice"]) == 0.5
    assert agreement_of("Paris", ["Lyon"]) == 0.0
    assert agreement_of("Paris", []) is None
    assert agreement_of("  ", ["Paris"]) is None


def test_deep_nesting_is_no_json():
    assert is_same("[" * 50_000, "[" * 50_000)


def test_the_end_of_long_answers_is_compared():
    assert is_same("a " * MAX_CHARS + "so 7", "b " * MAX_CHARS + "so 7")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_can_be_compared_and_any_text_agrees_with_itself(one, other):
    assert is_same(one, one)
    assert is_same(one, other) == is_same(other, one)
