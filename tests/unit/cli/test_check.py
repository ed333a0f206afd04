"""`undertow check` on a simulated log: exit statuses, files, and wrong input in one line."""

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from undertow.cli.main import main

CANDIDATE = """\
[tiers.cheap]
models = ["sim-small-*"]
rank = 0
[tiers.capable]
models = ["sim-large-*"]
rank = 1
[policy]
kind = "{kind}"
{line}
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check") / "log"
    arguments = ["simulate", "support", "--out", str(folder), "--weeks", "10", "--queries-per-day", "1500", "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


def check(log, *arguments):
    return CliRunner().invoke(main, ["check", str(log), "-q", *map(str, arguments)])


def candidate(folder, kind, line):
    path = folder / "candidate.toml"
    path.write_text(CANDIDATE.format(kind=kind, line=line))
    return path


def test_off_policy_fails_a_candidate_that_brings_all_traffic_back_to_the_cheap_tier(log, tmp_path):
    (log / "live.toml").write_text(CANDIDATE.format(kind="fixed", line='tier = "capable"'))
    files = {kind: tmp_path / f"check.{kind}" for kind in ("junit", "sarif", "markdown")}
    outputs = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    path = candidate(tmp_path, "fixed", 'tier = "cheap"')
    result = check(log, "--config", log / "live.toml", "--candidate", path, "--json", *outputs)
    assert result.exit_code == 1, result.output
    document = json.loads(result.stdout)
    assert document["method"] == "off_policy"
    assert document["verdict"] == "loss"
    assert document["places"][0]["interval"][0] > 0.02
    assert document["savings_usd_month"] > 0
    [first, *_] = json.loads(files["sarif"].read_text())["runs"][0]["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "candidate.toml"},
        "region": {"startLine": 9},
    }
    assert ET.parse(files["junit"]).find("testsuite/testcase/failure") is not None  # noqa: S314 (our own)
    assert files["markdown"].read_text().startswith("## ✗ Undertow check: fails")


def test_a_stricter_candidate_passes_and_says_what_it_saves_less(log, tmp_path):
    result = check(log, "--candidate", candidate(tmp_path, "cascade", "threshold = 0.9"))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Passes: ")
    assert "saves     −$" in result.stdout


def test_another_model_is_a_hole_that_may_be_allowed(log):
    arguments = ("--set", "tiers.cheap.model=other")
    assert check(log, *arguments).exit_code == 3
    assert check(log, *arguments, "--allow-inconclusive").exit_code == 0


def test_the_same_settings_pass(log):
    result = check(log, "--candidate", log / "undertow.toml")
    assert result.exit_code == 0
    assert result.stdout.startswith("Passes: nothing differs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no candidate"),
        (["--set", "policy.thres_hold=0.1"], "UNDERTOW_POLICY__THRES_HOLD"),
        (["--set", "policy.threshold=0.1", "--sarif", "/nowhere/at/all.sarif"], "its folder is not there"),
        (["--candidate", "missing.toml"], "missing.toml"),
    ],
)
def test_wrong_input_is_one_line(log, arguments, said):
    result = check(log, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
