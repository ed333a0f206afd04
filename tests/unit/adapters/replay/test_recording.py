"""The repository's recording: complete, graded as its rules say, and read as a table of outcomes."""

import json

import numpy as np
import pytest

from undertow.adapters.replay.recording import NEVER_CHEAP, read_recording
from undertow.errors import LogError


@pytest.fixture(scope="module")
def path(project_dir):
    return project_dir / "examples" / "recorded-support" / "answers.jsonl"


def test_the_recording_is_small_and_says_how_it_was_made(path):
    assert path.stat().st_size < 1_000_000
    head = json.loads(path.read_text().splitlines()[0])
    assert head["weights"].startswith("SmolLM2-135M-Instruct")
    assert head["queries"] == 240


def test_both_settings_answered_every_query(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert len({row["query_id"] for row in rows}) == len(rows) == 240
    for row in rows:
        for tier in ("cheap", "capable"):
            answer = row[tier]
            assert 0 < answer["confidence"] <= 1
            assert answer["confidence"] == pytest.approx(np.exp(np.mean(answer["log_probabilities"])), abs=1e-3)
            assert answer["input_tokens"] > 0
    assert sum(len(row["capable"]["response"]) > 0 for row in rows) == 240


def test_the_table_has_a_small_usual_loss_and_a_large_hidden_one(path):
    table = read_recording(path)
    usual, hidden = table.usual & table.eligible, table.shifted & table.eligible
    assert abs(table.loss(usual)) < 0.10
    assert table.loss(hidden) > 0.30
    constrained = np.array([table.segments[c] in NEVER_CHEAP for c in table.segment])
    assert not table.eligible[constrained].any()
    assert table.eligible[~constrained].all()
    assert len(table.prompts) == len(table.segment) == 240


def test_what_is_no_recording_is_told(tmp_path):
    with pytest.raises(LogError, match=r"record_demo\.py"):
        read_recording(tmp_path / "absent.jsonl")
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')
    with pytest.raises(LogError, match="no query with answers of both tiers"):
        read_recording(other)
    other.write_text("{broken")
    with pytest.raises(LogError, match="JSONDecodeError"):
        read_recording(other)
