import json

import pytest
from click.testing import CliRunner

from undertow.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger") / "log"
    arguments = ["simulate", "support", "--out", str(folder), "--weeks", "8", "--queries-per-day", "800", "-q"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


def test_it_prints_the_book_and_writes_every_line(log, tmp_path):
    result = CliRunner().invoke(main, ["ledger", str(log), "-q", "--by", "version", "--csv", str(tmp_path / "l.csv")])
    assert result.exit_code == 0, result.output
    assert "By policy version" in result.stdout
    assert (tmp_path / "l.csv").read_text().count("\n") > 10


def test_json_is_all_there_is(log):
    result = CliRunner().invoke(main, ["ledger", str(log), "-q", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema"] == "undertow.ledger/1"


def test_no_log_is_one_line(tmp_path):
    result = CliRunner().invoke(main, ["ledger", str(tmp_path / "no"), "-q"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
