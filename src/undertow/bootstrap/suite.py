"""A suite's file, its grader and the vectors of a refresh, made from what the user has."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from undertow.adapters.classifiers.encoder import SentenceEncoder
from undertow.adapters.suites.functions import load_check
from undertow.adapters.wire.schemas import fits_schema
from undertow.bootstrap.judge import build_judge
from undertow.errors import ConfigError, LogError, UsageError
from undertow.ports.judge import Judge
from undertow.ports.suite import Grading
from undertow.records.serving import JudgePlan, ServingPlan
from undertow.records.suite import Suite, SuiteCase
from undertow.services.judge import PairJudge, Surroundings
from undertow.services.judge_anchors import judge_version
from undertow.services.suite_grading import CheckGrader, JudgeCheck
from undertow.services.suite_refresh import Vectors, asked
from undertow.suites.cases import read_suite
from undertow.suites.coverage import FloatArray, word_vectors

MAX_FILE_BYTES = 64_000_000
NEAR_BY_WORDS, NEAR_BY_ENCODER = 0.5, 0.6
"""Cosine from which two texts count as alike, where nothing else is said: of 2,500 support questions of some 200 intents, two of three that had such a nearest
one had its intent."""


def read_suite_file(path: Path) -> Suite:
    """The suite of a file; its name is the file's, without ending.

    Raises:
        LogError: It cannot be read.
        DataError: It holds no suite; the message names line and field.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise LogError(f"{path}: larger than {MAX_FILE_BYTES // 1_000_000} MB; split the suite")
        content = path.read_bytes()
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror}") from None
    return read_suite(
        path.stem,
        content,
        schema_is_usable=lambda schema: fits_schema(schema, b"null") is not None,
        pattern_is_usable=lambda pattern: has_pattern(pattern, "") is not None,
    )


def has_pattern(pattern: str, text: str) -> bool | None:
    r"""Whether a pattern is found in a text, by an engine that takes time linear in it; None: the pattern is none for it.

    Examples:
        >>> has_pattern("(?i)5 (working )?days", "In 5 working days."), has_pattern(r"(a)\1", "aa")
        (True, None)
    """
    return fits_schema(msgspec.json.encode({"type": "string", "pattern": pattern}), msgspec.json.encode(text))


def fits_text(schema: bytes, text: str) -> bool | None:
    """Whether a text is JSON that fits a schema; None: that cannot be told.

    Examples:
        >>> fits_text(b'{"type": "object"}', '{"a": 1}'), fits_text(b'{"type": "object"}', "no JSON")
        (True, False)
    """
    try:
        return fits_schema(schema, text.encode("utf-8", "replace"))
    except ValueError:
        return False


class SuiteGrading:
    """A grader with what it holds open.

    Args:
        suite: Whose checks it carries out.
        plan: Of `[judge]`, or None.
        env: Environment, for the judge's key.

    Attributes:
        grader: It.

    Raises:
        UsageError: A check needs a judge, and there is none.
        ConfigError: A function cannot be imported, or the judge cannot be used.
    """

    def __init__(self, suite: Suite, plan: JudgePlan | None, env: Mapping[str, str]) -> None:
        names = sorted({case.check.function for case in suite.cases if case.check.kind == "function"})
        self._judge: Judge | None = None
        check: JudgeCheck | None = None
        if any(case.check.kind == "judge" for case in suite.cases):
            if plan is None:
                raise UsageError(
                    "the suite has cases with a check of kind judge, and there is no judge; set model and base_url, or function, under [judge]"
                )
            self._judge = build_judge(plan, env)
            check = _judge_check(self._judge, plan)
        self.grader = CheckGrader(
            fits_schema=fits_text,
            has_pattern=has_pattern,
            functions={name: load_check(name) for name in names},
            judge=check,
        )

    async def aclose(self) -> None:
        """Let go of the judge's connections."""
        if self._judge is not None:
            await self._judge.aclose()


def _judge_check(judge: Judge, plan: JudgePlan) -> JudgeCheck:
    """Grades by a judge with the case's own rubric and right answer, which are the user's words and not a model's."""
    around = Surroundings(lambda: datetime.now(UTC), lambda: secrets.token_hex(6))

    async def grade(case: SuiteCase, answer: str) -> Grading:
        mine = plan
        if case.check.rubric is not None:
            mine = msgspec.structs.replace(mine, rubric=case.check.rubric, rubrics={})
        if case.check.reference is not None:
            told = f"{mine.rubric}\nAn answer that is known to be right: {case.check.reference}"
            mine = msgspec.structs.replace(mine, rubric=told, rubrics={})
        # The suite has a budget of its own.
        grade = await PairJudge(judge, mine, None, around).grade(asked(case), answer, case.segment)
        return Grading(
            score=grade.score,
            grader=f"judge:{judge.name}#{judge_version(plan)}",
            source=f"judge:{judge.name}",
            cost_usd=None if grade.asked is None else grade.asked.cost_usd,
            why=None if grade.score is not None else f"judge: {grade.missing}",
        )

    return grade


def unpriced(plan: ServingPlan, tiers: Sequence[str]) -> list[str]:
    """Those of some tiers whose prices are unknown."""
    return [tier.name for tier in plan.tiers if tier.name in tiers and not tier.prices]


def vectors_of(kind: str) -> tuple[str, Vectors, float]:
    """What turns texts into vectors: its name, it, and the cosine from which texts count as alike.

    Args:
        kind: `encoder`, `words`, or `auto`: the encoder where it is installed.

    Raises:
        ConfigError: The encoder was asked for and is not installed.
    """
    if kind != "words":
        try:
            return _by_encoder(SentenceEncoder())
        except ConfigError:
            if kind == "encoder":
                raise
    return "words", word_vectors, NEAR_BY_WORDS


def _by_encoder(encoder: SentenceEncoder) -> tuple[str, Vectors, float]:
    def encode(texts: Sequence[str], known: Sequence[str]) -> FloatArray:
        del known  # an encoder needs no others to tell what a text means
        import numpy as np  # noqa: PLC0415 (only a refresh needs it)

        return np.asarray(encoder.encode(texts), dtype=np.float32).reshape(len(texts), -1)

    return "encoder", encode, NEAR_BY_ENCODER
