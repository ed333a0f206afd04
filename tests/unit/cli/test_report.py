"""`undertow report` on a simulated log."""

import json

import pytest
from click.testing import CliRunner

from undertow.cli.main import main
from week_factory import simulate_weeks


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "log"
    simulate_weeks(folder)
    return folder


def report(log, *arguments):
    return CliRunner().invoke(main, ["report", str(log), "-q", *map(str, arguments)])


def test_every_output(log, tmp_path):
    html, markdown = tmp_path / "week.html", tmp_path / "week.md"
    result = report(log, "--weekly", "--html", html, "--markdown", markdown, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema"] == "undertow.report/1"
    assert html.read_text().startswith("<!doctype html>")
    assert markdown.read_text().startswith("## ")


def test_a_page_for_the_terminal(log):
    result = report(log)
    assert result.exit_code == 0
    assert "2 February 2026 to 8 February 2026" in result.stdout
    assert "Alarms:" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--until", "soon"], "--until 'soon'"), (["--html", "/nowhere/at/week.html"], "its folder is not there")],
)
def test_wrong_input_is_one_line(log, arguments, said):
    result = report(log, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
