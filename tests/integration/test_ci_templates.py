"""The GitHub action and the GitLab template: well-formed, and their own commands run through bash on a simulated log."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from conftest import require
from undertow.cli.main import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
UNDERTOW = Path(sys.executable).with_name("undertow")
CANDIDATE = """\
[tiers.cheap]
models = ["sim-small-*"]
rank = 0
[tiers.capable]
models = ["sim-large-*"]
rank = 1
[policy]
kind = "fixed"
tier = "{tier}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a log, live settings and two candidates."""
    require(
        UNDERTOW.exists() and shutil.which("bash") is not None, "undertow is not installed here, or there is no bash"
    )
    folder = tmp_path_factory.mktemp("ci")
    arguments = [
        "simulate",
        "support",
        "--out",
        str(folder / "log"),
        "--weeks",
        "10",
        "--queries-per-day",
        "1500",
        "-q",
    ]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    for name, tier in (("live", "capable"), ("worse", "cheap")):
        (folder / f"{name}.toml").write_text(CANDIDATE.format(tier=tier))
    return folder


def bash(script, folder, **env):
    path = f"{UNDERTOW.parent}{os.pathsep}{os.environ['PATH']}"
    # As GitHub runs `shell: bash`.
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=folder, env={"PATH": path, "HOME": str(folder), **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_action(folder, **given):
    """The step of the action, with its inputs put in as the forge does."""
    action = yaml.safe_load((EXAMPLES / "github-action/action.yml").read_text())
    [step] = action["runs"]["steps"]
    inputs = {name: value.get("default") for name, value in action["inputs"].items()} | given
    env = {}
    for name, value in step["env"].items():
        [asked] = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value).groups()
        env[name] = inputs[asked]
    summary, output = folder / "summary.md", folder / "output.txt"
    summary.write_text("")
    output.write_text("")
    env |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    return bash(step["run"], folder, **env), summary.read_text(), output.read_text()


def test_every_input_of_the_action_is_used():
    action = yaml.safe_load((EXAMPLES / "github-action/action.yml").read_text())
    text = (EXAMPLES / "github-action/action.yml").read_text()
    assert action["runs"]["using"] == "composite"
    assert all(f"inputs.{name} }}}}" in text for name in action["inputs"])
    assert all("required" in value or "default" in value for value in action["inputs"].values())
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "inputs come by the environment, so that none is run as shell"


@pytest.mark.parametrize(("candidate", "status", "verdict"), [("worse.toml", 1, "loss"), ("live.toml", 0, "pass")])
def test_the_action_ends_and_tells_as_the_check_does(place, candidate, status, verdict):
    result, summary, output = run_action(place, log="log", candidate=candidate, config="live.toml")
    assert result.returncode == status, result.stderr
    assert output == f"verdict={verdict}\n"
    assert "Undertow check" in summary
    for name in ("check.json", "check.xml", "check.sarif", "check.md"):
        assert (place / "undertow-check" / name).stat().st_size > 0


def test_names_with_blanks_and_quotes_are_names(place):
    odd = place / "a $(touch pwned) 'b'.toml"
    odd.write_text(CANDIDATE.format(tier="capable"))
    result, _, _ = run_action(place, log="log", candidate=odd.name, config="live.toml")
    assert result.returncode == 0, result.stderr
    assert not (place / "pwned").exists()


def test_too_little_evidence_may_be_allowed(place):
    (place / "other.toml").write_text(
        CANDIDATE.format(tier="capable").replace("[tiers.capable]\n", '[tiers.capable]\nmodel = "other"\n')
    )
    assert run_action(place, log="log", candidate="other.toml", config="live.toml")[0].returncode == 3
    allowed, _, output = run_action(
        place, log="log", candidate="other.toml", config="live.toml", **{"allow-inconclusive": "true"}
    )
    assert allowed.returncode == 0
    assert output == "verdict=hole\n"


def test_the_workflow_uses_the_action_with_inputs_that_it_has():
    workflow = yaml.safe_load((EXAMPLES / "github-action/workflow.yml").read_text())
    action = yaml.safe_load((EXAMPLES / "github-action/action.yml").read_text())
    [step] = [one for one in workflow["jobs"]["check"]["steps"] if one.get("uses", "").startswith("./")]
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, value in action["inputs"].items() if value.get("required")} <= set(step["with"])


@pytest.mark.parametrize(("candidate", "status"), [("worse.toml", 1), ("live.toml", 0)])
def test_the_script_of_the_template_runs(place, candidate, status):
    job = yaml.safe_load((EXAMPLES / "gitlab/undertow.gitlab-ci.yml").read_text())[".undertow-check"]
    env = {name: str(value) for name, value in job["variables"].items()}
    env |= {"CHECK_LOG": "log", "CHECK_CANDIDATE": candidate, "CHECK_CONFIG": "live.toml"}
    result = bash("\n".join(job["script"]), place, **env)
    assert result.returncode == status, result.stderr
    assert (place / job["artifacts"]["reports"]["junit"]).exists()
