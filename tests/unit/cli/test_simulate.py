"""`undertow simulate`: every parameter is an option, errors are one line, the log is where it was asked for."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from undertow.cli.main import main
from undertow.simulation.incidents import INCIDENTS, SUPPORT

TINY = ("--queries-per-day", "60", "--weeks", "1", "--pre-weeks", "1", "--reviews-per-day", "10", "--quiet")


def run(*arguments):
    return CliRunner().invoke(main, ["simulate", *arguments])


@pytest.mark.parametrize("name", INCIDENTS)
def test_every_parameter_is_an_option_with_its_default(name):
    said = " ".join(run(name, "--help").output.split())
    for field in dataclasses.fields(SUPPORT):
        if "unit" in field.metadata:
            assert f"--{field.name.replace('_', '-')} " in said, field.name
    assert f"[default: {INCIDENTS[name].eligible_share}]" in said


@pytest.mark.parametrize("name", INCIDENTS)
def test_each_incident_writes_a_store(name, tmp_path):
    result = run(name, "--out", str(tmp_path / "log"), *TINY)
    assert result.exit_code == 0, result.output
    assert {p.name for p in (tmp_path / "log").iterdir()} >= {
        "decisions",
        "signals",
        "draws",
        "undertow.toml",
        "truth.json",
        "README.md",
    }
    assert result.output == ""


def test_options_reach_the_log(tmp_path):
    out = tmp_path / "log"
    result = run(
        "support",
        "--out",
        str(out),
        *TINY,
        "--holdout",
        "0",
        "--rollout",
        "0.5,1",
        "--start",
        "2025-06-02",
        "--seed",
        "9",
        "--healthy",
    )
    assert result.exit_code == 0, result.output
    truth = json.loads((out / "truth.json").read_text())
    assert truth["log_from"] == "2025-06-02T00:00:00Z"
    assert truth["healthy"] is True
    assert truth["seed"] == 9
    assert (truth["parameters"]["holdout"], truth["parameters"]["rollout"]) == (0.0, [0.5, 1.0])


def test_it_says_what_was_planted(tmp_path):
    result = run("support", "--out", str(tmp_path / "log"), *TINY[:-1])
    assert "planted: a loss in tier cheap from 2026-01-26, worst in intent=billing" in result.stderr
    assert "undertow audit" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--holdout", "2"), "--holdout is a fraction in [0, 1], not 2.0"),
        (("--rollout", "some"), "no list of fractions"),
        (("--start", "yesterday"), "no day"),
        (("--weeks", "0"), "--weeks must be at least 1"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_bad_values_are_one_line_and_status_2(tmp_path, arguments, said):
    result = run("support", "--out", str(tmp_path / "log"), *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "log").exists()


def test_a_folder_in_use_is_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = run("support", "--out", str(tmp_path), *TINY)
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_recording_can_be_replayed(project_dir, tmp_path):
    answers = project_dir / "examples" / "recorded-support" / "answers.jsonl"
    result = run(
        "replay", "--data", str(answers), "--table", "recording", "--out", str(tmp_path / "log"),
        "--queries-per-day", "50", "--weeks", "2", "--shift-week", "1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "real outcomes, scripted arrival" in result.stderr


def test_a_missing_table_is_one_line(tmp_path):
    result = run("replay", "--data", str(tmp_path), "--table", "mmlu_routellm", "--out", str(tmp_path / "log"))
    assert result.exit_code == 2
    assert "no table 'mmlu_routellm'" in result.output
