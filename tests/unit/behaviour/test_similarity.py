import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.behaviour.similarity import SKETCH_SIZE, asks_the_same, jaccard, most_jaccard, sketch

WORDS = ["cancel", "order", "invoice", "where", "refund", "zebra", "late", "parcel"]

KEY = b"key of a test"

REPEATED = [
    ("How do I reset my password?", "how can I reset my password"),
    ("How do I reset my password?", "I asked: how do I reset my password???"),
    ("Cancel my order", "please cancel my order"),
    ("Where is my parcel?", "Hello?? where is my parcel"),
    ("Why was I charged twice this month?", "why was I charged twice this month. Please help"),
    ("My invoice for March is wrong", "again: my invoice for March is wrong"),
    ("what are your opening hours on sunday", "What are the opening hours on Sundays?"),
    ("Wie kann ich meinen Vertrag kündigen?", "wie kündige... Wie kann ich den Vertrag kündigen"),
    ("Wo ist mein Paket?", "Wo ist denn mein Paket? Wo ist mein Paket?"),
    ("Comment annuler ma commande ?", "comment puis-je annuler ma commande svp"),
    ("¿Cómo cancelo mi pedido?", "hola, cómo cancelo mi pedido por favor"),
    ("如何取消我的订单", "如何取消我的订单?"),
    # Asked again in other words: what word overlap cannot see, and is not expected to.
    ("How do I reset my password?", "I forgot my login and want a new one"),
    ("Where is my parcel?", "When will the delivery arrive?"),
]
OTHER = [
    ("How do I reset my password?", "Why did you reset my password?"),
    ("What does the small plan cost?", "What does the large plan cost?"),
    ("Where is order 4711?", "Where is order 4712?"),
    ("Show me flights to Rome on 3 May", "Show me flights to Rome on 4 May"),
    ("How do I reset my password?", "It says my password was reset, but the link does not work"),
    ("Cancel my order", "Do not cancel my order"),
    ("yes", "yes"),
    ("ok thanks", "ok thanks"),
    ("thank you very much", "thanks a lot"),
    ("and then?", "and then?"),
    ("Translate 'good morning' into French", "Translate 'good night' into French"),
    ("Write a poem on autumn", "Write a poem on winter"),
    ("Wie kann ich kündigen?", "Wie kann ich verlängern?"),
    ("如何取消我的订单", "如何查看我的订单"),
    ("Open the file main.py and fix the test", "Now run the test and show me the output"),
]


def same(first, second, least=0.8):
    return asks_the_same(sketch(first, KEY), sketch(second, KEY), least)


def test_most_repeats_are_seen_and_no_other_question_is_taken_for_one():
    seen = [pair for pair in REPEATED if same(*pair)]
    assert len(seen) >= 0.7 * len(REPEATED), [pair for pair in REPEATED if pair not in seen]
    assert not [pair for pair in OTHER if same(*pair)]


@pytest.mark.parametrize("pair", [*REPEATED, *OTHER])
def test_likeness_has_no_direction(pair):
    assert same(*pair) == same(*reversed(pair))


def test_a_long_message_with_a_few_words_changed_is_still_the_same():
    source = random.Random(1)
    message = [
        f"word{chr(97 + source.randrange(26))}{chr(97 + source.randrange(26))}x{chr(97 + i % 26)}" for i in range(500)
    ]
    changed = [*message[:-10], *(f"new{letter}" for letter in "abcdefghij")]
    assert same(" ".join(message), " ".join(changed))
    assert not same(" ".join(message[:250]), " ".join(message))


def test_the_sketch_of_a_long_message_is_small_and_estimates_well():
    first = sketch(" ".join(f"a{'x' * (i % 7)}{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(600)), KEY)
    assert len(first.hashes) == 8 * SKETCH_SIZE
    assert not first.is_whole
    assert jaccard(first, first) == 1.0


def test_sketches_hold_nothing_of_the_text_that_another_key_could_find():
    assert sketch("cancel my order", b"one") != sketch("cancel my order", b"two")


@given(
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=12), st.lists(st.sampled_from(WORDS), min_size=2, max_size=12)
)
def test_what_words_alone_allow_is_never_less_than_the_likeness(first, second):
    one, other = sketch(" ".join(first), KEY), sketch(" ".join(second), KEY)
    assert jaccard(one, other) <= most_jaccard(one, other) + 1e-12
    pairs_of = [{*words, *pairwise(words)} for words in (first, second)]
    assert jaccard(one, other) == len(pairs_of[0] & pairs_of[1]) / len(pairs_of[0] | pairs_of[1])
