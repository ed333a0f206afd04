"""Topics: that like texts come together, that the result depends on the texts alone, and that new texts stay outside."""

import numpy as np
import pytest

from undertow.slices.sketch import sketch, word_bucket
from undertow.slices.topics import TopicOptions, find_topics

THEMES = {
    "card": ("my card has not come", "the card is late", "when does the new card come"),
    "refund": ("i want a refund", "refund the fee please", "when do i get the refund"),
    "plan": ("cancel the yearly plan", "what does the plan cost", "change my plan"),
    "login": ("i forgot the password", "reset my password", "cannot log in with the password"),
}


def texts(per_form=20):
    rng = np.random.default_rng(5)
    filler = ("please", "thanks", "hello", "today", "again", "now", "sir", "friend")
    return [
        (theme, f"{form} {filler[rng.integers(8)]}")
        for theme, forms in THEMES.items()
        for form in forms
        for _ in range(per_form)
    ]


OPTIONS = TopicOptions(texts_per_cluster=20, directions=20, word_share=(0.01, 0.3))


def test_texts_of_one_theme_share_clusters_that_others_do_not():
    themes, said = zip(*texts(), strict=True)
    found = find_topics([sketch(text) for text in said], 1, options=OPTIONS)
    members = found.assign([sketch(text) for text in said]).members
    for topic in range(len(found.centres[0])):
        assert len({theme for theme, inside in zip(themes, members[:, topic], strict=True) if inside}) <= 1


def test_any_order_of_the_texts_gives_the_same_topics():
    said = [sketch(text) for _, text in texts()]
    order = np.random.default_rng(2).permutation(len(said))
    one, other = find_topics(said, 1, options=OPTIONS), find_topics([said[i] for i in order], 1, options=OPTIONS)
    for name in ("rarity", "directions", "words"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for mine, theirs in zip(one.centres, other.centres, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.reach == other.reach


def test_the_same_seed_gives_the_same_topics_with_vectors_too():
    rng = np.random.default_rng(1)
    said = [sketch(text) for _, text in texts()]
    vectors = rng.standard_normal((len(said), 16))
    order = rng.permutation(len(said))
    one = find_topics(said, 4, vectors, OPTIONS)
    other = find_topics([said[i] for i in order], 4, vectors[order], OPTIONS)
    for mine, theirs in zip(one.centres, other.centres, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    turned = other.assign([said[i] for i in order], vectors[order])
    np.testing.assert_array_equal(one.assign(said, vectors).members[order], turned.members)


def test_a_text_unlike_all_is_outside_and_far():
    said = [sketch(text) for _, text in texts()]
    found = find_topics(said, 1, options=OPTIONS)
    known = found.assign([sketch("bonjour madame"), sketch("my card has not come now"), ()])
    assert known.is_outside.tolist() == [True, False, True]
    assert not known.members[0].any()
    assert known.members[1, : found.clusters].sum() == len(found.centres)
    assert known.distance[0] > known.distance[1]


def test_later_texts_move_nothing():
    said = [sketch(text) for _, text in texts()]
    found = find_topics(said, 1, options=OPTIONS)
    alone = found.assign(said[:5])
    among = found.assign([*said[:5], *[sketch(f"other {i}") for i in range(50)]])
    np.testing.assert_array_equal(alone.members, among.members[:5])


def test_words_that_stand_anywhere_are_no_topic():
    said = [sketch(text) for _, text in texts()]
    words = set(find_topics(said, 1, options=OPTIONS).words.tolist())
    assert word_bucket("refund") in words
    assert not words & {word_bucket(each) for each in ("please", "thanks", "again", "sir")}


def test_members_count_clusters_by_scale_then_words():
    said = [sketch(text) for _, text in texts()]
    found = find_topics(said, 1, options=OPTIONS)
    inside = np.flatnonzero(found.assign([sketch("refund the fee please")]).members[0])
    starts = np.cumsum([0, *(len(each) for each in found.centres)])
    for scale in range(len(found.centres)):
        assert ((inside >= starts[scale]) & (inside < starts[scale + 1])).sum() == 1
    assert word_bucket("refund") in {found.words[topic - found.clusters] for topic in inside if topic >= found.clusters}


@pytest.mark.parametrize("said", [[], [()], [sketch("one text")] * 10])
def test_too_few_texts_have_no_topics(said):
    found = find_topics(said, 1, options=OPTIONS)
    assert found.topics == 0
    assert found.assign([sketch("a text")]).is_outside.tolist() == [True]


def test_fewer_different_texts_than_clusters():
    said = [sketch("my card")] * 100 + [sketch("a refund")] * 100
    found = find_topics(said, 1, options=OPTIONS)
    assert all(1 <= len(each) <= 2 for each in found.centres)
