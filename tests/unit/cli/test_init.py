import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.cli.main import main
from undertow.config import load_settings


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["init", *arguments])


def test_the_file_sets_nothing_so_that_all_defaults_hold(run):
    assert run().exit_code == 0
    loaded = load_settings(Path("undertow.toml"), {})
    assert loaded.settings == load_settings(None, {}).settings


def test_taking_the_marks_away_leaves_a_valid_file(run):
    run()
    text = re.sub(r"^#(?=[^ #:])", "", Path("undertow.toml").read_text(), flags=re.MULTILINE)
    Path("undertow.toml").write_text(text)
    loaded = load_settings(Path("undertow.toml"), {})
    assert loaded.settings.tiers["cheap"].model == "small"
    assert loaded.settings.monitors.segments == ("intent",)


def test_an_existing_file_is_kept_unless_forced(run):
    Path("undertow.toml").write_text("mine")
    done = run()
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert Path("undertow.toml").read_text() == "mine"
    assert run("--force").exit_code == 0
    assert "[monitors]" in Path("undertow.toml").read_text()


def test_another_name_and_nothing_on_standard_output(run):
    done = run("other.toml")
    assert done.stdout == ""
    assert Path("other.toml").exists()
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["other.toml"]


def test_a_folder_that_is_not_there_is_refused(run):
    done = run("absent/undertow.toml")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_tiers_and_models_are_taken_from_a_log(run):
    rows = [
        {
            "decision_id": f"d{i}",
            "event_time": f"2026-03-0{1 + i % 5}T00:00:00Z",
            "tier": tier,
            "model": model,
            "cost_usd": cost,
        }
        for i, (tier, model, cost) in enumerate([("small tier", "m 1/x", 0.01), ("big", "m2", 0.09)] * 10)
    ]
    Path("log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("--from-log", "log.jsonl")
    assert done.exit_code == 0, done.output
    loaded = load_settings(Path("undertow.toml"), {}).settings
    assert {name: tier.models for name, tier in loaded.tiers.items()} == {"small tier": ("m 1/x",), "big": ("m2",)}
    assert loaded.tier_order == ("small tier", "big")
