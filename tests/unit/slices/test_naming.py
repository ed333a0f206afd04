"""Names of groups of texts."""

import numpy as np
import pytest

from undertow.slices.naming import MAX_EXAMPLE_CHARS, telling_words, typical_texts, word_table

CARD = ["where is my card", "the card has not come", "my card is late and the card shop is shut"]
OTHERS = ["where is my parcel", "the parcel has not come", "is it open", "my plan is dear"]


def test_the_word_that_sets_a_group_apart_comes_first():
    texts = (CARD + OTHERS) * 20
    members = np.array(([True] * 3 + [False] * 4) * 20)
    assert telling_words(word_table(texts), members, most=1) == ("card",)


def test_words_that_everybody_uses_name_nothing():
    texts = ["is it here"] * 50 + ["is it there"] * 50
    named = telling_words(word_table(texts), np.arange(100) < 50)
    assert named == ("here",)


def test_a_group_like_the_rest_has_no_name():
    texts = ["is it here"] * 100
    assert telling_words(word_table(texts), np.arange(100) < 50) == ()
    assert telling_words(word_table(texts), np.zeros(100, dtype=bool)) == ()
    assert telling_words(word_table([]), np.zeros(0, dtype=bool)) == ()


def test_numbers_letters_and_endless_words_name_nothing():
    texts = ["7 x " + "y" * 100 + " refund"] * 100 + ["parcel now"] * 100
    assert telling_words(word_table(texts), np.arange(200) < 100) == ("refund",)


def test_the_prior_keeps_a_rare_word_behind_a_frequent_one():
    """Two of fifty texts with a word that nobody else uses say less than all of them with one that some others use."""
    texts = ["refund oddity"] * 2 + ["refund now"] * 48 + ["refund then"] * 5 + ["parcel then"] * 95
    assert telling_words(word_table(texts), np.arange(150) < 50, most=5)[0] != "oddity"


def test_order_of_texts_does_not_matter():
    texts, members = (CARD + OTHERS) * 10, np.array(([True] * 3 + [False] * 4) * 10)
    order = np.random.default_rng(3).permutation(len(texts))
    assert telling_words(word_table(texts), members) == telling_words(
        word_table([texts[i] for i in order]), members[order]
    )


def test_examples_are_different_near_and_short():
    texts = ["b  b", "a", "a", "z" * 1000, "c"]
    members = np.array([True, True, True, True, False])
    found = typical_texts(texts, members, [0.2, 0.1, 0.1, 0.3, 0.0])
    assert found == ("a", "b b", "z" * MAX_EXAMPLE_CHARS)


def test_examples_that_differ_in_a_number_are_one():
    found = typical_texts(
        ["why 27.00 twice", "why 89 twice", "WHY 1,200.50 twice", "why"], np.ones(4, dtype=bool), [0, 1, 2, 3]
    )
    assert found == ("why 27.00 twice", "why")


@pytest.mark.parametrize("most", [1, 2])
def test_at_most_so_many_examples(most):
    assert len(typical_texts(["a", "b", "c"], np.ones(3, dtype=bool), [0, 1, 2], most)) == most
