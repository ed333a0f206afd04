import asyncio

import pytest

from undertow.ports.suite import Grading
from undertow.records.suite import Check, SuiteCase
from undertow.services.suite_grading import CheckGrader


def cannot(*_):
    return None


class Function:
    grader = "function:m:f#1"

    def __init__(self, returned):
        self.returned = returned

    async def call(self, *_):
        if isinstance(self.returned, Exception):
            raise self.returned
        return self.returned


def grade(check, answer="4", *, returned=True, judge=None, **given):
    grader = CheckGrader(
        **{"fits_schema": cannot, "has_pattern": cannot, **given}, functions={"m:f": Function(returned)}, judge=judge
    )
    return asyncio.run(grader.grade(SuiteCase(case_id="a", messages=(), check=check), answer))


def test_an_exact_check_has_a_right_answer_and_says_so():
    found = grade(Check(kind="exact", expected=("4",)))
    assert (found.score, found.grader, found.source) == (1.0, "exact", "exact:exact")


@pytest.mark.parametrize("kind", ["regex", "json_schema"])
def test_what_cannot_be_told_is_no_score(kind):
    found = grade(Check(kind=kind, pattern="x", schema=b"{}"))
    assert (found.score, found.source) == (None, f"exact:{kind}")
    assert "could not be carried out" in found.why


@pytest.mark.parametrize(
    ("returned", "score", "why"),
    [
        (True, 1.0, None),
        (0.5, 0.5, None),
        (7, None, "returned int, expected true, false or a number in [0, 1]"),
        (ValueError("the answer was secret"), None, "raised ValueError"),
        (TimeoutError(), None, "raised TimeoutError"),
    ],
)
def test_a_function_scores_or_is_at_fault_itself(returned, score, why):
    found = grade(Check(kind="function", function="m:f"), returned=returned)
    assert (found.score, found.why, found.grader) == (score, why, "function:m:f#1")


def test_a_judge_is_asked_with_the_whole_case():
    async def judge(case, answer):
        return Grading(score=0.25, grader="judge:j#1", source="judge:j", why=f"{case.case_id}{answer}")

    assert grade(Check(kind="judge"), judge=judge).why == "a4"
