"""Features are the same everywhere and bounded, whatever the text."""

from hypothesis import given
from hypothesis import strategies as st

from undertow.policies.features import BUCKETS, MAX_CHARS, text_features, word_features


def test_they_are_the_same_in_every_version():
    # A change here makes every trained artefact mean something else: give VERSION a new number.
    pinned = "904 1037 1952 6355 9886 12538 14887 15336 18847 19862 22341 23776 24303 31807 32443"
    assert sorted(text_features("card payment")) == [int(bucket) for bucket in pinned.split()]


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_has_features_in_range(text):
    assert all(0 <= bucket < BUCKETS for bucket in text_features(text))


def test_what_stands_beyond_the_limit_is_not_looked_at():
    assert text_features("a" * MAX_CHARS + "b c d") == text_features("a" * MAX_CHARS)


def test_order_of_words_and_languages_without_spaces_count():
    assert text_features("refund my card") != text_features("card my refund")
    assert len(text_features("カードが届きません")) > 5


def test_an_empty_message_has_no_words():
    assert len(text_features("")) <= 1


@given(st.text(st.characters(codec=None), max_size=60))
def test_words_are_among_all_features(text):
    assert word_features(text) <= text_features(text)


def test_words_and_pairs_alone_know_nothing_of_spelling():
    assert word_features("card payment") & word_features("cards payments") == set()
    assert len(word_features("card payment")) == 3
    assert word_features("card " * MAX_CHARS + "end") == word_features("card card")
