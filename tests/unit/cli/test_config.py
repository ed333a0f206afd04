import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.bootstrap.plan_file import read_plan
from undertow.cli.main import main
from undertow.config.schema import schema_text

FILE = """
[tiers.cheap]
model = "small"
api_key_env = "CHEAP_KEY"
parameters = { temperature = 0.2, headers = { authorization = "Bearer sk-hidden", x-api-key = "sk-hidden" } }
[tiers."gpt.5"]
model = "large"
[monitors]
alpha = 0.1
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("undertow.toml").write_text(FILE)
    return lambda *arguments: CliRunner().invoke(main, ["config", *arguments])


def test_check_prints_every_value_and_where_it_came_from(run, monkeypatch):
    monkeypatch.setenv("UNDERTOW_MONITORS__LEVEL", "0.9")
    done = run("check")
    assert done.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["monitors.alpha"] == ["0.1", "undertow.toml:9"]
    assert rows["monitors.level"] == ["0.9", "environment", "UNDERTOW_MONITORS__LEVEL"]
    assert rows["monitors.margin"] == ["(unset)", "default"]
    assert rows["tiers.gpt.5.model"] == ['"large"', "undertow.toml:7"]
    assert "all settings are valid" in done.stderr


def test_check_as_json_is_one_document(run):
    document = json.loads(run("check", "--json").stdout)
    assert document["schema"] == "undertow.config/1"
    rows = {row["name"]: row for row in document["settings"]}
    assert rows["monitors.alpha"] == {"name": "monitors.alpha", "value": 0.1, "origin": "undertow.toml:9"}
    assert rows["tiers.cheap.api_key_env"]["is_set"] is False


def test_secrets_are_shown_as_set_or_not_set_only(run, monkeypatch):
    assert '"CHEAP_KEY" (not set)' in run("check").stdout
    monkeypatch.setenv("CHEAP_KEY", "sk-hidden")
    for arguments in (["check"], ["check", "--json"]):
        done = run(*arguments)
        assert done.exit_code == 0
        assert "sk-hidden" not in done.output
    assert '"CHEAP_KEY" (set)' in run("check").stdout


def test_a_wrong_file_is_refused_with_its_line(run):
    Path("wrong.toml").write_text("[monitors]\nalfa = 1\n")
    done = run("check", "--config", "wrong.toml")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == "undertow: error: wrong.toml:2: monitors.alfa: no such setting; did you mean 'alpha'?\n"


def test_an_unknown_variable_is_refused(run, monkeypatch):
    monkeypatch.setenv("UNDERTOW_TYPO", "1")
    done = run("check")
    assert done.exit_code == 2
    assert "UNDERTOW_TYPO" in done.stderr


def test_without_a_file_defaults_are_shown(run):
    Path("undertow.toml").unlink()
    done = run("check")
    assert done.exit_code == 0
    assert "no settings file" in done.stderr
    assert {line.split()[-1] for line in done.stdout.splitlines()} == {"default"}


def test_schema_prints_the_shipped_schema(run):
    assert run("schema").stdout == schema_text()


SERVABLE = """
[tiers.cheap]
model = "gpt-4o-mini"
base_url = "https://api.openai.com/v1"
api_key_env = "CHEAP_KEY"
[tiers.capable]
model = "gpt-4o"
base_url = "https://api.openai.com/v1"
[policies.easy]
kind = "classifier"
artefact = "models/easy.json"
"""


def test_compile_writes_a_plan_that_a_gateway_reads(run, monkeypatch, tmp_path):
    monkeypatch.setenv("CHEAP_KEY", "sk-hidden")
    Path("models").mkdir()
    Path("models/easy.json").write_text("{}")
    Path("undertow.toml").write_text(SERVABLE)
    done = run("compile", "-o", "plan.json")
    assert (done.exit_code, done.stdout) == (0, "")
    plan = read_plan("plan.json", {"CHEAP_KEY": "x"})
    assert [tier.name for tier in plan.tiers] == ["cheap", "capable"]
    assert plan.policies[1].artefact == str(tmp_path / "models" / "easy.json")
    text = Path("plan.json").read_text()
    assert "sk-hidden" not in text
    assert str(tmp_path) not in text
    assert run("compile").stdout == text


def test_compile_refuses_settings_that_cannot_serve_with_their_lines(run):
    done = run("compile", "-o", "plan.json")
    assert done.exit_code == 2
    assert "undertow: error: undertow.toml:2: tiers.cheap has no base_url" in done.stderr
    assert not Path("plan.json").exists()


def test_check_warns_of_what_can_hardly_be_meant(run):
    Path("undertow.toml").write_text('[tiers.cheap]\nkind = "anthropic"\n[tiers.capable]\n')
    done = run("check")
    assert done.exit_code == 0
    assert "undertow: warning: policy is a cascade, but tiers.cheap speaks Anthropic's format" in done.stderr
