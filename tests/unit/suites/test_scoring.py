import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.records.suite import Check
from undertow.suites.scoring import MAX_ANSWER, normalised, score_check, score_exact, score_of, unfenced


def cannot(*_):
    return None


@pytest.mark.parametrize(
    ("answer", "expected", "how", "score"),
    [
        ("  PARIS.\n", "paris", "text", 1),
        ("**Paris**", "Paris", "text", 1),
        ("ﬁve days", "five days", "text", 1),
        ("Paris, I think", "Paris", "text", 0),
        ("five\n\tdays", "five days", "text", 1),
        ("The total is $1,250.50.", "1250.5", "number", 1),
        ("first 3, then 4", "3", "number", 0),
        ("-7", "-7.0", "number", 1),
        ("no number", "7", "number", 0),
        ("1e999", "7", "number", 0),
        ("A", "A", "none", 1),
        ("A ", "A", "none", 0),
        ("", "x", "text", 0),
    ],
)
def test_exact_after_the_stated_normalisation(answer, expected, how, score):
    assert score_exact(answer, (expected,), how) == score


def test_any_of_several_right_answers_will_do():
    assert score_exact("Roma", ("Rome", "roma"), "text") == 1.0


@given(st.text(max_size=200))
def test_normalising_is_stable_and_an_answer_equals_itself(text):
    once = normalised(text, "text")
    assert normalised(once, "text") == once
    assert score_exact(text, (text,), "none") == 1.0


def test_an_answer_of_any_length_is_bounded():
    assert len(normalised("x" * (2 * MAX_ANSWER), "none")) == MAX_ANSWER


def test_a_pattern_and_a_schema_are_asked_for_outside():
    seen = []

    def found(rule, text):
        seen.append((rule, text))
        return text.startswith("{")

    regex, schema = Check(kind="regex", pattern="x"), Check(kind="json_schema", schema=b"{}")
    assert score_check(regex, "abc", fits_schema=cannot, has_pattern=found) == 0.0
    assert score_check(schema, '```json\n{"a": 1}\n```', fits_schema=found, has_pattern=cannot) == 1.0
    assert seen == [("x", "abc"), (b"{}", '{"a": 1}')]
    assert score_check(schema, "{}", fits_schema=cannot, has_pattern=cannot) is None


def test_a_fence_is_taken_off_only_where_it_is_around_everything():
    assert unfenced("```\n[1]\n```") == "[1]"
    assert unfenced("see:\n```\n[1]\n```") == "see:\n```\n[1]\n```"


@pytest.mark.parametrize(
    ("value", "score"),
    [(True, 1.0), (False, 0.0), (0.25, 0.25), (1, 1.0), (1.5, None), (-0.1, None), (float("nan"), None), ("1", None), (None, None)],
)  # fmt: skip
def test_what_a_function_returns_is_a_score_or_none(value, score):
    assert score_of(value) == score
