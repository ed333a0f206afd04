import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.records.segment import WHOLE, Segment
from undertow.reports.names import clip, columns, isolated, plain, prose, segment_name
from unit.reports.factory import HOSTILE

ANY = st.text(st.characters(), max_size=200) | st.sampled_from(HOSTILE)


@given(ANY)
def test_nothing_that_acts_is_left(text):
    for character in plain(text):
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.category(character) != "Cf" or character in "\u200c\u200d"


@given(ANY, st.integers(4, 80))
def test_clipped_names_fit_and_have_a_name(text, limit):
    shown = clip(text, limit)
    assert shown
    assert columns(shown) <= max(limit, columns("(empty)"))


@given(ANY, ANY, st.integers(12, 80))
def test_segment_names_fit(key, value, limit):
    assert columns(segment_name(Segment(key or "k", value), limit)) <= limit + 8


def test_cleaning_twice_changes_nothing():
    for text in HOSTILE:
        assert plain(plain(text)) == plain(text)


def test_long_text_is_cut_before_anything_is_done_with_it():
    assert len(plain("x" * 10_000_000)) < 3_000


def test_letters_survive():
    for text in ("שלום", "日本語", "é", "e\u0301", "👩‍👩‍👧‍👦", "نمی‌خواهم"):
        assert plain(text) == text


def test_towers_of_marks_are_cut():
    assert len(plain("z" + "\u0301" * 50)) == 4


def test_prose_is_one_line_without_endless_words():
    assert prose("a\nb   c\t\x1bd") == "a b c ␛d"
    assert max(map(len, prose("x" * 5_000 + " " + "y" * 5_000).split())) <= 80
    assert prose("") == ""


def test_the_key_keeps_its_letters():
    assert segment_name(Segment("intent", "v" * 500), 24).startswith("intent=vvv")
    assert segment_name(WHOLE) == "whole tier"


@pytest.mark.parametrize(("text", "wrapped"), [("billing", False), ("שלום", True), ("مرحبا 1", True), ("日本", False)])
def test_right_to_left_letters_are_isolated(text, wrapped):
    assert (isolated(text) != text) is wrapped
