"""`undertow plan`: options before the log, the log before the settings; wrong input is one line."""

import json

import pytest
from click.testing import CliRunner

from undertow.cli.main import main

QUICK = ("--runs", "20", "--loss", "0.6", "--slice", "0.3")


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def test_options_win_and_say_so(runner):
    result = runner.invoke(main, ["plan", *QUICK, "--labels-per-day", "100", "--sensitivity", "0.9", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["design"]["reviews_per_day"] == 70
    assert document["design"]["sensitivity"] == 0.9
    sources = {each["name"]: each["source"] for each in document["assumptions"]}
    assert sources["reviews of the cheaper tiers"] == sources["failures to come that reviewers see"] == "option"
    assert [each["labelled"] for each in document["delays"]] == [True, False]


def test_settings_are_read(runner, tmp_path):
    (tmp_path / "undertow.toml").write_text(
        "[review]\nper_day = 50\ntail_share = 0.0\n[shadow]\nshare = 0.0\n[holdout]\nshare = 0.0\n"
    )
    result = runner.invoke(main, ["plan", *QUICK])
    assert result.exit_code == 0, result.output
    assert "35 a day, 0 % of the long tail" in result.stdout
    assert "set [holdout] share" in result.stdout


def test_no_reviews_are_nothing_to_plan_with(runner, tmp_path):
    (tmp_path / "undertow.toml").write_text("[review]\nper_day = 0\n")
    result = runner.invoke(main, ["plan"])
    assert result.exit_code == 2
    assert "--labels-per-day" in result.stderr


def test_a_log_is_measured(runner, tmp_path):
    assert (
        runner.invoke(
            main, ["simulate", "support", "--out", "log", "--weeks", "6", "--queries-per-day", "3000"]
        ).exit_code
        == 0
    )
    result = runner.invoke(main, ["plan", "log", *QUICK, "--json"])
    assert result.exit_code == 0, result.output
    sources = {each["name"]: each["source"] for each in json.loads(result.stdout)["assumptions"]}
    assert sources["answers of the cheaper tiers"] == sources["reviews of the cheaper tiers"] == "log"
