import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.judging.verdicts import read_choice, read_score


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"verdict": "A"}', "A"),
        ('  \n{"verdict":"tie"}\n', "tie"),
        ('```json\n{"verdict": "B"}\n```', "B"),
        ('Having read both, I say:\n{"verdict": "B"}\nThat is all.', "B"),
        ('<think>hard</think>{"verdict": "A"}', "A"),
    ],
)
def test_one_object_is_read_whatever_prose_is_around_it(text, choice):
    reading = read_choice(text)
    assert (reading.status, reading.choice) == ("ok", choice)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "Answer A is better.",
        "verdict: A",
        '{"verdict": "a"}',
        '{"verdict": "Answer A"}',
        '{"verdict": ["A"]}',
        '{"verdict": null}',
        '{"verdict": "A", "verdict": "B"}',
        '{"verdict": "A", "why": "longer"}',
        '{"result": "A"}',
        '{"verdict": "A"} or rather {"verdict": "B"}',
        '{"verdict": {"verdict": "A"}}',
        '{x} {"verdict": "A"}',
        "{'verdict': 'A'}",
        '{"verdict": "A"',
        '"verdict": "A"}',
        '["A"]',
        '{"verdict": ' + "[" * 5000 + "]" * 5000 + "}",
        "x" * 30_000 + '{"verdict": "A"}',
    ],
)
def test_everything_else_is_no_verdict(text):
    reading = read_choice(text)
    assert reading.choice is None
    assert reading.status == "unparsable"


@pytest.mark.parametrize(
    "text", ["I'm sorry, but I cannot compare these.", "I can\u2019t help with that.", "As an AI, I won't."]
)
def test_a_refusal_is_told_from_words_that_make_no_sense(text):
    assert read_choice(text).status == "refused"
    assert read_score(text).status == "refused"


def test_a_verdict_counts_although_it_comes_with_an_apology():
    assert read_choice('Sorry for the delay: {"verdict": "A"}').choice == "A"


@pytest.mark.parametrize(("text", "score"), [('{"score": 0.5}', 0.5), ('{"score": 1}', 1.0), ('{"score": 0}', 0.0)])
def test_a_grade_is_a_number_from_0_to_1(text, score):
    assert read_score(text).score == score


@pytest.mark.parametrize("value", ['"0.5"', "7", "-0.1", "true", "NaN", "Infinity", "null", "1e999"])
def test_no_other_grade_is_one(value):
    assert read_score(f'{{"score": {value}}}').score is None


@given(st.text())
def test_no_words_break_the_reader(text):
    assert read_choice(text).status in {"ok", "refused", "unparsable"}
    assert read_score(text).status in {"ok", "refused", "unparsable"}
