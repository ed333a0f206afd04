"""Sketches: what counts as a word, and that nothing else of a text stays."""

from hypothesis import given
from hypothesis import strategies as st

from undertow.slices.sketch import BUCKETS, MAX_CHARS, WORD_BUCKETS, sketch, word_bucket, words
from undertow.slices.topics import sketch_matrix


def test_words_do_not_depend_on_case_or_the_shape_of_the_apostrophe():
    assert words("DON\u2019T Panic") == words("don't panic") == ["don't", "panic"]


def test_forms_of_one_word_are_alike_and_other_words_are_not():
    charge, charged, refund = (set(sketch(word)) for word in ("charge", "charged", "refund"))
    assert len(charge & charged) >= 4
    assert not charge & refund


def test_a_script_without_spaces_has_runs_too():
    assert set(sketch("カードの請求")) & set(sketch("請求について"))


def test_of_a_long_text_the_end_is_looked_at():
    assert sketch("refund " * MAX_CHARS + " charge")[-1] in sketch("charge") or word_bucket("charge") in sketch(
        "refund " * MAX_CHARS + " charge"
    )
    assert word_bucket("first") not in sketch("first " + "refund " * MAX_CHARS)


@given(st.text())
def test_any_text_has_a_sketch_in_order_within_the_buckets(text):
    found = sketch(text)
    assert list(found) == sorted(set(found))
    assert all(0 <= bucket < BUCKETS for bucket in found)
    assert {word_bucket(word) for word in words(text) if not word.isnumeric()} == {
        bucket for bucket in found if bucket < WORD_BUCKETS
    }


def test_rows_of_the_matrix_are_the_sketches():
    each = [sketch("my card"), (), sketch("refund")]
    matrix = sketch_matrix(each)
    assert matrix.shape == (3, BUCKETS)
    assert [tuple(matrix.indices[a:b].tolist()) for a, b in zip(matrix.indptr, matrix.indptr[1:], strict=False)] == each
