import pytest

from undertow.behaviour.normalising import telling_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\u2019t STOP, me!", ["dont", "stop", "me"]),
        ("Größe — naïve café", ["grosse", "naive", "cafe"]),
        ("snake_case x2", ["snake", "case", "x2"]),
        ("退款 now", ["退", "款", "now"]),
        ("  \n\t…", []),
        ("\ud800 lone", ["lone"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_politeness_and_small_words_do_not_count():
    assert telling_words("Hi, can you PLEASE tell me: how to reset passwords?") == ["how", "reset", "password"]
    assert telling_words("Könnten Sie mir bitte sagen, wie ich kündige") == ["wie", "kundige"]


def test_negations_and_question_words_stay():
    assert telling_words("why does it not work") == ["why", "not", "work"]
