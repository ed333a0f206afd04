"""Scores a suite's answers by the check of each case: rules here, a user's function or a judge outside."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from undertow.ports.suite import Grading
from undertow.records.suite import Check, SuiteCase
from undertow.suites.scoring import score_check, score_of


class FunctionCheck(Protocol):
    """A function of the user's."""

    @property
    def grader(self) -> str:
        """Its name, and a hash of its source where that can be had: one that was edited is another grader."""
        ...

    async def call(self, answer: str, case: SuiteCase) -> object:
        """Call it.

        Raises:
            Exception: Whatever it raises; TimeoutError where it did not come back in time.
        """
        ...


JudgeCheck = Callable[[SuiteCase, str], Awaitable[Grading]]


class CheckGrader:
    """Implements `undertow.ports.suite.SuiteGrader`.

    Args:
        fits_schema: (schema, text) -> whether the text is JSON that fits; None: cannot be told.
        has_pattern: (pattern, text) -> whether it is found; None: cannot be told.
        functions: By name, as checks name them.
        judge: Grades by a judge, or None: there is none.
    """

    def __init__(
        self,
        *,
        fits_schema: Callable[[bytes, str], bool | None],
        has_pattern: Callable[[str, str], bool | None],
        functions: Mapping[str, FunctionCheck],
        judge: JudgeCheck | None,
    ) -> None:
        self._fits_schema, self._has_pattern = fits_schema, has_pattern
        self._functions, self._judge = functions, judge

    async def grade(self, case: SuiteCase, answer: str) -> Grading:
        """Score one answer; what cannot be scored is told, never guessed."""
        check = case.check
        match check.kind:
            case "exact" | "regex" | "json_schema":
                score = score_check(check, answer, fits_schema=self._fits_schema, has_pattern=self._has_pattern)
                why = "the check could not be carried out on this answer" if score is None else None
                return Grading(score=score, grader=check.kind, source=f"exact:{check.kind}", why=why)
            case "function":
                return await self._by_function(check, case, answer)
            case "judge":
                assert self._judge is not None, "a suite with judge checks is run with a judge"
                return await self._judge(case, answer)

    async def _by_function(self, check: Check, case: SuiteCase, answer: str) -> Grading:
        function = self._functions[check.function]
        try:
            returned = await function.call(answer, case)
        except Exception as error:  # noqa: BLE001 (the user's function: a fault of the grader, never of a tier)
            return Grading(
                score=None, grader=function.grader, source="exact:function", why=f"raised {type(error).__name__}"
            )
        score = score_of(returned)
        why = (
            None
            if score is not None
            else f"returned {type(returned).__name__}, expected true, false or a number in [0, 1]"
        )
        return Grading(score=score, grader=function.grader, source="exact:function", why=why)
