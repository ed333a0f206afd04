import pytest

from undertow.reviewing.answers import CHOICES, GRADES, Verdict, read_verdict
from undertow.reviewing.cases import Case, is_served_first

ONE = Case("d", 0.0, "cheap", {}, "tail", 0.1, "?", "served")
TWO = [Case(f"d{i}", 0.0, "cheap", {}, "tail", 0.1, "?", "served", "other") for i in range(20)]


@pytest.mark.parametrize(
    ("word", "value"), [("y", 1.0), ("N", 0.0), (" 4 ", 0.75), ("1", 0.0), ("5", 1.0), ("good", 1.0)]
)
def test_words_for_one_answer(word, value):
    assert read_verdict(word, ONE) == Verdict(value)


@pytest.mark.parametrize("word", ["a", "b", "tie", "x", "", "6", "0", "maybe", "nan"])
def test_what_says_nothing_of_one_answer(word):
    assert read_verdict(word, ONE) is None


def test_choices_are_turned_to_who_served():
    assert {is_served_first(case.decision_id) for case in TWO} == {True, False}
    for case in TWO:
        served, other = ("a", "b") if is_served_first(case.decision_id) else ("b", "a")
        assert read_verdict(served, case) == Verdict(1.0, 0.0)
        assert read_verdict(other, case) == Verdict(0.0, 1.0)
        assert read_verdict("t", case) == Verdict(1.0, 1.0)
        assert read_verdict("neither", case) == Verdict(0.0, 0.0)


@pytest.mark.parametrize("number", [-0.1, 1.1, 7.0, float("nan"), float("inf")])
def test_numbers_outside_the_range_are_no_verdicts(number):
    assert read_verdict(number, ONE) is None
    assert read_verdict(0.5, TWO[0], number) is None


def test_numbers_are_of_the_served_answer():
    assert read_verdict(0.25, TWO[0], 0.5) == Verdict(0.25, 0.5)


def test_no_word_means_two_things():
    assert not set(GRADES) & set(CHOICES)
