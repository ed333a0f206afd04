import itertools

import pytest

from undertow.judging.orders import combine, is_served_first, lean, preference, uniform


def test_draws_are_the_same_forever():
    # Another hash would draw other pairs, and show them in another order, than the labels that are there were drawn by.
    assert uniform("undertow", "d-1", "judge") == pytest.approx(0.9998821503246716)
    assert [is_served_first("undertow", f"d-{n}") for n in range(6)] == [False, False, True, False, False, True]


def test_draws_are_uniform_and_independent_between_purposes():
    many = [(uniform("s", f"d{n}", "judge"), uniform("s", f"d{n}", "order")) for n in range(4000)]
    assert sum(one < 0.25 for one, _ in many) == pytest.approx(1000, abs=120)
    assert sum(one < 0.5 and other < 0.5 for one, other in many) == pytest.approx(1000, abs=120)


def test_half_of_the_served_answers_are_shown_first():
    assert sum(is_served_first("s", f"d{n}") for n in range(4000)) == pytest.approx(2000, abs=130)


def test_a_verdict_means_the_answer_that_was_shown_there():
    assert preference("A", served_first=True) == preference("B", served_first=False) == "served"
    assert preference("B", served_first=True) == preference("A", served_first=False) == "reference"
    assert preference("tie", served_first=True) == "tie"


def test_two_orders_must_agree():
    for first, second in itertools.product(("served", "reference", "tie"), repeat=2):
        both = combine(first, second)
        assert both.is_inconsistent == (first != second)
        assert both.preference == (first if first == second else "tie")
    assert combine("reference", None).preference == "reference"


def test_a_judge_that_always_says_a_leans_all_the_way_and_one_that_is_consistent_not_at_all():
    assert lean(("A", "A")) == 1.0
    assert lean(("A", "B")) == lean(("B", "A")) == lean(("tie", "tie")) == 0.0
    assert lean(("B", "B")) == -1.0
